"""Answers of the API server, and how they are sent: at once, piece by piece, or broken off."""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

import orjson

from callboard_sandbox.api.faults import Plan
from callboard_sandbox.api.requests import Asked

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

TEXT: Final = "text/plain; charset=utf-8"
_FLOW_SCHEMA: Final = uuid.UUID("6f2b1d1c-5b0a-4f57-9f2c-3f1f5a1d7c11")


class Answer:
    """What is sent: all at once, or piece by piece."""

    def __init__(
        self,
        status: int,
        content: bytes | AsyncGenerator[bytes],
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status: Final = status
        self.content: Final = content
        self.headers: Final = {"Cache-Control": "no-cache, private", **(headers or {})}
        if content_type:
            self.headers["Content-Type"] = content_type


def in_json(status: int, body: Any, headers: Mapping[str, str] | None = None) -> Answer:
    """Give an answer of a JSON body, with the line break that the API ends it with."""
    return Answer(status, orjson.dumps(body, option=orjson.OPT_APPEND_NEWLINE), headers=headers)


def add_headers(answer: Answer, asked: Asked | None) -> None:
    """Add what the API says with most answers: warnings, and the queue the request was in."""
    if asked is not None and asked.warnings:
        answer.headers["Warning"] = ", ".join(map(_warning, asked.warnings))
    # Logs and what is refused before it is queued have none (observed).
    if answer.status not in (204, 405) and not (asked and asked.path.endswith("/log")):
        flow = uuid.uuid5(_FLOW_SCHEMA, asked.user.name if asked else "")
        answer.headers["X-Kubernetes-Pf-Flowschema-Uid"] = str(flow)


def _warning(text: str) -> str:
    quoted = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'299 - "{quoted}"'


async def send_answer(answer: Answer, receive: Receive, send: Send) -> None:
    """Send an answer; a stream ends when the client goes."""
    await _begin(answer, send)
    if isinstance(answer.content, bytes):
        await send({"type": "http.response.body", "body": answer.content})
        return
    sending = asyncio.ensure_future(_stream(answer.content, send))
    leaving = asyncio.ensure_future(_left(receive))
    try:
        await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, leaving):
            task.cancel()
        results = await asyncio.gather(sending, leaving, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result


async def _begin(answer: Answer, send: Send) -> None:
    headers = dict(answer.headers)
    if isinstance(answer.content, bytes) and answer.status not in (204, 304):
        headers["Content-Length"] = str(len(answer.content))
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})


async def _stream(pieces: AsyncGenerator[bytes], send: Send) -> None:
    async for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def break_off(answer: Answer, plan: Plan, scope: Scope, send: Send) -> None:
    """Cut the connection, of a stream after some bytes of it."""
    left = plan.after
    if left > 0:
        await _begin(answer, send)
        content = answer.content
        async with contextlib.aclosing(
            once(content) if isinstance(content, bytes) else content
        ) as pieces:
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece[:left], "more_body": True})
                left -= len(piece)
                if left <= 0:
                    break
    scope["extensions"]["callboard.transport"]["transport"].abort()


async def once(content: bytes) -> AsyncGenerator[bytes]:
    """Give a stream of one piece."""
    yield content
