"""A connection to PostgreSQL on which an event loop asks prepared statements, one by one."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg
from psycopg.pq import ExecStatus, Format

from callboard.database.engine import Database

log = logging.getLogger(__name__)

LONGEST: Final = 1.0
"""Seconds to wait for PostgreSQL before the caller goes another way."""

PAUSE: Final = 2.0
"""Seconds until a connection that could not be made is tried again."""

_NUMBERS: Final = frozenset({20, 21, 23})
"""The types of numbers, by the server's number of them; they come with their highest byte first."""

Rows = list[tuple[Any, ...]]


@dataclass(slots=True, eq=False)
class _Question:
    """A statement with its parameters, and all who wait for its answer."""

    name: str
    values: Sequence[bytes]
    waiters: list["asyncio.Future[Rows | None]"] = field(default_factory=list)


class PostgresLine:
    """Asks statements by their names. The session refuses to write, and has no transactions."""

    def __init__(self, database: Database, statements: Mapping[str, str]) -> None:
        self._statements = {
            name: (f"callboard_{name}".encode(), text.encode()) for name, text in statements.items()
        }
        _, options = database.engine.dialect.create_connect_args(database.url)
        self._options: dict[str, Any] = {"connect_timeout": 5, **options}
        self._connection: psycopg.Connection[Any] | None = None
        self._ear = -1
        """A second number of the connection's socket: the driver closes the first by itself where
        the server goes away, and the loop would go on holding what is soon another socket's."""
        self._connecting: asyncio.Task[None] | None = None
        self._asked: _Question | None = None
        self._waiting: deque[_Question] = deque()
        self._found: Rows | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def open(self) -> None:
        """Connect; a server that is away is tried again, until then nothing is answered."""
        await self._connect()

    async def _connect(self, pause: float = 0.0) -> None:
        await asyncio.sleep(pause)
        try:
            connection = await asyncio.to_thread(self._connected)
        except psycopg.Error as error:
            log.warning("Changes cannot be watched for the moment: %s", error)
            self._connecting = asyncio.create_task(self._connect(PAUSE))
            return
        self._connection, self._connecting = connection, None
        self._ear = os.dup(connection.pgconn.socket)
        asyncio.get_running_loop().add_reader(self._ear, self._readable)

    def _connected(self) -> "psycopg.Connection[Any]":
        connection = psycopg.Connection[Any].connect(**self._options, autocommit=True)
        connection.execute("SET default_transaction_read_only = on")
        for name, text in self._statements.values():
            result = connection.pgconn.prepare(name, text)
            if result.status != ExecStatus.COMMAND_OK:
                connection.close()
                raise psycopg.ProgrammingError(result.error_message.decode(errors="replace"))
        return connection

    async def ask(
        self, name: str, values: Sequence[bytes] = (), *, shared: bool = False
    ) -> Rows | None:
        """Give the rows, numbers as such and all else as bytes; None where that takes too long.

        A `shared` question is put once for all who ask it while another one is under way: it
        begins after each of them has come.
        """
        connection = self._connection
        if connection is None:
            return None
        waiter: asyncio.Future[Rows | None] = asyncio.get_running_loop().create_future()
        if shared and self._waiting and self._waiting[-1].name == name:
            self._waiting[-1].waiters.append(waiter)
        else:
            self._waiting.append(_Question(name, values, [waiter]))
        if self._asked is None:
            self._send(connection)
        return await waiter

    def _send(self, connection: "psycopg.Connection[Any]") -> None:
        asked = self._asked = self._waiting.popleft()
        self._found = None
        self._timer = asyncio.get_running_loop().call_later(LONGEST, self._fail, "it took too long")
        try:
            connection.pgconn.send_query_prepared(
                self._statements[asked.name][0], asked.values, result_format=Format.BINARY
            )
            connection.pgconn.flush()
        except psycopg.Error as error:
            self._fail(str(error))

    def _readable(self) -> None:
        connection = self._connection
        if connection is None:
            return
        try:
            connection.pgconn.consume_input()
            while not connection.pgconn.is_busy():
                result = connection.pgconn.get_result()
                if result is None:
                    self._settle(connection)
                    return
                if result.status != ExecStatus.TUPLES_OK:
                    self._fail(result.error_message.decode(errors="replace"))
                    return
                self._found = _rows(result)
        except psycopg.Error as error:
            self._fail(str(error))

    def _settle(self, connection: "psycopg.Connection[Any]") -> None:
        asked, self._asked = self._asked, None
        if asked is None:
            return  # a message of the server that answers nothing
        self._tell(asked, self._found)
        if self._waiting:
            self._send(connection)

    def _tell(self, asked: _Question, found: Rows | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for waiter in asked.waiters:
            if not waiter.done():
                waiter.set_result(found)

    def _fail(self, why: str) -> None:
        """Let all who wait go another way, and connect anew."""
        log.warning("Changes cannot be watched for the moment: %s", why)
        self._drop()
        self._let_go()
        self._connecting = asyncio.get_running_loop().create_task(self._connect(PAUSE))

    def _let_go(self) -> None:
        questions = [*([self._asked] if self._asked else []), *self._waiting]
        self._asked = None
        self._waiting.clear()
        for asked in questions:
            self._tell(asked, None)

    def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            asyncio.get_running_loop().remove_reader(self._ear)
            os.close(self._ear)
            # The end is told by closing the socket: it waits for nobody.
            connection.close()

    async def close(self) -> None:
        """End it; who waits goes another way."""
        if self._connecting is not None:
            self._connecting.cancel()
            with suppress(asyncio.CancelledError):
                await self._connecting
        self._drop()
        self._let_go()


def _rows(result: Any) -> Rows:
    get, rows = result.get_value, range(result.ntuples)
    columns = []
    for at in range(result.nfields):
        column = [get(row, at) for row in rows]
        if result.ftype(at) in _NUMBERS:
            column = [None if item is None else _number(item) for item in column]
        columns.append(column)
    return list(zip(*columns, strict=True))


def _number(item: bytes) -> int:
    return int.from_bytes(item, signed=True)
