"""Entities with their relations, from rows."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import Connection, or_, select, union_all

from callboard.entities import Entity, EntityRef, Relation
from callboard_catalog import models
from callboard_catalog.store.bulk import chunks

if TYPE_CHECKING:
    from callboard_catalog.sight import Sight

REFERENCES: Final = 16_384
"""References that are kept as they were read."""


@dataclass(frozen=True, slots=True)
class Related:
    """The other end of a relation. `title` is its name where no such entity exists."""

    type: str
    ref: EntityRef
    title: str
    kind: str
    exists: bool


@dataclass(frozen=True, slots=True)
class Referrer:
    """An entity that names another one. `relation` is read from it to the one it names."""

    ref: EntityRef
    title: str
    relation: str


def stored_form(ref: EntityRef) -> str:
    """Give a reference as the tables have it. PostgreSQL takes no zero characters at all."""
    return str(ref).replace("\0", "\ufffd")


@lru_cache(maxsize=REFERENCES)
def _ref(text: str) -> EntityRef:
    """Read a reference as it is stored; pages name the same ones again and again."""
    return EntityRef.parse(text)


def _order(relation: Relation) -> tuple[str, str, str, str]:
    target = relation.target
    return (relation.type, target.kind, target.namespace, target.name)


def relations_of(
    connection: Connection, refs: Collection[str], sight: "Sight | None" = None
) -> dict[str, tuple[Relation, ...]]:
    """Give the relations of each entity in both directions, distinct, by type and target.

    Those that entities declare which are not seen are left out.
    """
    relation = models.relation.c
    found: defaultdict[str, set[Relation]] = defaultdict(set)
    for chunk in chunks(refs):
        forward = select(
            relation.source_ref, relation.type, relation.target_ref, relation.origin_id
        ).where(relation.source_ref.in_(chunk))
        backward = select(
            relation.target_ref, relation.reverse, relation.source_ref, relation.origin_id
        ).where(relation.target_ref.in_(chunk))
        for ref, kind, target, origin in connection.execute(union_all(forward, backward)).all():
            if sight is None or origin in sight.rows:
                found[ref].add(Relation(kind, _ref(target)))
    return {ref: tuple(sorted(items, key=_order)) for ref, items in found.items()}


def declared_by(connection: Connection, rows: Iterable[Any]) -> dict[str, tuple[Relation, ...]]:
    """Give the relations that entities declare themselves; rows have `id` and `ref`.

    They are as many as their documents name. Those that others declare may be thousands.
    """
    relation = models.relation.c
    refs = {row.id: row.ref for row in rows}
    found: defaultdict[str, set[Relation]] = defaultdict(set)
    columns = (
        relation.origin_id, relation.source_ref, relation.type, relation.target_ref,
        relation.reverse,
    )  # fmt: skip
    for chunk in chunks(refs):
        statement = select(*columns).where(relation.origin_id.in_(chunk))
        for origin, source, kind, target, reverse in connection.execute(statement).all():
            ref = refs[origin]
            if source == ref:
                found[ref].add(Relation(kind, _ref(target)))
            if target == ref:
                found[ref].add(Relation(reverse, _ref(source)))
    return {ref: tuple(sorted(items, key=_order)) for ref, items in found.items()}


def entities_of(
    connection: Connection,
    rows: Iterable[Any],
    *,
    declared: bool = False,
    sight: "Sight | None" = None,
) -> list[Entity]:
    """Make entities from rows that have `id`, `ref` and `document`, in their order.

    `declared` leaves out the relations that only others declare; `sight` rows that are not seen,
    and what they declare.
    """
    listed = [row for row in rows if sight is None or row.id in sight.rows]
    relations = (
        declared_by(connection, listed)
        if declared
        else relations_of(connection, [row.ref for row in listed], sight)
    )
    return [
        Entity(
            ref=_ref(row.ref),
            document=orjson.loads(row.document),
            relations=relations.get(row.ref, ()),
        )
        for row in listed
    ]


def related_to(
    connection: Connection,
    refs: Collection[EntityRef],
    limit: int,
    sight: "Sight | None" = None,
) -> list[Related]:
    """Give the other ends of entities' relations with their titles, at most `limit`.

    Ends that are there and not seen are left out, and so is what they declare.
    """
    entity, relation = models.entity, models.relation
    keys = [stored_form(ref) for ref in refs]
    forward = select(relation.c.type, relation.c.target_ref.label("ref")).where(
        relation.c.source_ref.in_(keys)
    )
    backward = select(relation.c.reverse, relation.c.source_ref).where(
        relation.c.target_ref.in_(keys)
    )
    if sight is not None:
        origin = relation.c.origin_id
        forward, backward = forward.add_columns(origin), backward.add_columns(origin)
    ends = forward.union(backward).subquery()
    statement = (
        select(ends.c.type, ends.c.ref, entity.c.title, entity.c.id)
        .join_from(ends, entity, entity.c.ref == ends.c.ref, isouter=True)
        .order_by(ends.c.type, ends.c.ref)
        .limit(limit)
    )
    if sight is not None:
        # Mostly one of both ends declares it: only of another one it is asked whether it is seen.
        own = connection.scalars(select(entity.c.id).where(entity.c.ref.in_(keys)))
        declared = or_(
            ends.c.origin_id.in_([number for number in own if number in sight.rows]),
            ends.c.origin_id == entity.c.id,
            sight.of_id(connection, ends.c.origin_id),
        )
        there = or_(entity.c.id.is_(None), sight.condition(connection))
        statement = statement.where(there, declared).distinct()
    found = []
    for row in connection.execute(statement):
        other = _ref(row.ref)
        title = row.title or other.name
        found.append(Related(row.type, other, title, other.kind, row.id is not None))
    return found


def referrers(
    connection: Connection, ref: EntityRef, *, limit: int, sight: "Sight | None" = None
) -> list[Referrer]:
    """Give the entities that name one which is not in the catalog, by title."""
    relation, entity, key = models.relation, models.entity, stored_form(ref)
    forward = select(relation.c.origin_id, relation.c.type.label("relation")).where(
        relation.c.target_ref == key
    )
    backward = select(relation.c.origin_id, relation.c.reverse).where(relation.c.source_ref == key)
    named = forward.union(backward).subquery()
    statement = (
        select(entity.c.ref, entity.c.title, named.c.relation)
        .join_from(named, entity, entity.c.id == named.c.origin_id)
        .where(entity.c.ref != key)
        .order_by(entity.c.title, entity.c.ref, named.c.relation)
        .limit(limit)
    )
    if sight is not None:
        statement = statement.where(sight.condition(connection))
    return [
        Referrer(_ref(row.ref), row.title, row.relation) for row in connection.execute(statement)
    ]
