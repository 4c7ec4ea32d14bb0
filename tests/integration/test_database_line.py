"""The connection on which an event loop asks PostgreSQL: what is left where the server went."""

import asyncio
import socket
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import uvloop

from callboard.database import Database
from callboard.database.line import PostgresLine

MANY = 40
ASKED = {"who": "select pg_backend_pid()"}


class Between:
    """Passes on what is said between a client and the server, until it is cut."""

    def __init__(self, server: str) -> None:
        self._server = server
        self._writers: list[asyncio.StreamWriter] = []

    async def passes(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        beyond = await asyncio.open_unix_connection(self._server)
        self._writers += [writer, beyond[1]]
        async with asyncio.TaskGroup() as group:
            group.create_task(self._copy(reader, beyond[1]))
            group.create_task(self._copy(beyond[0], writer))

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        writer.close()

    def cut(self) -> None:
        for writer in self._writers:
            writer.close()


@pytest.mark.postgres
@pytest.mark.parametrize("new_loop", [asyncio.SelectorEventLoop, uvloop.new_event_loop])
def test_a_server_that_went_away_leaves_nothing_behind(
    postgres_database: Database, new_loop: Callable[[], Any]
) -> None:
    """The driver closes its socket by itself; the number is soon that of another one, which would
    not be heard where the loop still held the old one."""
    url = postgres_database.url
    named = f".s.PGSQL.{url.port or 5432}"

    async def try_it(folder: Path) -> None:
        between = Between(str(Path(str(url.query["host"])) / named))
        door = await asyncio.start_unix_server(between.passes, folder / named)
        through = Database(
            url.update_query_dict({"host": str(folder)}).render_as_string(hide_password=False)
        )
        line = PostgresLine(through, ASKED)
        await line.open()
        assert await line.ask("who") is not None
        between.cut()
        async with asyncio.timeout(10):
            while await line.ask("who") is not None:
                pass
        door.close()
        try:
            await heard_by_all()
        finally:
            await line.close()
            through.close()

    with (
        tempfile.TemporaryDirectory(prefix="callboard-", dir="/tmp") as folder,
        asyncio.Runner(loop_factory=new_loop) as runner,
    ):
        runner.run(try_it(Path(folder)))


async def heard_by_all() -> None:
    """Open many sockets, that of the number that became free among them, and hear each."""
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        for _ in range(MANY):
            one, other = (stack.enter_context(end) for end in socket.socketpair())
            for speaker, listener in ((one, other), (other, one)):
                heard = asyncio.Event()
                loop.add_reader(listener, heard.set)
                stack.callback(loop.remove_reader, listener)
                speaker.send(b"x")
                async with asyncio.timeout(5):
                    await heard.wait()
