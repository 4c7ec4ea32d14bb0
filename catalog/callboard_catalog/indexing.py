"""Writes what plugins let search find: only what differs."""

import hashlib
import logging
from collections.abc import Collection, Iterable

from sqlalchemy import bindparam, select, update

from callboard.contributions import SearchDocument
from callboard.database import Database
from callboard.entities import MAXIMUM_REFERENCE_LENGTH
from callboard_catalog import models
from callboard_catalog.search import DOCUMENT_TEXT, TextRow, words_of
from callboard_catalog.store.bulk import delete_where, insert_rows, lock_catalog, next_ids

log = logging.getLogger(__name__)
MAXIMUM_DOCUMENTS = 200_000
LONGEST_KEY = 2_000
"""In bytes. Keys have an index in the tables; on PostgreSQL it takes about 2,700."""
COLUMNS = ("id", "source", "key", "title", "path", "ref", "hash")


def index_search_source(
    database: Database, source: str, documents: Iterable[SearchDocument]
) -> None:
    """Make the rows of one search source equal to the documents it gives."""
    table = models.search_document
    wanted: dict[str, SearchDocument] = {}
    for document in documents:
        if _is_too_long(document):
            log.warning("Search source %s: %.80r is left out: too long.", source, document.key)
            continue
        wanted[_plain(document.key)] = document
        if len(wanted) >= MAXIMUM_DOCUMENTS:
            break
    hashes = {key: _hash(document) for key, document in wanted.items()}
    with database.read() as connection:
        rows = connection.execute(
            select(table.c.key, table.c.id, table.c.hash).where(table.c.source == source)
        ).all()
    known = {row.key: row for row in rows}
    gone = [row.id for row in rows if row.key not in wanted]
    changed = [row.key for row in rows if row.key in wanted and hashes[row.key] != row.hash]
    added = [key for key in wanted if key not in known]
    if not (gone or changed or added):
        return
    with database.write() as connection:
        lock_catalog(connection)
        stale = [known[key].id for key in changed]
        DOCUMENT_TEXT.delete(connection, gone + stale)
        delete_where(connection, table, table.c.id, gone)
        ids = dict(zip(added, next_ids(connection, table, len(added)), strict=True))
        insert_rows(
            connection,
            table,
            COLUMNS,
            [(ids[key], source, key, *_values(wanted[key]), hashes[key]) for key in added],
        )
        if changed:
            names = ("title", "path", "ref")
            connection.execute(
                update(table).where(table.c.id == bindparam("row")),
                [
                    {
                        "row": known[key].id,
                        "hash": hashes[key],
                        **dict(zip(names, _values(wanted[key]), strict=True)),
                    }
                    for key in changed
                ],
            )
        ids.update((key, known[key].id) for key in changed)
        DOCUMENT_TEXT.insert(connection, [_words(ids[key], wanted[key]) for key in ids])


def forget_search_sources(database: Database, present: Collection[str]) -> None:
    """Take out the documents of search sources that are no longer there."""
    table = models.search_document
    with database.read() as connection:
        known = connection.scalars(select(table.c.source).distinct()).all()
    for source in known:
        if source not in present:
            index_search_source(database, source, ())


def _is_too_long(document: SearchDocument) -> bool:
    return len(document.key.encode(errors="replace")) > LONGEST_KEY or (
        document.entity is not None and len(str(document.entity)) > MAXIMUM_REFERENCE_LENGTH
    )


def _plain(text: str) -> str:
    """Give a text that both databases can keep: no zero characters, no halves of characters."""
    return text.replace("\0", "").encode(errors="replace").decode()


def _values(document: SearchDocument) -> tuple[str, str, str]:
    entity = _plain(str(document.entity or ""))
    return _plain(document.title), _plain(document.path), entity


def _words(number: int, document: SearchDocument) -> TextRow:
    return TextRow(
        number,
        words_of(_plain(document.title)),
        words_of(_plain(" ".join(document.tags))),
        words_of(_plain(document.text[:20_000])),
    )


def _hash(document: SearchDocument) -> str:
    written = repr(document).encode(errors="replace")
    return hashlib.sha1(written, usedforsecurity=False).hexdigest()
