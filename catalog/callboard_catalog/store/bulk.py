"""Fast writing of many rows: COPY on PostgreSQL, one prepared statement on SQLite."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import orjson
from sqlalchemy import (
    ARRAY,
    BigInteger,
    Connection,
    Integer,
    Table,
    Text,
    any_,
    delete,
    func,
    literal,
    select,
    text,
)
from sqlalchemy.sql.elements import ColumnElement

T = TypeVar("T")
CHUNK = 900
"""Values in one `IN (…)`, well below the limits of both databases."""


def chunks(values: Collection[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Give the values in lists of at most `size`."""
    listed = list(values)
    for start in range(0, len(listed), size):
        yield listed[start : start + size]


def one_of(
    connection: Connection, column: ColumnElement[Any], values: Iterable[int] | Iterable[str]
) -> ColumnElement[bool]:
    """Give the condition that a column has one of these values, however many, as one parameter."""
    listed: list[Any] = list(values)
    if connection.dialect.name == "sqlite":
        given = func.json_each(literal(orjson.dumps(listed).decode())).table_valued("value")
        return column.in_(select(given.c.value))
    kind = BigInteger() if isinstance(column.type, Integer) else Text()
    return column == any_(literal(listed, ARRAY(kind)))


def insert_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> None:
    """Insert rows given as tuples in the order of `columns`."""
    if not rows:
        return
    names = ", ".join(columns)
    converted = _convert(connection, table, columns, rows)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        statement = f"INSERT INTO {table.name} ({names}) VALUES ({marks})"
        connection.exec_driver_sql(statement, [tuple(row) for row in converted])
        return
    driver: Any = connection.connection.driver_connection
    with (
        driver.cursor() as cursor,
        cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy,
    ):
        for row in converted:
            copy.write_row(row)


def _convert(
    connection: Connection, table: Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]
) -> Sequence[Sequence[Any]]:
    processors = []
    for position, column in enumerate(columns):
        kind = table.c[column].type.dialect_impl(connection.dialect)
        processor = kind.bind_processor(connection.dialect)
        if processor is not None and type(kind).__name__ in {
            "Json",
            "TranslatedText",
            "UtcDateTime",
        }:
            processors.append((position, processor))
    if not processors:
        return rows
    converted = [list(row) for row in rows]
    for position, processor in processors:
        known: dict[Any, Any] = {}
        for row in converted:
            value = row[position]
            try:
                if value not in known:
                    known[value] = processor(value)
                row[position] = known[value]
            except TypeError:
                row[position] = processor(value)
    return converted


def next_ids(connection: Connection, table: Table, count: int) -> range:
    """Reserve ids for rows that are about to be inserted with `insert_rows`.

    The caller's transaction must hold the catalog's write lock, see `lock_catalog`.
    """
    last = connection.scalar(select(func.max(table.c.id))) or 0
    return range(last + 1, last + 1 + count)


def delete_where(
    connection: Connection, table: Table, column: ColumnElement[Any], values: Collection[Any]
) -> None:
    """Delete the rows whose column has one of the values."""
    if values:
        connection.execute(delete(table).where(one_of(connection, column, values)))


def lock_catalog(connection: Connection) -> None:
    """Let one transaction at a time write the catalog; SQLite has only one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT generation FROM catalog_state WHERE id = 1 FOR UPDATE"))


def grow_generation(connection: Connection) -> None:
    """Say that the catalog changed, so that nothing read before is taken for the present."""
    connection.execute(text("UPDATE catalog_state SET generation = generation + 1"))


def rows_where(
    connection: Connection,
    columns: Iterable[ColumnElement[Any]],
    column: ColumnElement[Any],
    values: Collection[Any],
) -> Iterator[Any]:
    """Give the chosen columns of the rows whose column has one of the values."""
    if values:
        yield from connection.execute(select(*columns).where(one_of(connection, column, values)))


def update_statistics(connection: Connection) -> None:
    """Tell the query planner how the catalog's tables have grown.

    PostgreSQL does so by itself only a minute later, and plans as if they were empty until then.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA analysis_limit=1000")
        connection.exec_driver_sql("ANALYZE")
        return
    for name in ("source_file", "entity", "relation", "entity_field", "entity_text"):
        connection.exec_driver_sql(f"ANALYZE {name}")
