"""Writes what search looks at: what plugins let it find, and all of it anew after an upgrade."""

import hashlib
import logging
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import orjson
from sqlalchemy import Connection, bindparam, func, select, text, update

from callboard.contributions import SearchDocument
from callboard.database import Database
from callboard.entities import MAXIMUM_REFERENCE_LENGTH
from callboard_catalog import models
from callboard_catalog.search import DOCUMENT_TEXT, ENTITY_TEXT, TextRow, words_of
from callboard_catalog.search.entities import text_row
from callboard_catalog.search.pinyin import pinyin_words
from callboard_catalog.store.bulk import (
    delete_where,
    grow_generation,
    insert_rows,
    lock_catalog,
    next_ids,
)
from callboard_catalog.store.fields import write_fields

log = logging.getLogger(__name__)

INDEX_VERSION: Final = 3
"""Grows when other words or fields are indexed for the same content, which is then indexed again.
"""

MAXIMUM_DOCUMENTS: Final = 200_000
LONGEST_KEY: Final = 2_000
"""In bytes. Keys have an index in the tables; on PostgreSQL it takes about 2,700."""

LONGEST_TEXT: Final = 20_000
"""Characters of a document that are kept for passages and indexed."""

WORDS_OF_TEXT: Final = 1_500
BATCH: Final = 500
COLUMNS: Final = ("id", "source", "key", "title", "path", "ref", "text", "hash")
_MARKER: Final = 0
"""The row of the index of documents that tells the version of that of entities; no document has
this id."""


# What plugins let search find


@dataclass(slots=True)
class _Known:
    """The rows of a search source, by key, and those that were given again."""

    rows: dict[str, tuple[int, str]]
    seen: set[str] = field(default_factory=set)


def index_search_source(
    database: Database, source: str, documents: Iterable[SearchDocument]
) -> None:
    """Make the rows of one search source equal to the documents it gives.

    They are taken and written in batches, so neither memory nor a transaction grows with their
    number. What the source no longer gives leaves when it has given all.
    """
    table = models.search_document
    with database.read() as connection:
        rows = connection.execute(
            select(table.c.key, table.c.id, table.c.hash).where(table.c.source == source)
        )
        known = _Known({row.key: (row.id, row.hash) for row in rows})
    taken = islice(_fitting(source, documents), MAXIMUM_DOCUMENTS)
    while batch := list(islice(taken, BATCH)):
        _write_changed(database, source, known, {_plain(item.key): item for item in batch})
    gone = [row for key, (row, _) in known.rows.items() if key not in known.seen]
    for start in range(0, len(gone), BATCH):
        with database.write() as connection:
            lock_catalog(connection)
            DOCUMENT_TEXT.delete(connection, gone[start : start + BATCH])
            delete_where(connection, table, table.c.id, gone[start : start + BATCH])


def forget_search_sources(database: Database, present: Collection[str]) -> None:
    """Take out the documents of search sources that are no longer there."""
    table = models.search_document
    with database.read() as connection:
        known = connection.scalars(select(table.c.source).distinct()).all()
    for source in known:
        if source not in present:
            index_search_source(database, source, ())


def _fitting(source: str, documents: Iterable[SearchDocument]) -> Iterator[SearchDocument]:
    for document in documents:
        if _is_too_long(document):
            log.warning("Search source %s: %.80r is left out: too long.", source, document.key)
            continue
        yield document


def _write_changed(
    database: Database, source: str, known: _Known, batch: dict[str, SearchDocument]
) -> None:
    known.seen.update(batch)
    hashes = {key: _hash(document) for key, document in batch.items()}
    stale = {key: row[0] for key in batch if (row := known.rows.get(key)) and row[1] != hashes[key]}
    added = [key for key in batch if key not in known.rows]
    if not (stale or added):
        return
    with database.write() as connection:
        lock_catalog(connection)
        ids = _write_rows(connection, source, batch, hashes, stale, added)
    known.rows.update((key, (row, hashes[key])) for key, row in ids.items())


def _write_rows(
    connection: Connection,
    source: str,
    batch: dict[str, SearchDocument],
    hashes: dict[str, str],
    stale: dict[str, int],
    added: list[str],
) -> dict[str, int]:
    table = models.search_document
    DOCUMENT_TEXT.delete(connection, stale.values())
    ids = dict(zip(added, next_ids(connection, table, len(added)), strict=True))
    rows = [(ids[key], source, key, *_values(batch[key]), hashes[key]) for key in added]
    insert_rows(connection, table, COLUMNS, rows)
    if stale:
        names = ("title", "path", "ref", "text")
        connection.execute(
            update(table).where(table.c.id == bindparam("row")),
            [
                {"row": row, "hash": hashes[key],
                 **dict(zip(names, _values(batch[key]), strict=True))}
                for key, row in stale.items()
            ],
        )  # fmt: skip
    ids.update(stale)
    DOCUMENT_TEXT.insert(connection, [_words(row, batch[key]) for key, row in ids.items()])
    return ids


