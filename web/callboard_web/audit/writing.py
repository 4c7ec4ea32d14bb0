"""Entries of the audit log as files: CSV for people, JSON Lines for programs."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from callboard.audit.delivery import Sent

TYPES: Final = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
COLUMNS: Final = (
    "position", "id", "at", "actor", "on_behalf_of", "action", "subject", "result", "before",
    "after", "address", "request_id", "hash",
)  # fmt: skip


def written(form: str, batches: Iterable[list[Sent]]) -> Iterator[bytes]:
    """Give a file of `TYPES`, a part for each batch."""
    return _csv(batches) if form == "csv" else _json_lines(batches)


def _json_lines(batches: Iterable[list[Sent]]) -> Iterator[bytes]:
    for batch in batches:
        yield b"".join(
            orjson.dumps({name: entry[name] for name in COLUMNS}, option=orjson.OPT_APPEND_NEWLINE)
            for entry in batch
        )


def _csv(batches: Iterable[list[Sent]]) -> Iterator[bytes]:
    from callboard_web.views.catalog_export import BYTE_ORDER_MARK

    yield (BYTE_ORDER_MARK + _lines([COLUMNS])).encode()
    for batch in batches:
        yield _lines([[_cell(entry[name]) for name in COLUMNS] for entry in batch]).encode()


def _lines(rows: Iterable[Iterable[str]]) -> str:
    from callboard_web.views.catalog_export import safe

    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(
        [[safe(cell) for cell in row] for row in rows]
    )
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()
