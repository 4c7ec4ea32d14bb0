"""Keeps the list of relations that lead nowhere: work for what changed, and what names it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, select, tuple_

from callboard.events.log import Fact
from callboard_catalog import models
from callboard_catalog.ingest.candidate import Candidate
from callboard_catalog.store.bulk import chunks, insert_rows, rows_where

DANGLING: Final = models.dangling
ENTITY: Final = models.entity
COLUMNS: Final = ("origin_id", "type", "other", "since")

Edge = tuple[int, str, str]
"""The number of the entity that declares it, the relation read from its side, the other end."""


def settle_relations(
    connection: Connection,
    written: Sequence[tuple[int, Candidate]],
    *,
    created: Collection[str],
    deleted: Collection[str],
    now: datetime,
    told: bool = True,
) -> list[Fact]:
    """Bring the list up to entities that were written, by number, came and went, by reference.

    To be called when their rows are written. Gives an event for each entity of which relations
    began to lead nowhere, and for each of which some lead somewhere again. Those of an entity that
    goes end with it, without an event. Without `told` no events are made.
    """
    edges = {edge for number, candidate in written for edge in _edges(number, candidate)}
    refs = {number: candidate.ref for number, candidate in written}
    there = set(refs.values())
    there |= _there(connection, {other for *_, other in edges} - there)
    missing = {edge for edge in edges if edge[2] not in there}
    new = set(created)
    changed = [number for number, ref in refs.items() if ref not in new]
    before = _known(connection, DANGLING.c.origin_id, changed)
    ended = (before - missing) | _known(connection, DANGLING.c.other, created)
    begun = (missing - before) | _naming(connection, deleted, refs)
    _delete(connection, ended)
    insert_rows(connection, DANGLING, COLUMNS, [(*edge, now) for edge in sorted(begun)])
    if not told:
        return []
    refs |= _refs(connection, {number for number, *_ in ended | begun} - refs.keys())
    return [*_facts("resolved", ended, refs), *_facts("dangling", begun, refs)]


def _edges(number: int, candidate: Candidate) -> Iterable[Edge]:
    for pair in candidate.pairs:
        source, target = str(pair.source), str(pair.target)
        if source == target:
            continue
        if source == candidate.ref:
            yield (number, pair.type, target)
        elif target == candidate.ref:
            yield (number, pair.reverse_type, source)


def _there(connection: Connection, refs: Collection[str]) -> set[str]:
    return {row.ref for row in rows_where(connection, [ENTITY.c.ref], ENTITY.c.ref, refs)}


def _known(connection: Connection, column: Any, values: Collection[Any]) -> set[Edge]:
    columns = (DANGLING.c.origin_id, DANGLING.c.type, DANGLING.c.other)
    return {(row[0], row[1], row[2]) for row in rows_where(connection, columns, column, values)}


def _naming(connection: Connection, refs: Collection[str], settled: Collection[int]) -> set[Edge]:
    """Give the relations that other entities declare to those that went."""
    relation = models.relation.c
    found: set[Edge] = set()
    for mine, kind, other in (
        (relation.source_ref, relation.type, relation.target_ref),
        (relation.target_ref, relation.reverse, relation.source_ref),
    ):
        for chunk in chunks(refs):
            statement = (
                select(relation.origin_id, kind, other)
                .join_from(models.relation, ENTITY, ENTITY.c.id == relation.origin_id)
                .where(other.in_(chunk), mine == ENTITY.c.ref)
            )
            found |= {
                (row[0], row[1], row[2])
                for row in connection.execute(statement)
                if row[0] not in settled
            }
    return found


def _delete(connection: Connection, edges: Collection[Edge]) -> None:
    key = tuple_(DANGLING.c.origin_id, DANGLING.c.type, DANGLING.c.other)
    for chunk in chunks(edges, 300):
        connection.execute(DANGLING.delete().where(key.in_(chunk)))


def _refs(connection: Connection, numbers: Collection[int]) -> dict[int, str]:
    columns = (ENTITY.c.id, ENTITY.c.ref)
    return {row.id: row.ref for row in rows_where(connection, columns, ENTITY.c.id, numbers)}


def _facts(what: str, edges: Collection[Edge], refs: dict[int, str]) -> list[Fact]:
    by_entity: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
    for number, kind, other in sorted(edges):
        if number in refs:
            by_entity[refs[number]].append({"type": kind, "target": other})
    return [
        Fact(f"catalog.relation.{what}", ref, {"relations": relations})
        for ref, relations in by_entity.items()
    ]
