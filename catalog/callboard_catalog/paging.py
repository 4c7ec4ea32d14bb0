"""Pages of a list by keys, in any order, of the rows that a bitmap names.

Orders by a value that many share come from the bitmaps alone. The others come from an index of the
database: where few rows match they are asked for by number; else the index is read along, in
steps that grow, until the page is full.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from pyroaring import BitMap
from sqlalchemy import Connection, Select, and_, or_, select
from sqlalchemy.sql.elements import ColumnElement

from callboard.errors import InputError
from callboard_catalog import models
from callboard_catalog.facets import FacetIndex, among
from callboard_catalog.query import ORDERED, Cursor, ListRequest

ENTITY: Final = models.entity
FEW: Final = 2_000
"""Up to this many rows are asked for by number."""

FIRST_STEP: Final = 250
STEP_GROWTH: Final = 4
LONGEST_STEP: Final = 16_000
HIGHEST: Final = 2**32 - 1
"""The last row number that a bitmap can hold."""

Keys = list[tuple[Any, int]]
"""Sort values with row numbers."""


@dataclass(frozen=True, slots=True)
class RowPage:
    """The row numbers of a page with what they are sorted by, as far as it is known of each.

    Then the cursors of the page's neighbours, and its first position from 1.
    """

    ids: Sequence[int]
    values: Sequence[Any]
    next_cursor: str
    previous_cursor: str
    first: int


def page(
    connection: Connection, index: FacetIndex, request: ListRequest, matching: BitMap
) -> RowPage:
    """Give one page of the matching rows; raises `InputError` for a cursor of another order."""
    request.check()
    order = f"-{request.sort}" if request.descending else request.sort
    cursor = Cursor.decode(request.cursor) if request.cursor else None
    if cursor and cursor.sort != order:
        raise InputError("The cursor is of another order.", hint="Start from the first page.")
    back = cursor is not None and cursor.back
    downward = request.descending != back
    if request.sort in ORDERED:
        keys = _stored(connection, request, matching, cursor, downward)
    else:
        found = _shared(index, request.sort, matching, cursor, downward)
        keys = list(islice(found, request.limit + 1))
    more = len(keys) > request.limit
    keys = keys[: request.limit]
    if back:
        keys.reverse()
    return _page(keys, order, cursor, more)


def _shared(
    index: FacetIndex, sort: str, matching: BitMap, cursor: Cursor | None, downward: bool
) -> Iterator[tuple[Any, int]]:
    """Walk along the values of a facet and, within each, along the numbers of its rows."""
    order = index.order(sort)
    values = index.values[sort]
    if cursor is None:
        places = range(len(order))
    else:
        key = index.order_key(sort, cursor.value)
        first = bisect_left(order, (key,)) if not downward else 0
        last = len(order) if not downward else bisect_right(order, (key, cursor.value))
        places = range(first, last)
    for place in reversed(places) if downward else places:
        value = order[place][1]
        rows = values[value] & matching
        if cursor and value == cursor.value:
            rows = before(rows, cursor.id) if downward else after(rows, cursor.id)
        for number in reversed(rows) if downward else rows:
            yield value, number


def before(rows: BitMap, number: int) -> BitMap:
    """Give the rows before one, which need not be among them."""
    return rows[: rows.rank(min(number, HIGHEST) - 1)] if number else BitMap()


def after(rows: BitMap, number: int) -> BitMap:
    """Give the rows after one, which need not be among them."""
    return rows[rows.rank(min(number, HIGHEST)) :]


def _stored(
    connection: Connection,
    request: ListRequest,
    matching: BitMap,
    cursor: Cursor | None,
    downward: bool,
) -> Keys:
    """Follow an index of the database."""
    sort = ORDERED[request.sort]
    ordering = (sort.desc(), ENTITY.c.id.desc()) if downward else (sort.asc(), ENTITY.c.id.asc())
    statement = select(ENTITY.c.id).order_by(*ordering)
    if request.sort == "name" and len(request.kinds) == 1:
        statement = statement.where(ENTITY.c.kind == request.kinds[0])
    wanted = request.limit + 1
    at = (cursor.value, cursor.id) if cursor else None
    found = None
    if len(matching) > FEW:
        found = _along(connection, statement, sort, matching, at, downward, wanted)
    if found is None:
        named = statement.where(among(connection, matching))
        if at is not None:
            named = named.where(beyond(sort, ENTITY.c.id, at, downward))
        found = list(connection.scalars(named.limit(wanted)))
    # Only the ends are kept for cursors: to read the values of all rows on the way is slow.
    ends = [*found[:1], *found[-2:]]
    rows = connection.execute(select(ENTITY.c.id, sort).where(ENTITY.c.id.in_(ends)))
    values = {row[0]: row[1] for row in rows}
    return [(values.get(number), number) for number in found]


def first_rows(
    connection: Connection, sort: str, matching: BitMap, most: int, *, downward: bool
) -> Sequence[int]:
    """Give the first of the matching rows in one of the orders that the database has."""
    request = ListRequest(sort=sort, descending=downward, limit=most)
    found = _stored(connection, request, matching, None, downward)
    return [number for _, number in found[:most]]


def _along(
    connection: Connection,
    statement: Select[Any],
    sort: ColumnElement[Any],
    matching: BitMap,
    at: tuple[Any, int] | None,
    downward: bool,
    wanted: int,
) -> list[int] | None:
    """Read an index along, in steps that grow, until enough rows match.

    Gives None where that would read more than what matches: it stands together, far along.
    """
    found: list[int] = []
    step = max(FIRST_STEP, 2 * wanted)
    while step <= max(len(matching), FEW):
        part = statement if at is None else statement.where(beyond(sort, ENTITY.c.id, at, downward))
        numbers: Sequence[int] = connection.scalars(part.limit(step)).all()
        found += [number for number in numbers if number in matching]
        if len(found) >= wanted or len(numbers) < step:
            return found[:wanted]
        last = numbers[-1]
        at = (connection.scalar(select(sort).where(ENTITY.c.id == last)), last)
        step = min(step * STEP_GROWTH, LONGEST_STEP)
    return None


def beyond(
    sort: ColumnElement[Any], row: ColumnElement[int], at: tuple[Any, int], downward: bool
) -> ColumnElement[bool]:
    """Say that a row, sorted by a value and its number, comes after another one."""
    value, number = at
    # The first part alone tells the databases where in the index to begin.
    if downward:
        return and_(sort <= value, or_(sort < value, row < number))
    return and_(sort >= value, or_(sort > value, row > number))


def _page(keys: Keys, order: str, cursor: Cursor | None, more: bool) -> RowPage:
    if not keys:
        return RowPage((), (), *_ways_out(order, cursor), 0)
    first = cursor.first if cursor else 1
    if cursor and cursor.back:
        first = max(1, first - len(keys))
    has_next = more or (cursor is not None and cursor.back)
    has_previous = more if cursor and cursor.back else cursor is not None
    following = Cursor(*keys[-1], False, first + len(keys), order)
    preceding = Cursor(*keys[0], True, first, order)
    return RowPage(
        [number for _, number in keys],
        [value for value, _ in keys],
        following.encode() if has_next else "",
        preceding.encode() if has_previous else "",
        first,
    )


def _ways_out(order: str, cursor: Cursor | None) -> tuple[str, str]:
    """Give the cursors of a page that became empty: what it stood at is the nearest there is."""
    if cursor is None:
        return "", ""
    step = -1 if order.startswith("-") else 1
    if cursor.back:
        return replace(cursor, id=max(0, cursor.id - step), back=False, first=1).encode(), ""
    return "", replace(cursor, id=cursor.id + step, back=True).encode()
