"""Rows in the order of keys, read along an index of the database or from the values of a key."""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import compress, groupby, islice
from itertools import count as counter
from operator import itemgetter
from typing import Any, Final, Literal

from pyroaring import BitMap
from sqlalchemy import Connection, Select, select
from sqlalchemy.sql.elements import ColumnElement

from callboard_catalog import models
from callboard_catalog.paging import (
    FEW,
    HIGHEST,
    LONGEST_STEP,
    STEP_GROWTH,
    after,
    before,
    beyond,
)
from callboard_catalog.rest.columns import columns_of
from callboard_catalog.rest.expressions import Exists
from callboard_catalog.rest.groups import Groups, groups_of, merged
from callboard_catalog.rest.keys import COLUMNS, FIELD, RELATIONS
from callboard_catalog.rest.matching import TRUE, Matcher
from callboard_catalog.rest.model import Order
from callboard_catalog.rest.relations import RELATION
from callboard_catalog.store.bulk import one_of

ENTITY: Final = models.entity
MOST_ROWS: Final = 2**31
"""More than an index has. An order within a statement holds where there is a limit."""

MANY: Final = 100
"""From more rows on it pays to read them as columns."""

Pair = tuple[str, int]
Values = tuple[str | None, ...]
At = tuple[Values, int]
"""The values of a row at the keys it is sorted by, and its number."""


@dataclass(frozen=True)
class Along:
    """An index of the database that has values with row numbers in their order."""

    value: ColumnElement[Any]
    number: ColumnElement[Any]
    where: tuple[ColumnElement[bool], ...] = ()

    def walk(
        self,
        connection: Connection,
        rows: BitMap,
        at: Pair | None,
        downward: bool,
        wanted: int,
    ) -> Iterator[Pair]:
        """Give the values of these rows, with them, beyond a place; `wanted` says how many."""
        wanted = min(wanted, LONGEST_STEP)
        step = min(2 * wanted, LONGEST_STEP)
        # Where few match, or all that do stand far along, they are asked for by number.
        while len(rows) > FEW and step <= len(rows):
            found = self._read(connection, at, downward, step)
            yield from (pair for pair in found if pair[1] in rows)
            if len(found) < step:
                return
            at, step = found[-1], min(step * STEP_GROWTH, LONGEST_STEP)
        while True:
            named = one_of(connection, self.number, rows)
            found = self._read(connection, at, downward, wanted, named)
            yield from found
            if len(found) < wanted:
                return
            at = found[-1]

    def place(
        self, connection: Connection, rows: BitMap, at: Pair | None, downward: bool, count: int
    ) -> Pair | None:
        """Give what stands there when so many of these rows have gone by; None beyond the end.

        Nothing but the numbers is read of what goes by, and all at once.
        """
        statement = self._statement(at, downward).limit(MOST_ROWS)
        (numbers,) = columns_of(connection, statement.with_only_columns(self.number))
        places = compress(counter(), map(rows.__contains__, numbers))
        place = next(islice(places, count - 1, None), None)
        return None if place is None else self._at(connection, at, downward, place)

    def place_among_all(self, connection: Connection, downward: bool, count: int) -> Pair | None:
        """Give the same where every row that the index has is meant."""
        return self._at(connection, None, downward, count - 1)

    def _at(
        self, connection: Connection, at: Pair | None, downward: bool, place: int
    ) -> Pair | None:
        statement = self._statement(at, downward).limit(1).offset(place)
        row = connection.execute(statement).one_or_none()
        return None if row is None else (row[0], row[1])

    def _read(
        self,
        connection: Connection,
        at: Pair | None,
        downward: bool,
        limit: int,
        *conditions: ColumnElement[bool],
    ) -> list[Pair]:
        statement = self._statement(at, downward).where(*conditions).limit(limit)
        if limit <= MANY:
            return [(value, number) for value, number in connection.execute(statement)]
        return list(zip(*columns_of(connection, statement), strict=True))

    def _statement(self, at: Pair | None, downward: bool) -> Select[Any]:
        statement = select(self.value, self.number).where(*self.where)
        if at is not None:
            statement = statement.where(beyond(self.value, self.number, at, downward))
        if downward:
            return statement.order_by(self.value.desc(), self.number.desc())
        return statement.order_by(self.value, self.number)


REFERENCES: Final = Along(ENTITY.c.ref, ENTITY.c.id)


