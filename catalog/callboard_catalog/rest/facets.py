"""Counts of the values of keys, as they are written."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, Final

from pyroaring import BitMap
from sqlalchemy import Connection, Select, func, select
from sqlalchemy.sql.elements import ColumnElement

from callboard_catalog import models
from callboard_catalog.paging import FEW
from callboard_catalog.rest.columns import columns_of
from callboard_catalog.rest.groups import groups_of
from callboard_catalog.rest.keys import COLUMNS, FIELD, RELATIONS
from callboard_catalog.rest.matching import TRUE, Matcher
from callboard_catalog.rest.relations import RELATION
from callboard_catalog.rest.sorting import MOST_ROWS
from callboard_catalog.store.bulk import one_of

ENTITY: Final = models.entity
Columns = tuple[Sequence[str], Sequence[int], Sequence[str | None]]
"""Values with their rows and with how they are written, None for those in lower case; there is
nothing of that where all are."""


def counts_of(matcher: Matcher, key: str, rows: BitMap) -> list[tuple[str, int]]:
    """Give the values that these rows have at a key, with how many have each, by value."""
    groups = groups_of(matcher, key)
    if groups is not None:
        return list(groups.counted(rows))
    if len(rows) == len(matcher.index.everything):
        whole = _whole(matcher, key)
        if whole is not None:
            return whole.counted(matcher.connection)
    if (column := COLUMNS.get(key)) is not None:
        return _counted([_column(matcher, key, column, rows)], rows)
    if key.startswith(RELATIONS):
        return _counted([_relations(matcher, key, rows)], rows)
    found = [_fields(matcher, number, rows) for number in matcher.place(key).values]
    if items := list(matcher.items(key)):
        found.append(([TRUE] * len(items), items, ()))
    return _counted(found, rows)


# Everything


@dataclass(frozen=True)
class _Values:
    """All values of a key along the index that has them, and how each is written."""

    value: ColumnElement[Any]
    written: ColumnElement[Any]
    conditions: Sequence[ColumnElement[bool]] = ()

    def counted(self, connection: Connection) -> list[tuple[str, int]]:
        """Let the database count them."""
        columns: list[ColumnElement[Any]] = [func.min(self.written), func.count()]
        names = ("text", "number")
        named = [column.label(name) for column, name in zip(columns, names, strict=True)]
        statement: Select[Any] = select(*named).where(*self.conditions)
        ordered = statement.group_by(self.value).order_by(self.value).limit(MOST_ROWS)
        found = columns_of(connection, ordered)
        counts = list(zip(*found, strict=True))
        if self.written is self.value:
            # The order of a column is the database's own, which may know languages.
            counts.sort()
        return counts


def _whole(matcher: Matcher, key: str) -> _Values | None:
    """Give the values of a key where the database can count all of them by itself."""
    if key.startswith(RELATIONS):
        sense = matcher.only_forward(key)
        target = RELATION.target_ref
        return None if sense is None else _Values(target, target, sense.named())
    place = matcher.place(key)
    if (column := COLUMNS.get(key)) is not None:
        return _Values(column, column) if place.written is None else None
    if len(place.values) != 1 or matcher.items(key):
        return None
    written = func.coalesce(FIELD.written, FIELD.value)
    return _Values(FIELD.value, written, [FIELD.key_id == place.values[0]])


# Some


def _counted(found: Sequence[Columns], among: BitMap) -> list[tuple[str, int]]:
    best: dict[str, str] = {}
    kept: list[tuple[list[str], list[int]]] = []
    for values, rows, written in found:
        chosen = list(map(among.__contains__, rows))
        own = list(compress(values, chosen))
        kept.append((own, list(compress(rows, chosen))))
        if written:
            for value, text in zip(own, compress(written, chosen), strict=True):
                text = text or value
                if value not in best or text < best[value]:
                    best[value] = text
    if len(kept) == 1:
        counts = Counter(kept[0][0])
    else:
        # The same entity may have a value as a plain one and in a list.
        counts = Counter(
            value for value, _ in {pair for part in kept for pair in zip(*part, strict=True)}
        )
    return [(best.get(value, value), counts[value]) for value in sorted(counts)]


def _relations(matcher: Matcher, key: str, rows: BitMap) -> Columns:
    sense = matcher.only_forward(key)
    if sense is None:
        pairs = list(set(matcher.ends(key).pairs(matcher.declaring)))
        return [value for value, _ in pairs], [row for _, row in pairs], ()
    statement: Select[Any] = select(RELATION.target_ref, RELATION.origin_id)
    few = len(rows) <= FEW
    statement = statement.where(*sense.named(few))
    found = _read(matcher, statement, rows, RELATION.origin_id)
    return found[0], found[1], ()


def _fields(matcher: Matcher, key: int, rows: BitMap) -> Columns:
    statement: Select[Any] = select(FIELD.value, FIELD.entity_id, FIELD.written)
    found = _read(matcher, statement.where(FIELD.key_id == key), rows, FIELD.entity_id)
    return found[0], found[1], found[2] if any(found[2]) else ()


def _column(matcher: Matcher, key: str, column: ColumnElement[Any], rows: BitMap) -> Columns:
    spelled: dict[int, str | None] = {}
    if (written := matcher.place(key).written) is not None:
        _, members, texts = _fields(matcher, written, rows)
        spelled = dict(zip(members, texts, strict=True))
    statement: Select[Any] = select(column, ENTITY.c.id)
    values, members = _read(matcher, statement, rows, ENTITY.c.id)
    return values, members, [spelled.get(row) for row in members] if spelled else ()


def _read(
    matcher: Matcher, statement: Select[Any], rows: BitMap, number: ColumnElement[int]
) -> list[list[Any]]:
    """Read all rows of a key, or those of a few entities."""
    if len(rows) <= FEW:
        statement = statement.where(one_of(matcher.connection, number, rows))
    return columns_of(matcher.connection, statement)
