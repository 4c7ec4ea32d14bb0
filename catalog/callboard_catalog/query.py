"""Lists, facets and counts over the table of entities."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from sqlalchemy import (
    Connection,
    FromClause,
    Select,
    and_,
    exists,
    func,
    literal,
    or_,
    select,
    text,
)
from sqlalchemy.sql.elements import ColumnElement

from callboard.entities import Entity
from callboard.errors import InputError
from callboard_catalog import models
from callboard_catalog.search.index import ENTITY_TEXT, TextIndex
from callboard_catalog.search.words import Words

TABLE: Final = models.entity
COLUMNS: Final = (TABLE.c.id, TABLE.c.ref, TABLE.c.document)
TAG_KEY: Final = "metadata.tags"

SORTS: Final[dict[str, ColumnElement[Any]]] = {
    "name": TABLE.c.name,
    "title": func.lower(TABLE.c.title),
    "kind": TABLE.c.kind,
    "type": TABLE.c.type,
    "owner": TABLE.c.owner,
    "lifecycle": TABLE.c.lifecycle,
    "updated": TABLE.c.updated_at,
}
FACETS: Final[dict[str, ColumnElement[Any]]] = {
    "kind": TABLE.c.kind,
    "type": TABLE.c.type,
    "owner": TABLE.c.owner,
    "lifecycle": TABLE.c.lifecycle,
    "system": TABLE.c.system,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRequest:
    """What a list asks for. Several values of one field mean any of them.

    Kinds are lower-case; owners, systems and domains are canonical references as text. `limit`
    is 1 to 500. `cursor` is one handed out with a page of the same request.
    """

    kinds: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    lifecycles: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    text: str = ""
    sort: str = "name"
    descending: bool = False
    limit: int = 50
    cursor: str = ""

    def filters(self) -> "ListRequest":
        """Give the request without what only turns pages, as a key for totals and facets."""
        return replace(self, sort="name", descending=False, limit=50, cursor="")


@dataclass(frozen=True, slots=True)
class ListResult:
    """A page of entities. `first` is the position of the first one, counted from 1."""

    entities: list[Entity]
    total: int
    next_cursor: str
    previous_cursor: str
    first: int


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value of a facet with the number of entities it would leave."""

    value: str
    label: str
    count: int
    selected: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page begins: after (or before) the row with this sort value and id."""

    value: Any
    id: int
    back: bool
    first: int
    sort: str

    def encode(self) -> str:
        value = self.value.isoformat() if isinstance(self.value, datetime) else self.value
        packed = orjson.dumps([value, self.id, self.back, self.first, self.sort])
        return base64.urlsafe_b64encode(packed).decode().rstrip("=")

    @classmethod
    def decode(cls, encoded: str) -> "Cursor":
        """Read a cursor; raises `InputError` for one that was not handed out for this order."""
        try:
            padded = encoded + "=" * (-len(encoded) % 4)
            value, row, back, first, sort = orjson.loads(base64.urlsafe_b64decode(padded))
            if not isinstance(value, str) or "\0" in value:
                raise TypeError(value)
            if sort.removeprefix("-") == "updated":
                # In UTC, as it was written: a zone could lead out of the calendar.
                value = datetime.fromisoformat(value.removesuffix("+00:00")).replace(tzinfo=UTC)
            if type(row) is not int or type(first) is not int or not 0 <= row < 2**63:
                raise TypeError(row)
            return cls(value, row, bool(back), min(max(1, first), 2**31), str(sort))
        except (ValueError, TypeError, AttributeError, binascii.Error) as error:
            raise InputError(
                "The cursor cannot be read.", hint="Start again from the first page."
            ) from error


def conditions(
    connection: Connection, request: ListRequest, *, without: str = ""
) -> list[ColumnElement[bool]]:
    """Give the conditions of a request, leaving out those of the facet `without`."""
    columns = {
        "kind": (TABLE.c.kind, request.kinds),
        "type": (TABLE.c.type, request.types),
        "owner": (TABLE.c.owner, request.owners),
        "lifecycle": (TABLE.c.lifecycle, request.lifecycles),
        "system": (TABLE.c.system, request.systems),
        "domain": (TABLE.c.domain, request.domains),
    }
    given = (
        *request.tags,
        *request.sources,
        *(v for _, values in columns.values() for v in values),
    )
    if any("\0" in value for value in given):
        raise InputError("A filter holds a zero character, which no entity can have.")
    found: list[ColumnElement[bool]] = [
        column == values[0] if len(values) == 1 else column.in_(values)
        for name, (column, values) in columns.items()
        if values and name != without
    ]
    if request.tags and without != "tag":
        found.append(_has_tag(request.tags))
    if request.sources and without != "source":
        named = select(models.source.c.id).where(models.source.c.name.in_(request.sources))
        found.append(TABLE.c.source_id.in_(named))
    if request.text.strip():
        found.append(_matches(connection.dialect.name, request.text))
    return found


def _has_tag(tags: Sequence[str]) -> ColumnElement[bool]:
    field = models.entity_field
    key = select(models.field_key.c.id).where(models.field_key.c.name == TAG_KEY)
    lower = [tag.lower() for tag in tags]
    return exists().where(
        field.c.key_id == key.scalar_subquery(),
        field.c.value.in_(lower),
        field.c.entity_id == TABLE.c.id,
    )


def _matches(dialect: str, query: str) -> ColumnElement[bool]:
    words = Words.of_query(query)
    if not words:
        return literal(False)
    found = text(f"SELECT rowid FROM entity_text WHERE {ENTITY_TEXT.condition(dialect)}")
    bound = found.bindparams(words=TextIndex.query(dialect, words))
    return TABLE.c.id.in_(bound.columns(TABLE.c.id))


def page(connection: Connection, request: ListRequest) -> tuple[list[Any], str, str, int]:
    """Give the rows (id, ref, document, sort value) of one page, its cursors and first position."""
    sort = SORTS.get(request.sort)
    if sort is None or not 1 <= request.limit <= 500:
        raise InputError(
            "The list cannot be sorted or sized like that.",
            hint=f"Sort by {', '.join(SORTS)}; ask for 1 to 500 rows.",
        )
    order = f"-{request.sort}" if request.descending else request.sort
    cursor = Cursor.decode(request.cursor) if request.cursor else None
    if cursor and cursor.sort != order:
        raise InputError("The cursor is of another order.", hint="Start from the first page.")
    back = cursor is not None and cursor.back
    downward = request.descending != back
    statement = select(*COLUMNS, sort.label("sort_value")).where(*conditions(connection, request))
    if cursor:
        statement = statement.where(_beyond(sort, cursor, downward))
    ordering = (sort.desc(), TABLE.c.id.desc()) if downward else (sort.asc(), TABLE.c.id.asc())
    rows = list(connection.execute(statement.order_by(*ordering).limit(request.limit + 1)))
    more = len(rows) > request.limit
    rows = rows[: request.limit]
    if back:
        rows.reverse()
    return rows, *_cursors(rows, order, cursor, more)


def _beyond(sort: ColumnElement[Any], cursor: Cursor, downward: bool) -> ColumnElement[bool]:
    if downward:
        return or_(sort < cursor.value, and_(sort == cursor.value, TABLE.c.id < cursor.id))
    return or_(sort > cursor.value, and_(sort == cursor.value, TABLE.c.id > cursor.id))


def _cursors(
    rows: Sequence[Any], order: str, cursor: Cursor | None, more: bool
) -> tuple[str, str, int]:
    first = cursor.first if cursor else 1
    if not rows:
        return *_ways_out(order, cursor), 0
    if cursor and cursor.back:
        first = max(1, first - len(rows))
    has_next = more or (cursor is not None and cursor.back)
    has_previous = more if cursor and cursor.back else cursor is not None
    following = Cursor(rows[-1].sort_value, rows[-1].id, False, first + len(rows), order)
    preceding = Cursor(rows[0].sort_value, rows[0].id, True, first, order)
    return (
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


def total(connection: Connection, request: ListRequest) -> int:
    """Count the entities of a request."""
    statement = select(func.count()).select_from(TABLE).where(*conditions(connection, request))
    return connection.scalar(statement) or 0


def facets(
    connection: Connection, request: ListRequest, *, most: int = 12
) -> dict[str, list[FacetValue]]:
    """Count the values of every facet: each under all filters but its own, the commonest first."""
    counted = {
        name: _count(connection, request, name, column, most) for name, column in FACETS.items()
    }
    counted["tag"] = _count_tags(connection, request, most)
    counted["source"] = _count_sources(connection, request, most)
    return counted


def _selected(request: ListRequest, name: str) -> tuple[str, ...]:
    values: tuple[str, ...] = getattr(request, f"{name}s")
    return values


def _count(
    connection: Connection,
    request: ListRequest,
    name: str,
    column: ColumnElement[Any],
    most: int,
) -> list[FacetValue]:
    statement = select(column, func.count().label("found")).where(
        column != "", *conditions(connection, request, without=name)
    )
    return _values(connection, statement, TABLE, column, _selected(request, name), most)


def _count_tags(connection: Connection, request: ListRequest, most: int) -> list[FacetValue]:
    field = models.entity_field
    key = select(models.field_key.c.id).where(models.field_key.c.name == TAG_KEY)
    joined = field.join(TABLE, TABLE.c.id == field.c.entity_id)
    statement = select(field.c.value, func.count().label("found")).where(
        field.c.key_id == key.scalar_subquery(), *conditions(connection, request, without="tag")
    )
    return _values(connection, statement, joined, field.c.value, request.tags, most)


def _count_sources(connection: Connection, request: ListRequest, most: int) -> list[FacetValue]:
    joined = TABLE.join(models.source, models.source.c.id == TABLE.c.source_id)
    statement = select(models.source.c.name, func.count().label("found")).where(
        *conditions(connection, request, without="source")
    )
    return _values(connection, statement, joined, models.source.c.name, request.sources, most)


def _values(
    connection: Connection,
    statement: Select[Any],
    table: FromClause,
    column: ColumnElement[Any],
    selected: Sequence[str],
    most: int,
) -> list[FacetValue]:
    counted = statement.select_from(table).group_by(column)
    common = connection.execute(counted.order_by(func.count().desc(), column).limit(most))
    counts = {row[0]: row[1] for row in common}
    missing = [value for value in selected if value not in counts]
    if missing:
        rows = connection.execute(counted.where(column.in_(missing)))
        counts.update(dict.fromkeys(missing, 0) | {row[0]: row[1] for row in rows})
    return [
        FacetValue(value, _label(value), count, value in selected)
        for value, count in counts.items()
    ]


def _label(value: str) -> str:
    kind, slash, name = value.partition("/")
    return name if slash and ":" in kind else value
