"""Entities as they are sent: the stored bytes, with relations and status put in, never parsed.

Only `fields` reads the documents. Nothing here asks once for each entity.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from typing import Any, Final

import orjson
from sqlalchemy import Connection, TextClause, select, text

from callboard.database import Database
from callboard.database.engine import BINARY
from callboard_catalog import models
from callboard_catalog.service import CatalogService
from callboard_catalog.sight import SEEN, Sight
from callboard_catalog.store.bulk import chunks, one_of
from callboard_catalog.store.finished import given, given_sql, items_sql

BATCH: Final = 250
"""Entities read at once of a stream."""

DENSE: Final = 50
"""So many rows and more are read as a range, where most that are in it are asked for."""

STEADY_SECONDS: Final = 20.0
"""How long a stream keeps its transaction open; see `EntityBytes.stream`."""

MOST_STEADY: Final = 4
"""Streams of one process that may keep one: the pool's connections are for pages."""

STATUS_TYPE: Final = "backstage.io/catalog-processing"
ABSENT: Final = b"null"


class EntityBytes:
    """Gives entities by the numbers of their rows, as the one who asks may see them."""

    def __init__(self, catalog: CatalogService) -> None:
        self.catalog = catalog

    def finished(self, rows: Sequence[int], fields: Sequence[str] = ()) -> list[bytes]:
        """Give the JSON of each entity, `null` for one that is not there or not seen.

        `fields` are dotted paths to keep, the rest is left out; see `only`.
        """
        with self.catalog.database.read() as connection:
            sight = self.catalog.sight()
            found = _read(connection, rows, sight, fields)
        return [b"".join(found[row]) if row in found else ABSENT for row in rows]

    def stream(self, rows: Sequence[int], fields: Sequence[str] = ()) -> "EntityStream":
        """Give the entities as one JSON list, in pieces; memory does not grow with their number.

        It takes over the connection that is held in this thread, at once, so that all of it is of
        the state in which `rows` were found. After `STEADY_SECONDS`, or where `MOST_STEADY` others
        are under way, that is let go for the sake of everyone else: each piece is then as it is by
        then, without what has left the catalog in the meantime. Pieces may be taken in any thread.
        """
        return EntityStream(self.catalog.database, rows, self.catalog.sight(), fields)


class EntityStream(Iterator[bytes]):
    """The pieces of a list; `close` lets go of what it reads with, as does its end."""

    _places: Final = threading.BoundedSemaphore(MOST_STEADY)

    def __init__(
        self, database: Database, rows: Sequence[int], sight: Sight | None, fields: Sequence[str]
    ) -> None:
        self._database = database
        self._batches = chunks(rows, BATCH)
        self._sight = sight
        self._fields = fields
        self._begin = b"["
        self._ended = False
        self._stack: ExitStack | None = None
        if self._places.acquire(blocking=False):
            try:
                self._connection, self._stack = database.hand_over()
            finally:
                if self._stack is None:
                    self._places.release()
            self._until = time.monotonic() + STEADY_SECONDS

    def __next__(self) -> bytes:
        """Give the next piece; raises what reading raises."""
        try:
            for batch in self._batches:
                found = self._read(batch)
                if found:
                    return b"".join(self._parts(batch, found))
        except BaseException:
            self.close()
            raise
        self.close()
        if self._ended:
            raise StopIteration
        self._ended = True
        return b"[]" if self._begin == b"[" else b"]"

    def _parts(self, batch: Sequence[int], found: Mapping[int, Sequence[bytes]]) -> list[bytes]:
        parts: list[bytes] = []
        for row in batch:
            if row in found:
                parts.append(self._begin)
                parts += found[row]
                self._begin = b","
        return parts

    def _read(self, batch: Sequence[int]) -> dict[int, Sequence[bytes]]:
        if self._stack is not None and time.monotonic() > self._until:
            self.close()
        if self._stack is not None:
            return _read(self._connection, batch, self._sight, self._fields)
        with self._database.read() as connection:
            return _read(connection, batch, self._sight, self._fields)

    def close(self) -> None:
        """Let go of the connection; what comes after reads with others."""
        stack, self._stack = self._stack, None
        if stack is not None:
            self._places.release()
            stack.close()

    def __del__(self) -> None:
        # A stream of which nothing was ever taken is not closed by generators around it.
        self.close()


# Reading


def _read(
    connection: Connection, rows: Sequence[int], sight: Sight | None, fields: Sequence[str]
) -> dict[int, Sequence[bytes]]:
    """Give the finished bytes of those rows that are there and seen, in parts.

    Whoever sends many joins the parts of all of them: what is copied once more costs more than
    the database.
    """
    wanted = list(rows) if sight is None else [row for row in rows if row in sight.rows]
    if not wanted:
        return {}
    found: dict[int, Sequence[bytes]] = {}
    faulty: dict[int, str] = {}
    for row, document, items, ref in connection.execute(*_asked(connection, wanted, sight)):
        found[row] = _parts(document, items)
        if ref:
            faulty[row] = ref
    if faulty:
        _add_status(connection, found, faulty)
    if fields:
        return {
            row: (orjson.dumps(only(orjson.loads(b"".join(parts)), fields)),)
            for row, parts in found.items()
        }
    return found