@dataclass(frozen=True)
class Sorter:
    """Puts rows in order. `back` gives the order from its end; `wanted` is how many are asked for.

    `kind` is the one that all rows are of, where it is known.
    """

    matcher: Matcher
    back: bool
    wanted: int
    kind: str = ""

    def by_reference(self, rows: BitMap, at: Pair | None) -> Iterator[Pair]:
        """Give the rows with their references."""
        return REFERENCES.walk(self.matcher.connection, rows, at, self.back, self.wanted)

    def index(self, orders: Sequence[Order]) -> Along | None:
        """Give the one index that has this order, if there is one; that of references for none."""
        if not orders:
            return REFERENCES
        key = orders[0].key
        if len(orders) > 1 or groups_of(self.matcher, key):
            return None
        found = self._indexes(key)
        return found[0] if found and len(found) == 1 and not self.matcher.items(key) else None

    def place(
        self, orders: Sequence[Order], rows: BitMap, count: int
    ) -> Pair | Literal[False] | None:
        """Give what stands there when so many of these rows have gone by, without reading them.

        None says that it is beyond the end, False that the order cannot tell.
        """
        downward = bool(orders) and orders[0].descending
        index = self.index(orders)
        if index is not None:
            connection = self.matcher.connection
            if len(rows) == len(self.matcher.index.everything):
                return index.place_among_all(connection, downward, count)
            return index.place(connection, rows, None, downward, count)
        groups = groups_of(self.matcher, orders[0].key) if len(orders) == 1 else None
        return False if groups is None else _place_in(groups, rows, downward, count)

    def by_row(self, rows: BitMap, at: int | None) -> Iterator[int]:
        """Give the rows as they are numbered."""
        if at is not None:
            rows = before(rows, at) if self.back else after(rows, at)
        return reversed(rows) if self.back else iter(rows)

    def by_keys(
        self, orders: Sequence[Order], rows: BitMap, at: At | None, *, only_sorted: bool
    ) -> Iterator[At]:
        """Give the rows with their values. Those that lack a key come last, or not at all."""
        if not orders:
            for row in self.by_row(rows, at and at[1]):
                yield (), row
            return
        lacking = None if only_sorted else rows - self.having(orders[0].key)
        in_lacking = at is not None and at[0][0] is None
        if lacking and self.back and (at is None or in_lacking):
            yield from self._lacking(orders, lacking, at)
        if not in_lacking:
            yield from self._having(orders, rows, at, only_sorted)
        elif self.back:
            yield from self._having(orders, rows, None, only_sorted)
        if lacking and not self.back:
            yield from self._lacking(orders, lacking, at if in_lacking else None)

    def _lacking(self, orders: Sequence[Order], rows: BitMap, at: At | None) -> Iterator[At]:
        rest = None if at is None else (at[0][1:], at[1])
        for values, row in self.by_keys(orders[1:], rows, rest, only_sorted=False):
            yield (None, *values), row

    def _having(
        self, orders: Sequence[Order], rows: BitMap, at: At | None, only_sorted: bool
    ) -> Iterator[At]:
        first, rest = orders[0], orders[1:]
        downward = first.descending != self.back
        place = None if at is None else (str(at[0][0]), at[1])
        if not rest:
            for value, row in self._pairs(first.key, rows, place, downward):
                yield (value,), row
            return
        if place is not None:
            # From the first row of this value on: the other keys say where in it.
            place = (place[0], HIGHEST + 1 if downward else 0)
        pairs = self._pairs(first.key, rows, place, downward)
        for value, group in groupby(pairs, itemgetter(0)):
            inside = (at[0][1:], at[1]) if at is not None and value == at[0][0] else None
            found = BitMap(row for _, row in group)
            for values, row in self.by_keys(rest, found, inside, only_sorted=only_sorted):
                yield (value, *values), row

    def having(self, key: str) -> BitMap:
        """Give the rows that have a value at a key, and not only null."""
        place = self.matcher.place(key)
        if place.empty is None or key.startswith(RELATIONS) or key in COLUMNS:
            return self.matcher.rows(Exists(key))
        return self.matcher.kept(("having", key), lambda: self.matcher.containing(key, ""))

    def _pairs(self, key: str, rows: BitMap, at: Pair | None, downward: bool) -> Iterator[Pair]:
        """Give values with rows, each pair once."""
        groups = groups_of(self.matcher, key)
        indexes = [] if groups is not None else self._indexes(key)
        if indexes is None:
            pairs = self.matcher.ends(key).pairs(self.matcher.declaring)
            groups = Groups({k: ((k, BitMap(v)),) for k, v in merged(pairs).items()})
        if groups is not None or indexes is None:
            return _grouped(groups or Groups({}), rows, at, downward)
        walks = [
            index.walk(self.matcher.connection, rows, at, downward, self.wanted)
            for index in indexes
        ]
        if items := self.matcher.items(key):
            walks.append(_grouped(Groups({TRUE: ((TRUE, items),)}), rows, at, downward))
        if len(walks) == 1:
            return walks[0]
        return (pair for pair, _ in groupby(heapq.merge(*walks, reverse=downward)))

    def _indexes(self, key: str) -> list[Along] | None:
        """Give the indexes that have a key's values; None for relations read backward."""
        if key.startswith(RELATIONS):
            sense = self.matcher.only_forward(key)
            if sense is None:
                return None
            return [Along(RELATION.target_ref, RELATION.origin_id, tuple(sense.named()))]
        if key == "metadata.name" and self.kind:
            return [Along(ENTITY.c.name, ENTITY.c.id, (ENTITY.c.kind == self.kind,))]
        if (column := COLUMNS.get(key)) is not None:
            return [Along(column, ENTITY.c.id)]
        return [
            Along(FIELD.value, FIELD.entity_id, (FIELD.key_id == number,))
            for number in self.matcher.place(key).values
        ]


def _grouped(groups: Groups, rows: BitMap, at: Pair | None, downward: bool) -> Iterator[Pair]:
    for value in reversed(groups.order) if downward else groups.order:
        if at is not None and (value > at[0] if downward else value < at[0]):
            continue
        found = groups.rows[value] & rows
        if at is not None and value == at[0]:
            found = before(found, at[1]) if downward else after(found, at[1])
        for row in reversed(found) if downward else found:
            yield value, row


def _place_in(groups: Groups, rows: BitMap, downward: bool, count: int) -> Pair | None:
    for value in reversed(groups.order) if downward else groups.order:
        number = groups.rows[value].intersection_cardinality(rows)
        if count <= number:
            found = groups.rows[value] & rows
            return value, found[number - count if downward else count - 1]
        count -= number
    return None
