"""Reads for the pages: a fixed number of queries, however large a definition is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, true

from callboard_apis.models import api, definition, item, source, version
from callboard_apis.packing import unpack, unpack_text
from callboard_apis.texts import plain

AnyRow = Any
"""A row of one of the tables; which columns it has is up to the query."""

MOST_WORDS: Final = 6
_LISTED: Final = (
    item.c.kind, item.c.key, item.c.tag, item.c.verb, item.c.title, item.c.summary,
    item.c.deprecated, item.c.position,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """An API with its definition; `definition` is None where it was never prepared."""

    api: AnyRow
    definition: AnyRow | None
    head: dict[str, Any]


def load_api(connection: Connection, ref: str) -> Shown | None:
    """Give what is known of one API."""
    row = connection.execute(select(api).where(api.c.ref == ref)).one_or_none()
    if row is None:
        return None
    if row.definition_id is None:
        return Shown(row, None, {})
    found = connection.execute(select(definition).where(definition.c.id == row.definition_id)).one()
    return Shown(row, found, unpack(found.head))


def load_groups(connection: Connection, number: int) -> Sequence[AnyRow]:
    """Give the headings of a definition with how many items are under each."""
    count, first = func.count().label("number"), func.min(item.c.position).label("first")
    deprecated = func.count().filter(item.c.deprecated).label("deprecated")
    query = select(item.c.kind, item.c.tag, count, deprecated, first)
    query = query.where(item.c.definition_id == number).group_by(item.c.kind, item.c.tag)
    return connection.execute(query.order_by(first)).all()


def load_items(
    connection: Connection,
    number: int,
    *,
    asked: str = "",
    group: tuple[str, str] | None = None,
    limit: int = 20_000,
) -> Sequence[AnyRow]:
    """Give the items of a definition for a list, those that hold every word of `asked`.

    `group` is the kind and tag of the heading they are under.
    """
    query = select(*_LISTED)
    words = asked.lower().split()[:MOST_WORDS]
    if words:
        query = query.add_columns(item.c.words)
    conditions = [item.c.words.contains(word, autoescape=True) for word in words]
    if group is not None:
        conditions += [item.c.kind == group[0], item.c.tag == group[1]]
    query = query.where(item.c.definition_id == number, *conditions)
    return connection.execute(query.order_by(item.c.position).limit(limit)).all()


def load_bodies(connection: Connection, number: int) -> list[tuple[AnyRow, dict[str, Any]]]:
    """Give every item of a small definition with its body."""
    query = select(*_LISTED, item.c.line, item.c.body).where(item.c.definition_id == number)
    rows = connection.execute(query.order_by(item.c.position))
    return [(row, unpack(row.body)) for row in rows]


def load_item(
    connection: Connection, number: int, kind: str, key: str
) -> tuple[AnyRow, dict[str, Any]] | None:
    """Give one item with its body."""
    row = connection.execute(
        select(*_LISTED, item.c.line, item.c.body).where(
            item.c.definition_id == number, item.c.kind == kind, item.c.key == key
        )
    ).one_or_none()
    return None if row is None else (row, unpack(row.body))


def load_beside(connection: Connection, number: int, row: AnyRow) -> list[AnyRow | None]:
    """Give the items before and after one, of its kind."""
    found: list[AnyRow | None] = []
    for before in (True, False):
        place = item.c.position < row.position if before else item.c.position > row.position
        order = item.c.position.desc() if before else item.c.position
        found.append(
            connection.execute(
                select(*_LISTED)
                .where(item.c.definition_id == number, item.c.kind == row.kind, place)
                .order_by(order)
                .limit(1)
            ).one_or_none()
        )
    return found


def load_group(connection: Connection, number: int, row: AnyRow, limit: int) -> Sequence[AnyRow]:
    """Give the items under the same heading as one, those around it where they are many."""
    same = (item.c.definition_id == number, item.c.kind == row.kind, item.c.tag == row.tag)
    before = select(func.count()).select_from(item).where(*same, item.c.position < row.position)
    start = max(0, (connection.scalar(before) or 0) - limit // 2)
    query = select(*_LISTED).where(*same).order_by(item.c.position)
    return connection.execute(query.offset(start).limit(limit)).all()


def load_users(connection: Connection, number: int, row: AnyRow) -> list[AnyRow]:
    """Give operations that have a schema in what they take or give, by its name."""
    name = row.title.lower()
    rows = load_items(connection, number, asked=name, limit=200)
    return [one for one in rows if one.kind == "operation" and name in one.words.split()][:40]


def load_source(connection: Connection, number: int, line: int) -> tuple[int, str, int, int]:
    """Give a piece of the text that holds a line: its first line, text, number of, and how many."""
    rows = connection.execute(
        select(source.c.position, source.c.first_line)
        .where(source.c.definition_id == number)
        .order_by(source.c.position)
    ).all()
    if not rows:
        return 1, "", 0, 0
    chosen = rows[0]
    for row in rows:
        if row.first_line <= line:
            chosen = row
    return *_piece(connection, number, chosen), len(rows)


def load_piece(connection: Connection, number: int, position: int) -> tuple[int, str, int, int]:
    """Give a piece of the text by its number."""
    rows = connection.execute(
        select(source.c.position, source.c.first_line)
        .where(source.c.definition_id == number)
        .order_by(source.c.position)
    ).all()
    if not rows:
        return 1, "", 0, 0
    return *_piece(connection, number, rows[max(0, min(position, len(rows) - 1))]), len(rows)


def _piece(connection: Connection, number: int, chosen: AnyRow) -> tuple[int, str, int]:
    data = connection.scalar(
        select(source.c.text).where(
            source.c.definition_id == number, source.c.position == chosen.position
        )
    )
    return chosen.first_line, plain(unpack_text(data or b""), 400_000), chosen.position


def load_versions(connection: Connection, ref: str) -> Sequence[AnyRow]:
    """Give the versions of an API, the newest first."""
    columns = [column for column in version.c if column.name != "changes"]
    return connection.execute(
        select(*columns).where(version.c.ref == ref).order_by(version.c.id.desc())
    ).all()


def load_version(connection: Connection, ref: str, number: int) -> AnyRow | None:
    """Give one version of an API with its changes."""
    return connection.execute(
        select(version).where(version.c.ref == ref, version.c.id == number)
    ).one_or_none()


# The index of all APIs


@dataclass(frozen=True, slots=True)
class Filter:
    """What the index shows. `after` is title and reference of the last one of the page before.

    `seen` says which APIs the reader may see.
    """

    asked: str = ""
    type: str = ""
    owner: str = ""
    faulty: bool = False
    after: tuple[str, str] | None = None
    seen: ColumnElement[bool] = field(default_factory=true)


def load_index(connection: Connection, chosen: Filter, limit: int) -> Sequence[AnyRow]:
    """Give a page of APIs by title, and one more where there are more."""
    query = (
        select(
            api,
            definition.c.format, definition.c.dialect, definition.c.version,
            definition.c.operations, definition.c.schemas, definition.c.deprecated,
            definition.c.faults, definition.c.title.label("named"),
        )
        .join(definition, isouter=True)
        .where(*_conditions(chosen))
    )  # fmt: skip
    if chosen.after is not None:
        title, ref = chosen.after
        query = query.where(or_(api.c.title > title, and_(api.c.title == title, api.c.ref > ref)))
    return connection.execute(query.order_by(api.c.title, api.c.ref).limit(limit + 1)).all()


def _conditions(chosen: Filter, *, without: str = "") -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [chosen.seen]
    for word in chosen.asked.lower().split()[:MOST_WORDS]:
        named = func.lower(api.c.title).contains(word, autoescape=True)
        found.append(or_(named, api.c.ref.contains(word, autoescape=True)))
    if chosen.type and without != "type":
        found.append(api.c.type == chosen.type)
    if chosen.owner and without != "owner":
        found.append(api.c.owner == chosen.owner)
    if chosen.faulty:
        found.append(definition.c.faults > 0)
    return found


def load_facets(connection: Connection, chosen: Filter) -> dict[str, Sequence[AnyRow]]:
    """Give the types and owners of APIs with their numbers, as the other filters leave them."""
    found: dict[str, Sequence[AnyRow]] = {}
    for name in ("type", "owner"):
        column = api.c[name]
        number = func.count().label("number")
        # Definitions are joined where they are asked for: there are as many as APIs.
        rows_of = api.join(definition, isouter=True) if chosen.faulty else api
        query = (
            select(column.label("value"), number)
            .select_from(rows_of)
            .where(*_conditions(chosen, without=name))
            .group_by(column)
            .order_by(number.desc(), column)
            .limit(30)
        )
        found[name] = connection.execute(query).all()
    return found


def load_totals(connection: Connection, seen: ColumnElement[bool]) -> AnyRow:
    """Give how many APIs and operations are seen, and how many of both are at fault."""
    return connection.execute(
        select(
            func.count(api.c.ref).label("apis"),
            func.coalesce(func.sum(definition.c.operations), 0).label("operations"),
            func.coalesce(func.sum(definition.c.deprecated), 0).label("deprecated"),
            func.count(definition.c.id).filter(definition.c.faults > 0).label("faulty"),
            func.count(api.c.ref).filter(api.c.waiting).label("waiting"),
        )
        .select_from(api.join(definition, isouter=True))
        .where(seen)
    ).one()
