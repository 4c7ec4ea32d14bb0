"""Clients that send a request too slowly are answered and sent away."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from callboard_web.limits import BodyLimitMiddleware, TooSlowError
from callboard_web.slow_clients import PromptProtocol


class Impatient(PromptProtocol):
    head = 0.2
    taken = 0.3


CUT = threading.Event()


async def echo(request: Request) -> Response:
    return PlainTextResponse(await request.body())


async def endless(_request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(64 * 1024)
                await asyncio.sleep(0)
        finally:
            CUT.set()

    return StreamingResponse(pieces())


@pytest.fixture
def port() -> Iterator[int]:
    """Serve an application, and give its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = Starlette(routes=[Route("/", echo, methods=["GET", "POST"]), Route("/endless", endless)])
    server = uvicorn.Server(uvicorn.Config(app, http=Impatient, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(20)
    listener.close()


def said(connection: socket.socket) -> bytes:
    """Give all that is sent until the server ends the connection."""
    connection.settimeout(20)
    found = b""
    while data := connection.recv(4096):
        found += data
    return found


@pytest.mark.parametrize(
    ("sent", "answer"), [(b"", b""), (b"GET / HTTP/1.1\r\nHost: a\r\nX-A: b\r\n", b"HTTP/1.1 408 ")]
)
def test_a_head_that_does_not_come_ends_the_connection(
    port: int, sent: bytes, answer: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(sent)
        assert said(connection).startswith(answer)


def test_only_the_head_is_bounded_and_also_that_of_the_next_request(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nab")
        time.sleep(2 * Impatient.head)
        connection.sendall(b"cdGET / HT")
        found = said(connection)
    assert found.startswith(b"HTTP/1.1 200 OK")
    assert b"\r\n\r\nabcdHTTP/1.1 408 " in found


def test_a_body_that_does_not_come_in_time_is_refused() -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()

    limited = BodyLimitMiddleware(app, seconds=0.05)
    with pytest.raises(TooSlowError) as raised:
        asyncio.run(limited({"type": "http", "headers": []}, never, never))  # type: ignore[arg-type]
    assert raised.value.status == 408


def test_what_comes_after_the_body_is_waited_for() -> None:
    seen: list[str] = []

    async def given() -> Message:
        if not seen:
            return {"type": "http.request", "body": b"all", "more_body": False}
        await asyncio.sleep(0.2)
        return {"type": "http.disconnect"}

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((await receive())["type"])
        seen.append((await receive())["type"])

    limited = BodyLimitMiddleware(app, seconds=0.05)
    asyncio.run(limited({"type": "http", "headers": []}, given, given))  # type: ignore[arg-type]
    assert seen == ["http.request", "http.disconnect"]


def test_who_takes_nothing_of_an_answer_is_cut_off(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
        connection.settimeout(20)
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
        # While some of it is taken now and then, it goes on.
        for _ in range(5):
            time.sleep(0.1)
            assert connection.recv(1024 * 1024)
        assert not CUT.is_set()
        assert CUT.wait(20)
