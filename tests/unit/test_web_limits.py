"""What is sent is bounded, whatever it says of its own length."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from callboard_web.csrf import TooLargeError
from callboard_web.limits import LIMIT, BodyLimitMiddleware


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await PlainTextResponse(str(len(body)))(scope, receive, send)


@pytest.fixture
def bounded() -> ASGIApp:
    return BodyLimitMiddleware(_echo, limit=1000)


def test_what_fits_is_read(bounded: ASGIApp) -> None:
    assert TestClient(bounded).post("/", content=b"x" * 1000).text == "1000"


def test_a_stated_length_is_refused_at_once(bounded: ASGIApp) -> None:
    with pytest.raises(TooLargeError):
        TestClient(bounded).post("/", content=b"x" * 1001)


def test_a_body_that_never_ends_is_refused(bounded: ASGIApp) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(10_000):
            yield b"x" * 100

    with pytest.raises(TooLargeError):
        TestClient(bounded).post("/", content=endless())


def test_a_length_that_is_no_number_does_not_help(bounded: ASGIApp) -> None:
    scope = {"type": "http", "method": "POST", "path": "/", "headers": [(b"content-length", b"-5")]}
    chunks = iter([{"type": "http.request", "body": b"x" * 600, "more_body": True}] * 3)

    async def receive() -> dict[str, object]:
        return next(chunks)

    async def send(message: object) -> None:
        raise AssertionError(message)

    with pytest.raises(TooLargeError):
        asyncio.run(bounded(scope, receive, send))  # type: ignore[arg-type]


def test_the_portal_answers_in_words(client: TestClient) -> None:
    answer = client.post("/api/catalog/sources", content=b"x" * (LIMIT + 1))
    assert answer.status_code == 413
    assert answer.json()["error"]["name"] == "ContentTooLargeError"
