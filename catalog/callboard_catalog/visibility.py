"""What decisions look at in entities, those that are there and those that have left."""

import zlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from sqlalchemy import Connection, func, select

from callboard.entities import DEFAULT_NAMESPACE, EntityRef
from callboard.errors import InputError
from callboard.identity import EntityFacts
from callboard_catalog import models
from callboard_catalog.reading import stored_form
from callboard_catalog.store.bulk import chunks

ENTITY: Final = models.entity
VERSION: Final = models.entity_version
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


def facts_of_removed(
    connection: Connection, refs: Iterable[EntityRef]
) -> Mapping[EntityRef, EntityFacts]:
    """Give what decisions would have looked at last in entities that are gone, as history has it.

    Ask it only of references that no entity has.
    """
    wanted = {stored_form(ref): ref for ref in refs}
    rows: list[Any] = []
    for chunk in chunks(wanted):
        newest = select(func.max(VERSION.c.id)).where(VERSION.c.ref.in_(chunk))
        statement = select(VERSION.c.ref, VERSION.c.before).where(
            VERSION.c.id.in_(newest.group_by(VERSION.c.ref))
        )
        rows += connection.execute(statement).all()
    found = {
        wanted[row.ref]: _read(wanted[row.ref], orjson.loads(zlib.decompress(row.before)))
        for row in rows
        if row.before is not None
    }
    homeless = {item["system"] for item in found.values() if item["system"] and not item["domain"]}
    domains = _domains(connection, homeless)
    return {
        ref: EntityFacts(**{**item, "domain": item["domain"] or domains.get(item["system"], "")})
        for ref, item in found.items()
    }


def _facts(row: Any, domains: Mapping[str, str]) -> EntityFacts:
    return EntityFacts(
        ref=row.ref,
        kind=row.kind,
        namespace=EntityRef.parse(row.ref).namespace,
        type="" if row.type == "-" else row.type,
        owner=row.owner,
        system=row.system,
        domain=row.domain or domains.get(row.system, ""),
        **_written(orjson.loads(row.document)["metadata"]),
    )


def _read(ref: EntityRef, document: Mapping[str, Any]) -> dict[str, Any]:
    """Read the same of a document alone, with the defaults of the kinds that are built in."""
    spec = document.get("spec") or {}
    named = {
        name: _named(spec.get(name), kind, ref.namespace)
        for name, kind in (("owner", "group"), ("system", "system"), ("domain", "domain"))
    }
    type_ = spec.get("type")
    return {
        "ref": stored_form(ref),
        "kind": ref.kind,
        "namespace": ref.namespace,
        "type": type_ if isinstance(type_, str) and type_ != "-" else "",
        **named,
        **_written(document["metadata"]),
    }


def _named(text: Any, kind: str, namespace: str) -> str:
    if not isinstance(text, str):
        return ""
    try:
        return str(
            EntityRef.parse(
                text, default_kind=kind, default_namespace=namespace or DEFAULT_NAMESPACE
            )
        )
    except InputError:
        return ""


def _written(metadata: Mapping[str, Any]) -> dict[str, Any]:
    labels = metadata.get("labels") or {}
    return {
        "tags": frozenset(str(tag).lower() for tag in metadata.get("tags") or ()),
        "environment": str(labels.get(ENVIRONMENT_LABEL) or "").lower(),
    }


def _domains(connection: Connection, systems: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for chunk in chunks(systems):
        statement = select(ENTITY.c.ref, ENTITY.c.domain).where(ENTITY.c.ref.in_(chunk))
        found.update((row.ref, row.domain) for row in connection.execute(statement))
    return found
