"""Finding entities by what names them, or by when they changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pyroaring import BitMap
from sqlalchemy import Connection, select

from callboard.entities import Entity, EntityRef
from callboard_catalog import models, query
from callboard_catalog.paging import page
from callboard_catalog.query import MOST_ROWS, ListRequest
from callboard_catalog.reading import entities_of, stored_form
from callboard_catalog.sight import Sight
from callboard_catalog.store.bulk import chunks
from callboard_catalog.visibility import facts_of_removed

ENTITY: Final = models.entity


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an entity was read. `line` counts from 1, `position` is the document's, from 0."""

    source: str
    path: str
    line: int
    position: int
    version: str
    created_at: datetime
    updated_at: datetime


def visible(connection: Connection, sight: Sight, refs: set[EntityRef]) -> set[EntityRef]:
    """Give those of these that are seen; what has left the catalog by what it was last."""
    wanted = {stored_form(ref): ref for ref in refs}
    there: dict[EntityRef, int] = {}
    for chunk in chunks(wanted):
        statement = select(ENTITY.c.ref, ENTITY.c.id).where(ENTITY.c.ref.in_(chunk))
        there.update((wanted[row.ref], row.id) for row in connection.execute(statement))
    removed = facts_of_removed(connection, refs - there.keys())
    return {
        *(ref for ref, number in there.items() if number in sight.rows),
        *(ref for ref, facts in removed.items() if sight.filter.fits(facts)),
    }


def entities_named(
    connection: Connection, refs: Iterable[EntityRef], sight: Sight | None
) -> dict[EntityRef, Entity]:
    """Give the entities that exist and are seen among these."""
    found: dict[EntityRef, Entity] = {}
    for chunk in chunks({stored_form(ref) for ref in refs}):
        rows = connection.execute(select(*query.COLUMNS).where(ENTITY.c.ref.in_(chunk)))
        found.update((item.ref, item) for item in entities_of(connection, rows, sight=sight))
    return found


def titles(
    connection: Connection, refs: Iterable[EntityRef], sight: Sight | None
) -> dict[EntityRef, str]:
    """Give the titles of those that exist and are seen among these."""
    wanted = {stored_form(ref): ref for ref in refs}
    found: dict[EntityRef, str] = {}
    for chunk in chunks(wanted):
        statement = select(ENTITY.c.id, ENTITY.c.ref, ENTITY.c.title)
        found.update(
            (wanted[row.ref], row.title)
            for row in connection.execute(statement.where(ENTITY.c.ref.in_(chunk)))
            if sight is None or row.id in sight.rows
        )
    return found


def find(
    connection: Connection,
    sight: Sight | None,
    *,
    kind: str,
    annotation: str,
    after: EntityRef | None,
    limit: int,
) -> Sequence[Entity]:
    """Give entities by reference, those behind `after`, of a kind and with an annotation."""
    statement = select(*query.COLUMNS).order_by(ENTITY.c.ref).limit(min(limit, 1000))
    if kind:
        statement = statement.where(ENTITY.c.kind == kind.lower())
    if after:
        statement = statement.where(ENTITY.c.ref > stored_form(after))
    if annotation:
        table, key = models.entity_field, models.field_key
        named = select(key.c.id).where(key.c.name == f"metadata.annotations.{annotation}".lower())
        having = select(table.c.entity_id).where(table.c.key_id.in_(named))
        statement = statement.where(ENTITY.c.id.in_(having))
    if sight is not None:
        statement = statement.where(sight.condition(connection))
    return entities_of(connection, connection.execute(statement), sight=sight)


def recent(
    connection: Connection, sight: Sight | None, limit: int
) -> Sequence[tuple[Entity, datetime]]:
    """Give the entities that changed last, with the time."""
    statement = select(*query.COLUMNS, ENTITY.c.updated_at).where(ENTITY.c.kind != "location")
    ordered = statement.order_by(ENTITY.c.updated_at.desc(), ENTITY.c.id.desc())
    if sight is not None:
        request = ListRequest(sort="updated", descending=True, limit=min(limit, MOST_ROWS))
        listed = sight.rows - sight.index.values["kind"].get("location", BitMap())
        ids = page(connection, sight.index, request, listed).ids
        ordered = ordered.where(ENTITY.c.id.in_(ids))
    rows = list(connection.execute(ordered.limit(limit)))
    entities = entities_of(connection, rows, sight=sight)
    return [(item, row.updated_at) for item, row in zip(entities, rows, strict=True)]


def provenance(connection: Connection, sight: Sight | None, ref: EntityRef) -> Provenance | None:
    """Say where an entity was read, if it is there and seen."""
    source, file = models.source, models.source_file
    joined = ENTITY.join(source, source.c.id == ENTITY.c.source_id).join(
        file, file.c.id == ENTITY.c.file_id
    )
    statement = select(
        source.c.name,
        file.c.path,
        ENTITY.c.line,
        ENTITY.c.position,
        source.c.head,
        ENTITY.c.created_at,
        ENTITY.c.updated_at,
        ENTITY.c.id,
    ).select_from(joined)
    row = connection.execute(statement.where(ENTITY.c.ref == stored_form(ref))).one_or_none()
    if row is None or (sight is not None and row.id not in sight.rows):
        return None
    return Provenance(*row[:-1])
