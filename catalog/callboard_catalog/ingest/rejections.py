"""Writes what is wrong with the documents of files, and tells what is new and what is mended."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection

from callboard.events.log import Fact
from callboard_catalog import models
from callboard_catalog.ingest.parse import ParsedFile, Rejection
from callboard_catalog.store.bulk import delete_where, insert_rows, next_ids, rows_where

REJECTED: Final = models.rejected
COLUMNS: Final = (
    "id", "source_id", "file_id", "position", "line", "severity", "code", "message", "ref",
    "owner", "since",
)  # fmt: skip
ERROR: Final = "error"

Document = tuple[int, str | int]
"""A document: the number of its file with its reference, or its position where it has none."""


def write_rejections(
    connection: Connection,
    source_id: int,
    source_name: str,
    files: Mapping[int, ParsedFile],
    now: datetime,
) -> list[Fact]:
    """Make the faults of these files those that were found, each with the time it was first seen.

    The events tell of documents: which are rejected for a reason they were not before, and which
    are not rejected any more.
    """
    names = ("file_id", "position", "ref", "code", "since", "severity", "line")
    columns = [REJECTED.c[name] for name in names]
    known = list(rows_where(connection, columns, REJECTED.c.file_id, list(files)))
    since = {(*_document(row.file_id, row), row.code): row.since for row in known}
    if known:
        delete_where(connection, REJECTED, REJECTED.c.file_id, list(files))
    wanted = [(number, item) for number, file in files.items() for item in file.rejections]
    numbers = next_ids(connection, REJECTED, len(wanted))
    rows = [
        (
            number,
            source_id,
            file_id,
            item.position,
            item.line,
            item.severity,
            item.code,
            item.message,
            item.ref,
            item.owner,
            since.get((*_document(file_id, item), item.code), now),
        )
        for number, (file_id, item) in zip(numbers, wanted, strict=True)
    ]
    insert_rows(connection, REJECTED, COLUMNS, rows)
    return [
        *_rejected(source_name, files, wanted, since),
        *_mended(source_name, files, known),
    ]


def _document(file_id: int, item: Any) -> Document:
    """Tell documents apart: one that has a name moves with it within its file."""
    return (file_id, item.ref or item.position)


def _rejected(
    source: str,
    files: Mapping[int, ParsedFile],
    wanted: list[tuple[int, Rejection]],
    since: Mapping[tuple[Any, ...], datetime],
) -> list[Fact]:
    new: defaultdict[tuple[int, int], list[Rejection]] = defaultdict(list)
    for file_id, item in wanted:
        if item.severity == ERROR and (*_document(file_id, item), item.code) not in since:
            new[(file_id, item.position)].append(item)
    return [
        Fact(
            "catalog.document.rejected",
            source,
            {
                "codes": [item.code for item in items],
                "path": files[file_id].path,
                "line": items[0].line,
                "ref": items[0].ref,
            },
        )
        for (file_id, _position), items in new.items()
    ]


def _mended(source: str, files: Mapping[int, ParsedFile], known: list[Any]) -> list[Fact]:
    bad = {
        _document(number, item)
        for number, file in files.items()
        for item in file.rejections
        if item.severity == ERROR
    }
    mended = {
        _document(row.file_id, row): row
        for row in known
        # Of a file that cannot be read nobody knows what is mended in it.
        if row.severity == ERROR and not files[row.file_id].unreadable
    }
    return [
        Fact(
            "catalog.document.mended",
            source,
            {"path": files[row.file_id].path, "line": row.line, "ref": row.ref},
        )
        for document, row in mended.items()
        if document not in bad
    ]