def _parts(document: bytes, items: bytes | None) -> Sequence[bytes]:
    # The document is an object with a kind: there is something before its last brace.
    return document[:-1], b',"relations":[', items or b"", b"]}"


def _asked(
    connection: Connection, rows: Sequence[int], sight: Sight | None
) -> tuple[TextClause, Mapping[str, Any]]:
    """Give the statement that reads document, relations and, where it has faults, reference."""
    dialect = connection.dialect.name
    first, last = min(rows), max(rows)
    if sight is None and len(rows) >= DENSE and last - first < 2 * len(rows):
        return _range(dialect), {"first": first, "last": last}
    values = {"rows": given(connection, rows)}
    if sight is None:
        return _whole(dialect), values
    condition = sight.condition(connection, SEEN)
    seen = (
        " AND EXISTS (SELECT 1 FROM entity AS seen_entity"
        f" WHERE seen_entity.id = relation.origin_id AND {condition.text})"
    )
    statement = _statement(_sql(items_sql(dialect, seen), "", given_sql(dialect)))
    return statement, {**values, **condition.compile().params}


@cache
def _whole(dialect: str) -> TextClause:
    return _statement(whole_sql(dialect, given_sql(dialect)))


@cache
def _range(dialect: str) -> TextClause:
    """Give the statement for rows one after the other: both tables are read along their keys."""
    return _statement(
        whole_sql(
            dialect,
            "entity.id BETWEEN :first AND :last",
            joined="AND finished_relations.entity_id BETWEEN :first AND :last",
        )
    )


def _statement(written: str) -> TextClause:
    return text(written).execution_options(**{BINARY: True})


def whole_sql(dialect: str, where: str, more: str = "", joined: str = "") -> str:
    """Give the statement for who sees everything: of relations that are finished, if they are.

    `where` says of which entities, in the words of SQL, and `joined`, which begins with `AND `, of
    which finished relations; `more` are columns before the others, each with a comma behind it:
    row, document, relations and, where it has faults, reference.
    """
    items = f"coalesce(finished_relations.items, {items_sql(dialect)})"
    join = "LEFT JOIN finished_relations ON finished_relations.entity_id = entity.id"
    return _sql(items, f"{join} {joined}", where, more)


def _sql(items: str, joined: str, where: str, more: str = "") -> str:
    # Where nothing at all has faults, that is asked once, and not for each entity.
    return (
        f"SELECT {more}entity.id, entity.document, {items}, CASE WHEN EXISTS (SELECT 1 FROM"
        " rejected WHERE ref > '') THEN (SELECT ref FROM rejected WHERE rejected.ref = entity.ref"
        f" LIMIT 1) END FROM entity {joined} WHERE {where}"
    )


def finish(document: bytes, items: bytes | None) -> bytes:
    """Give an entity as it is sent, but for its faults."""
    return b"".join(_parts(document, items))


def _add_status(
    connection: Connection, found: dict[int, Sequence[bytes]], faulty: Mapping[int, str]
) -> None:
    """Put the faults of entities into their bytes, in the order of their files."""
    rejected = models.rejected
    columns = (rejected.c.ref, rejected.c.severity, rejected.c.code, rejected.c.message)
    where = one_of(connection, rejected.c.ref, faulty.values())
    statement = select(*columns).where(where).order_by(rejected.c.position, rejected.c.id)
    items: dict[str, list[dict[str, Any]]] = {}
    for ref, severity, code, message in connection.execute(statement):
        said = str(message)
        error = {"name": "InputError", "message": said, "code": code}
        item = {"type": STATUS_TYPE, "level": severity, "message": f"InputError: {said}"}
        items.setdefault(ref, []).append({**item, "error": error})
    for row, ref in faulty.items():
        status = orjson.dumps({"items": items[ref]})
        found[row] = *found[row][:-1], b'],"status":', status, b"}"


# A part of an entity


def only(entity: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """Give an entity with nothing but what dotted paths name, in any order of the paths.

    Keys may have dots themselves: each step takes the shortest key that is there, as the
    Backstage catalog does. What is not there is left out.
    """
    kept: dict[str, Any] = {}
    for field in fields:
        path, value = _find(entity, field.split("."))
        if path:
            _put(kept, path, value)
    return kept


def _find(value: Any, parts: Sequence[str]) -> tuple[list[str], Any]:
    """Give the keys that lead to a field and what is there; no keys where nothing is."""
    path: list[str] = []
    key = ""
    for part in parts:
        key = f"{key}.{part}" if key else part
        if isinstance(value, Mapping) and key in value:
            path.append(key)
            value, key = value[key], ""
    return ([], None) if key else (path, value)


def _put(kept: dict[str, Any], path: Sequence[str], value: Any) -> None:
    for key in path[:-1]:
        kept = kept.setdefault(key, {})
    kept[path[-1]] = value
