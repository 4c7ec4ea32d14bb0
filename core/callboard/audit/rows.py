"""Entries as they are stored, read without believing that they are well formed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import rfc8785
from sqlalchemy import RowMapping, String, type_coerce

from callboard.audit.canonical import FIELDS, STRUCTURED, moment
from callboard.audit.models import audit_entry

RAW: Final = tuple(
    type_coerce(column, String).label(column.name) if column.name in ("at", *STRUCTURED) else column
    for column in audit_entry.c
)
"""The columns of an entry without the conversions that fail where somebody wrote nonsense."""


def fields_of(row: RowMapping | Mapping[str, Any]) -> dict[str, Any]:
    """Give the fields of a stored entry as they are sealed and sent; never raises.

    What cannot be read as what it should be is taken as the text that is there: an entry that was
    tampered with before its seal still gets one.
    """
    return {name: _value(name, row[name]) for name in FIELDS}


def _value(name: str, stored: Any) -> Any:
    if name == "at":
        return _moment(stored)
    if name in STRUCTURED:
        return _structured(stored)
    return stored if name == "id" else _text(stored)


def _moment(stored: Any) -> str:
    if isinstance(stored, datetime):
        return moment(stored)
    try:
        at = datetime.fromisoformat(stored)
    except (TypeError, ValueError):
        return _text(stored)
    return moment(at.replace(tzinfo=UTC) if at.tzinfo is None else at)


def _structured(stored: Any) -> Any:
    if stored is None:
        return None
    try:
        value = orjson.loads(stored)
        rfc8785.dumps(value)
    except (TypeError, ValueError, RecursionError):
        return _text(stored)
    return value


def _text(stored: Any) -> str:
    if isinstance(stored, bytes):
        return stored.decode("utf-8", "replace")
    return str(stored)
