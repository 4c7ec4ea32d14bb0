"""Short questions to the database that are asked on the event loop itself, for each request.

What was worked out before may be given again only if nothing was committed since, at the time the
request came. So the database is asked each time, in the cheapest way there is: by statements that
are prepared, without a transaction around them, each of one state by itself. A database that hangs
holds up nobody: then there is no answer, and the caller goes the long way.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import orjson

from callboard.database.engine import Database

LOOK: Final = "look"
Row = Sequence[Any]
"""What a statement gives of one row: its `bytes` and numbers."""

Value = int | str | Sequence[int]
"""What a statement is given; a list is one parameter (see `glance_of`)."""


class Glance(Protocol):
    """Asks statements that read; used by one event loop between open and close."""

    async def open(self) -> None: ...

    async def look(self) -> tuple[int, ...] | None:
        """Give the numbers as they are committed now; None where that cannot be said quickly."""

    async def ask(self, name: str, *values: Value) -> Sequence[Row] | None:
        """Give the rows of a statement as they are committed now; None likewise."""

    async def close(self) -> None: ...


def glance_of(
    database: Database, statement: str, others: Mapping[str, str] | None = None
) -> Glance:
    """Give the way to ask a statement of one row of numbers, and others by name.

    They are written for this database, with parameters as its driver has them (`?`, `$1`). Columns
    are numbers or bytes. A list of numbers is JSON for SQLite, and an array for PostgreSQL.
    """
    if database.path is not None:
        return SqliteGlance(database, statement, others or {})
    return PostgresGlance(database, statement, others or {})


class SqliteGlance:
    """Asks whether any other connection has committed (`PRAGMA data_version`), and only then more.

    Both read memory that all processes share. It waits for no lock.
    """

    def __init__(self, database: Database, statement: str, others: Mapping[str, str]) -> None:
        self._path = str(database.path)
        self._statement = statement
        self._others = others
        self._connection: sqlite3.Connection | None = None
        self._version = -1
        self._numbers: tuple[int, ...] | None = None

    async def open(self) -> None:
        connection = sqlite3.connect(
            self._path, timeout=0, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA cache_size=-4096")
        self._connection = connection

    async def look(self) -> tuple[int, ...] | None:
        if self._connection is None:
            return None
        try:
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if version != self._version:
                # What is committed in between is newer, and makes the next version differ.
                self._numbers = self._connection.execute(self._statement).fetchone()
                self._version = version
        except sqlite3.Error:
            return None
        return self._numbers

    async def ask(self, name: str, *values: Value) -> Sequence[Row] | None:
        if self._connection is None:
            return None
        given = [
            value if isinstance(value, int | str) else orjson.dumps(value).decode()
            for value in values
        ]
        try:
            return self._connection.execute(self._others[name], given).fetchall()
        except (sqlite3.Error, UnicodeEncodeError):
            return None

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class PostgresGlance:
    """Asks by two connections of its own: what takes longer holds up no look.

    Who looks while a look is under way waits for the next one, which all of them share: it begins
    after each of them has come.
    """

    def __init__(self, database: Database, statement: str, others: Mapping[str, str]) -> None:
        from callboard.database.line import PostgresLine

        self._looks = PostgresLine(database, {LOOK: statement})
        self._reads = PostgresLine(database, others) if others else None

    async def open(self) -> None:
        await self._looks.open()
        if self._reads is not None:
            await self._reads.open()

    async def look(self) -> tuple[int, ...] | None:
        rows = await self._looks.ask(LOOK, shared=True)
        return tuple(int(value or 0) for value in rows[0]) if rows else None

    async def ask(self, name: str, *values: Value) -> Sequence[Row] | None:
        if self._reads is None:
            return None
        try:
            given = [_written(value) for value in values]
        except UnicodeEncodeError:
            return None
        return await self._reads.ask(name, given)

    async def close(self) -> None:
        await self._looks.close()
        if self._reads is not None:
            await self._reads.close()


def _written(value: Value) -> bytes:
    if isinstance(value, int | str):
        return str(value).encode()
    return b"{%b}" % ",".join(map(str, value)).encode()
