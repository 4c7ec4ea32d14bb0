"""Reads columns of many rows at once: as one row of JSON, several times faster than row by row."""

from collections.abc import Iterable
from typing import Any, Final

import orjson
from pyroaring import BitMap
from sqlalchemy import Connection, Select, Text, and_, cast, func, select
from sqlalchemy.sql.elements import ColumnElement

from callboard_catalog.store.fields import LONGEST

HIGHEST: Final = 0x10FFFF
SURROGATES: Final = range(0xD800, 0xE000)


def columns_of(connection: Connection, statement: Select[Any]) -> list[list[Any]]:
    """Give each column of what a statement finds; an order needs a limit to hold."""
    table = statement.subquery("found")
    if connection.dialect.name == "sqlite":
        whole = select(*(func.json_group_array(column) for column in table.c))
    else:
        whole = select(*(cast(func.json_agg(column), Text) for column in table.c))
    return [orjson.loads(written or b"[]") for written in connection.execute(whole).one()]


def numbers_of(connection: Connection, statement: Select[Any]) -> BitMap:
    """Give what a statement of one column of row numbers finds."""
    return BitMap(columns_of(connection, statement)[0])


def arrays_of(connection: Connection, *columns: ColumnElement[Any]) -> list[ColumnElement[Any]]:
    """Give the aggregates that put columns of a group into JSON."""
    if connection.dialect.name == "sqlite":
        return [func.json_group_array(column) for column in columns]
    return [cast(func.json_agg(column), Text) for column in columns]


def storable(values: Iterable[str], longest: int = LONGEST) -> list[str]:
    """Give those of these texts that can stand in a row; PostgreSQL takes no zero characters."""
    return [value for value in values if len(value) <= longest and _is_text(value)]


def _is_text(value: str) -> bool:
    return "\0" not in value and value.encode(errors="replace").decode() == value


def begins(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """Say that a column begins with a text, so that an index in the order of code points helps."""
    if not text:
        return column.is_not(None)
    end = text.rstrip(chr(HIGHEST))
    if not end:
        return column >= text
    code = ord(end[-1]) + 1
    following = SURROGATES.stop if code in SURROGATES else code
    return and_(column >= text, column < end[:-1] + chr(following))
