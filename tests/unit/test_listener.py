"""The port that `serve` listens on."""

import asyncio
import socket

import pytest

from callboard.errors import SettingsError
from callboard_web.commands.serve import _bind


def test_answers_are_sent_at_once() -> None:
    """Without TCP_NODELAY each answer on a connection that is kept open waits for 40 ms."""

    async def accepted() -> int:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            server_side = writer.get_extra_info("socket")
            found.set_result(server_side.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        listener = _bind("127.0.0.1", 0)
        async with await asyncio.start_server(connected, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            option = await asyncio.wait_for(found, 10)
            writer.close()
            await writer.wait_closed()
            return option

    assert asyncio.run(accepted()) != 0


def test_a_port_in_use_is_told() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(SettingsError, match="Address already in use"),
    ):
        _bind("127.0.0.1", taken.getsockname()[1])
