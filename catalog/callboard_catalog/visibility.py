"""Who may see which entities: facts that decisions look at, and filters as SQL and as sets."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from sqlalchemy import Connection, select

from callboard.entities import EntityRef
from callboard.identity import EntityFacts
from callboard_catalog import models
from callboard_catalog.reading import stored_form
from callboard_catalog.store.bulk import chunks

ENTITY: Final = models.entity
ENVIRONMENT_LABEL: Final = "environment"
_COLUMNS: Final = ("ref", "kind", "type", "owner", "system", "domain", "document")


def facts_of(connection: Connection, refs: Iterable[EntityRef]) -> Mapping[EntityRef, EntityFacts]:
    """Give what decisions look at in the entities that exist among these."""
    wanted = {stored_form(ref): ref for ref in refs}
    rows: list[Any] = []
    for chunk in chunks(wanted):
        statement = select(*(ENTITY.c[name] for name in _COLUMNS)).where(ENTITY.c.ref.in_(chunk))
        rows += connection.execute(statement).all()
    domains = _domains(connection, {row.system for row in rows if row.system and not row.domain})
    return {wanted[row.ref]: _facts(row, domains) for row in rows}


def _facts(row: Any, domains: Mapping[str, str]) -> EntityFacts:
    metadata = orjson.loads(row.document)["metadata"]
    labels = metadata.get("labels") or {}
    return EntityFacts(
        ref=row.ref,
        kind=row.kind,
        namespace=EntityRef.parse(row.ref).namespace,
        type="" if row.type == "-" else row.type,
        owner=row.owner,
        system=row.system,
        domain=row.domain or domains.get(row.system, ""),
        tags=frozenset(str(tag).lower() for tag in metadata.get("tags") or ()),
        environment=str(labels.get(ENVIRONMENT_LABEL) or ""),
    )


def _domains(connection: Connection, systems: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for chunk in chunks(systems):
        statement = select(ENTITY.c.ref, ENTITY.c.domain).where(ENTITY.c.ref.in_(chunk))
        found.update((row.ref, row.domain) for row in connection.execute(statement))
    return found
