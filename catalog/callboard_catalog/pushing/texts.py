"""Keeps pushed documents that have faults as text, so that whoever mends them sees the lines."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

import orjson
from sqlalchemy import Connection, select

from callboard.redaction import redact
from callboard_catalog import models
from callboard_catalog.store.bulk import delete_where, insert_rows, rows_where

LONGEST_LINE: Final = 300
"""Characters of a line that are kept."""
LONGEST_TEXT: Final = 64 * 1024
"""Bytes of a document that are kept."""

FILE: Final = models.source_file
TEXT: Final = models.pushed_text


def text_of(value: Any) -> bytes:
    """Write a document as people read it: JSON, which is YAML too, a line for each key."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)


def bounded(text: bytes) -> bytes:
    """Give the beginning of a text by whole lines, each cut, with what looks like a secret hidden.

    Secrets are hidden first: half of one would not be known for what it is.
    """
    kept: list[bytes] = []
    room = LONGEST_TEXT
    for line in redact(text.decode()).splitlines():
        cut = line[:LONGEST_LINE].encode()
        room -= len(cut) + 1
        if room < 0:
            break
        kept.append(cut)
    return b"\n".join(kept)


def keep_texts(
    connection: Connection, source_id: int, texts: Mapping[str, bytes], changed: Iterable[str]
) -> None:
    """Make what is kept of the `changed` paths of a source what `texts` has of them, by path."""
    present = select(FILE.c.path, TEXT.c.file_id).join_from(TEXT, FILE)
    rows = connection.execute(present.where(FILE.c.source_id == source_id))
    before = {row.path: row.file_id for row in rows}
    delete_where(
        connection, TEXT, TEXT.c.file_id, [before[path] for path in changed if path in before]
    )
    columns = (FILE.c.id, FILE.c.path, FILE.c.source_id)
    found = rows_where(connection, columns, FILE.c.path, list(texts)) if texts else ()
    numbers = {row.path: row.id for row in found if row.source_id == source_id}
    rows_to_add = [(numbers[path], bounded(text)) for path, text in texts.items()]
    insert_rows(connection, TEXT, ("file_id", "content"), rows_to_add)


def kept_text(connection: Connection, source: str, path: str, blob: str) -> bytes | None:
    """Give what is kept of a document of a source; None where it had no fault."""
    statement = select(TEXT.c.content).join_from(TEXT, FILE).join(models.source)
    named = models.source.c.name == source, FILE.c.path == path, FILE.c.blob == blob
    found: bytes | None = connection.scalar(statement.where(*named))
    return found