def _is_too_long(document: SearchDocument) -> bool:
    return len(document.key.encode(errors="replace")) > LONGEST_KEY or (
        document.entity is not None and len(str(document.entity)) > MAXIMUM_REFERENCE_LENGTH
    )


def _plain(text: str) -> str:
    """Give a text that both databases can keep: no zero characters, no halves of characters."""
    return text.replace("\0", "").encode(errors="replace").decode()


def _values(document: SearchDocument) -> tuple[str, str, str, str]:
    entity = _plain(str(document.entity or ""))
    body = _plain(document.text[:LONGEST_TEXT])
    return _plain(document.title), _plain(document.path), entity, body


def _words(number: int, document: SearchDocument) -> TextRow:
    title = _plain(document.title)
    return TextRow(
        number,
        words_of(title),
        words_of(_plain(" ".join(document.tags))) + pinyin_words(title),
        words_of(_plain(document.text[:LONGEST_TEXT]), WORDS_OF_TEXT),
    )


def _hash(document: SearchDocument) -> str:
    written = f"{INDEX_VERSION} {document!r}".encode(errors="replace")
    return hashlib.sha1(written, usedforsecurity=False).hexdigest()


# Entities, after an upgrade


def mark_index(database: Database) -> None:
    """Note the version of an index that has nothing in it yet, as in a new database."""
    with database.read() as connection:
        if _is_current(connection) or connection.scalar(select(models.entity.c.id).limit(1)):
            return
    with database.write() as connection:
        lock_catalog(connection)
        if not connection.scalar(select(models.entity.c.id).limit(1)):
            _mark(connection)


def index_entities_again(database: Database) -> int:
    """Index all entities again if their words and fields are of another version.

    Gives how many there were. What is found meanwhile is found by those of before. Killed in
    between, it goes on where it was.
    """
    with database.read() as connection:
        if _is_current(connection):
            return 0
        last = connection.scalar(select(func.max(models.entity.c.id))) or 0
        count, after = 0, _reached(connection)
    while after < last:
        with database.write() as connection:
            lock_catalog(connection)
            rows = _index_batch(connection, after)
            if rows:
                _mark(connection, f"{_undone()}{rows[-1]}")
        if not rows:
            break
        count, after = count + len(rows), rows[-1]
    with database.write() as connection:
        lock_catalog(connection)
        _mark(connection)
        # What was worked out of the fields of before is of the past.
        grow_generation(connection)
    log.info("Indexed %d entities again.", count)
    return count


def _index_batch(connection: Connection, after: int) -> list[int]:
    table = models.entity
    statement = select(table.c.id, table.c.document).where(table.c.id > after)
    rows: list[Any] = list(connection.execute(statement.order_by(table.c.id).limit(BATCH)))
    ids = [row.id for row in rows]
    documents = [(row.id, orjson.loads(row.document)) for row in rows]
    ENTITY_TEXT.delete(connection, ids)
    ENTITY_TEXT.insert(connection, [text_row(number, document) for number, document in documents])
    delete_where(connection, models.entity_field, models.entity_field.c.entity_id, ids)
    write_fields(connection, documents)
    return ids


def _is_current(connection: Connection) -> bool:
    marked = _MARKED[connection.dialect.name]
    query = f"SELECT 1 FROM {DOCUMENT_TEXT.name} WHERE rowid = :row AND {marked}"
    return connection.execute(text(query), {"row": _MARKER, "word": _version()}).first() is not None


_MARKED: Final = {"sqlite": "facts = :word", "postgresql": "words @@ CAST(:word AS tsquery)"}


_READ: Final = {"sqlite": "facts", "postgresql": "CAST(words AS text)"}


def _reached(connection: Connection) -> int:
    """Give the row up to which an earlier attempt came."""
    column = _READ[connection.dialect.name]
    query = f"SELECT {column} FROM {DOCUMENT_TEXT.name} WHERE rowid = :row"
    marker = connection.execute(text(query), {"row": _MARKER}).scalar()
    found = re.search(rf"{_undone()}(\d+)", marker or "")
    return int(found[1]) if found else 0


def _mark(connection: Connection, word: str = "") -> None:
    DOCUMENT_TEXT.delete(connection, [_MARKER])
    DOCUMENT_TEXT.insert(connection, [TextRow(_MARKER, (), (word or _version(),), ())])


def _undone() -> str:
    return f"indexing{INDEX_VERSION}upto"


def _version() -> str:
    return f"indexversion{INDEX_VERSION}"
