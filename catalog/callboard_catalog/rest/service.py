"""What the REST API asks of the catalog."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from typing import Any, Final, Literal

import orjson
from pyroaring import BitMap
from sqlalchemy import select

from callboard.errors import InputError
from callboard_catalog import models
from callboard_catalog.facets import FacetIndex
from callboard_catalog.rest import expressions
from callboard_catalog.rest.columns import storable
from callboard_catalog.rest.expressions import EVERYTHING, Expression
from callboard_catalog.rest.facets import counts_of
from callboard_catalog.rest.known import Known
from callboard_catalog.rest.matching import HEAVY, Matcher, weight
from callboard_catalog.rest.model import EntityPage, EntityQuery, Order, Position
from callboard_catalog.rest.sorting import At, Sorter
from callboard_catalog.service import CatalogService
from callboard_catalog.store.bulk import one_of
from callboard_catalog.store.fields import LONGEST

ENTITY: Final = models.entity
MOST_FACETS: Final = 50
MOST_ORDERS: Final = 10
MOST_KEPT: Final = 5_000
"""Values of a facet of which the counts are kept; those of more are counted again."""

MOST_ROWS: Final = 200
"""Rows of a page of which the numbers are kept until the catalog changes."""

DEEP: Final = 1_000
"""An offset from which on what goes by is not read."""

LONGEST_REFERENCE: Final = 255


@dataclass(frozen=True, slots=True)
class InMemory:
    """What is in memory of one generation of the catalog."""

    generation: int
    index: FacetIndex
    known: Known


class NotInMemoryError(LookupError):
    """A question takes more than what is in memory."""


class EntityQueries:
    """Answers questions for entities as the one who asks may see them (`identity.asking`).

    It reads on the connection of the moment (`Database.hold`) and keeps nothing itself: make one
    whenever it is needed.
    """

    def __init__(self, catalog: CatalogService) -> None:
        self.catalog = catalog

    def page(self, query: EntityQuery) -> EntityPage:
        """Give one page of the rows that match; raises `InputError` for too many keys."""
        _check("order", query.order, MOST_ORDERS)
        _check("full text filter", query.text_fields, MOST_FACETS)
        with self._matcher() as matcher:
            make = partial(self._page, matcher, query)
            if query.limit is None or query.limit > MOST_ROWS or _weight(query) > HEAVY:
                return make()
            return matcher.kept_seen(("page", query), make)

    def _page(self, matcher: Matcher, query: EntityQuery) -> EntityPage:
        rows = self._found(matcher, query)
        total = len(rows) if query.total else 0
        if query.limit == 0:
            return EntityPage((), total)
        return _page(matcher, query, rows, total)

    def facets(
        self, keys: Sequence[str], where: Expression = EVERYTHING
    ) -> Mapping[str, Sequence[tuple[str, int]]]:
        """Count the values of each key among what matches, by value, as they are written.

        Raises `InputError` for too many keys.
        """
        _check("facet", keys, MOST_FACETS)
        with self._matcher() as matcher:
            rows = matcher.rows(where)
            # None of these is kept where the question takes more room than the answer.
            most = MOST_KEPT if weight(where) <= HEAVY else -1
            return {
                key: matcher.kept_seen(
                    ("counts", key, where),
                    partial(counts_of, matcher, key.strip().lower(), rows),
                    most if len(key) <= LONGEST else -1,
                )
                for key in keys
            }

    def rows_of(self, refs: Sequence[str]) -> Sequence[int | None]:
        """Give the row of each reference, which must be canonical; None for what is not seen."""
        wanted = storable(set(refs), LONGEST_REFERENCE)
        with self._matcher() as matcher:
            named = one_of(matcher.connection, ENTITY.c.ref, wanted)
            rows = matcher.connection.execute(select(ENTITY.c.ref, ENTITY.c.id).where(named))
            found = {ref: row for ref, row in rows if row in matcher.everything}
        return [found.get(ref) for ref in refs]

    def matching(self, expression: Expression) -> BitMap:
        """Give the rows that match."""
        with self._matcher() as matcher:
            return matcher.rows(expression)

    def in_memory(self) -> InMemory | None:
        """Give what is in memory of the state that is read; None where that is not of it alone."""
        with self._matcher() as matcher:
            generation, known = self.catalog.generation(), self._known()
            return (
                InMemory(generation, matcher.index, known)
                if matcher.index.generation == generation
                else None
            )

    @contextmanager
    def _matcher(self) -> Iterator[Matcher]:
        database = self.catalog.database
        with database.hold(), database.read() as connection:
            sight = self.catalog.sight()
            index = self.catalog.facet_index() if sight is None else sight.whole
            yield Matcher(connection, index, sight, self._known())

    def _known(self) -> Known:
        return self.catalog.cached_for_all("rest", lambda connection: Known())

    def _found(self, matcher: Matcher, query: EntityQuery) -> BitMap:
        rows = matcher.rows(query.where)
        if query.text:
            first = tuple(order.key for order in query.order[:1]) or ("metadata.uid",)
            text = query.text.lower()
            keys = dict.fromkeys(key.strip().lower() for key in query.text_fields or first)
            having = [
                matcher.kept_seen(("text", key, text), partial(matcher.containing, key, text))
                for key in (storable(keys) if storable([text]) else ())
            ]
            rows &= BitMap.union(BitMap(), *having)
        if query.only_sorted:
            for order in query.order:
                rows &= Sorter(matcher, False, 0).having(order.key.strip().lower())
        return rows


class QueriesInMemory(EntityQueries):
    """Answers one who sees everything without the database, or raises `NotInMemoryError`."""

    def __init__(self, catalog: CatalogService, memory: InMemory) -> None:
        super().__init__(catalog)
        self._memory = memory

    @contextmanager
    def _matcher(self) -> Iterator[Matcher]:
        yield Matcher(_NO_TABLES, self._memory.index, None, self._memory.known)


class _NoTables:
    """Stands where a connection would be."""

    def __getattr__(self, name: str) -> Any:
        raise NotInMemoryError(name)


_NO_TABLES: Final[Any] = _NoTables()


def _weight(query: EntityQuery) -> int:
    """Give about how many characters a query has."""
    keys = (*query.text_fields, *(order.key for order in query.order))
    place = (query.position and query.position.value) or ""
    return weight(query.where) + len(query.text) + len(place) + sum(map(len, keys))


def _check(what: str, keys: Sequence[object], most: int) -> None:
    if len(keys) > most:
        raise InputError(f"There are {len(keys)} {what} keys; at most {most} can be asked for.")


def _page(matcher: Matcher, query: EntityQuery, rows: BitMap, total: int) -> EntityPage:
    position = query.position
    back = position is not None and position.back
    limit = query.limit
    sorter = Sorter(matcher, back, query.offset + (limit or len(rows)) + 1, _kind(query.where))
    start, offset = _deep(sorter, query, rows), query.offset
    if start is None:
        return EntityPage((), total)
    if start:
        query, offset = replace(query, position=Position(*start)), 0
    # An entity stands there once for each of its values, so without a limit they may be more.
    stop = None if limit is None else offset + limit + 1
    part = list(islice(_ordered(sorter, query, rows), offset, stop))
    more = limit is not None and len(part) > limit
    part = part[:limit]
    if back:
        part.reverse()
    has_before = more if back else position is not None
    has_after = back or more
    return EntityPage(
        [row for _, row in part],
        total,
        Position(*part[-1]) if part and has_after else None,
        Position(*part[0], True) if part and has_before else None,
    )


def _deep(
    sorter: Sorter, query: EntityQuery, rows: BitMap
) -> tuple[str, int] | Literal[False] | None:
    """Give what stands before a page that begins far behind the first; None beyond the last.

    False says that what goes by must be read.
    """
    if query.offset < DEEP or query.position is not None:
        return False
    orders = _orders(query)
    if not (query.only_sorted if orders else query.by_reference):
        return False
    return sorter.place(orders, rows, query.offset)


def _orders(query: EntityQuery) -> list[Order]:
    return [Order(order.key.strip().lower(), order.descending) for order in query.order]


def _ordered(sorter: Sorter, query: EntityQuery, rows: BitMap) -> Iterator[tuple[str | None, int]]:
    """Give the rows with what tells their place in the order."""
    position = query.position
    if orders := _orders(query):
        at = None if position is None else _read(position, len(orders))
        found = sorter.by_keys(orders, rows, at, only_sorted=query.only_sorted)
        for values, row in found:
            yield values[0] if len(values) == 1 else orjson.dumps(values).decode(), row
    elif query.by_reference:
        named = storable([position.value or ""], LONGEST_REFERENCE) if position else []
        place = (named[0], position.row) if position and named else None
        yield from sorter.by_reference(rows, place)
    else:
        for row in sorter.by_row(rows, None if position is None else position.row):
            yield None, row


def _read(position: Position, number: int) -> At:
    """Read a position in an order of several keys, which has a list of values."""
    values: Any = [position.value]
    if number > 1:
        try:
            values = orjson.loads(position.value or "null")
        except orjson.JSONDecodeError:
            values = None
    if (
        isinstance(values, list)
        and len(values) == number
        and all(v is None or (isinstance(v, str) and storable([v])) for v in values)
    ):
        return tuple(values), position.row
    raise InputError("The cursor is of another order.", hint="Start from the first page.")


def _kind(where: Expression) -> str:
    """Give the kind that all that matches is of, where the expression says so."""
    parts = where.parts if isinstance(where, expressions.All) else (where,)
    for part in parts:
        if isinstance(part, expressions.In) and part.key == "kind" and len(part.values) == 1:
            return part.values[0]
    return ""
