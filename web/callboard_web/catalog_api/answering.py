"""How an endpoint's answer becomes a response, in the thread that works it out."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from callboard.access import EntityFilter
from callboard.access.service import READ
from callboard_catalog.rest.service import EntityQueries
from callboard_web.catalog_api.kept import (
    PIECE,
    Kept,
    KeptAnswer,
    Question,
    etag,
    known_form,
    tag_head,
)
from callboard_web.catalog_api.model import Answer, ApiRequest, Endpoint
from callboard_web.compression import accepted
from callboard_web.portal import portal_of

SLOWEST: Final = 30.0
"""Seconds a client may take for one piece of a stream, before the connection is closed."""

OK: Final = 200
NOT_MODIFIED: Final = 304


class PiecesResponse(Response):
    """Bytes that are there already, in pieces that are not joined for it."""

    def __init__(
        self, status: int, headers: list[tuple[bytes, bytes]], pieces: Sequence[bytes]
    ) -> None:
        self.status_code = status
        self.raw_headers = headers
        self.background = None
        self.body = b""
        self._pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; who takes it slowly holds up nobody else."""
        head = {"type": "http.response.start", "status": self.status_code}
        await send({**head, "headers": list(self.raw_headers)})
        await send_pieces(send, self._pieces)


class StreamedResponse(StreamingResponse):
    """Pieces that are worked out one after the other, each when the one before was taken."""

    def __init__(
        self, pieces: Iterable[bytes], status: int = OK, headers: dict[str, str] | None = None
    ) -> None:
        self._taken = _taken(iter(pieces))
        super().__init__(self._taken, status, headers)

    async def stream_response(self, send: Send) -> None:
        """Send them; raises `TimeoutError` where the client does not take them."""
        head = {"type": "http.response.start", "status": self.status_code}
        await send({**head, "headers": self.raw_headers})
        try:
            async for piece in self._taken:
                async with asyncio.timeout(SLOWEST):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            # Now, and not when memory is tidied up: it holds a connection to the database.
            await self._taken.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _taken(pieces: Iterator[bytes]) -> AsyncGenerator[bytes]:
    """Take pieces in a thread; what they hold is let go of, however it ends."""
    try:
        while piece := await run_in_threadpool(next, pieces, b""):
            yield piece
    finally:
        close = getattr(pieces, "close", None)
        if close is not None:
            close()


async def send_pieces(send: Send, pieces: Sequence[bytes]) -> None:
    """Send the body of a response."""
    for piece in pieces[:-1]:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    last = pieces[-1] if pieces else b""
    await send({"type": "http.response.body", "body": last, "more_body": False})


def respond(
    request: Request, endpoint: Endpoint, body: bytes, read: Callable[[], ApiRequest]
) -> Response:
    """Answer a request; `read` checks what is asked. A kept answer is not made again."""
    with portal_of(request).runtime.database.hold():
        if endpoint.kept:
            return _Asked(request, endpoint, body, read).answer()
        return response_of(endpoint.view(read()))


def response_of(answer: Answer) -> Response:
    """Give an answer as it is."""
    headers = dict(_headers(answer))
    if isinstance(answer.body, bytes):
        return Response(answer.body, answer.status, headers)
    return StreamedResponse(answer.body, answer.status, headers)


def pieces_of(body: bytes) -> tuple[bytes, ...]:
    """Give a body in pieces, at least one."""
    return tuple(body[at : at + PIECE] for at in range(0, max(len(body), 1), PIECE))


def is_short(endpoint: Endpoint) -> bool:
    """Say whether an endpoint asks for nothing but that one may see some entity."""
    return endpoint.permission == READ and endpoint.on == "entity"


def raw_headers(answer: Answer) -> list[tuple[bytes, bytes]]:
    """Give the headers of an answer as a server sends them."""
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in _headers(answer)]


def _headers(answer: Answer) -> list[tuple[str, str]]:
    kind = [("content-type", answer.media_type)] if answer.media_type else []
    return [*kind, *answer.headers]


class _Asked:
    """A request to an endpoint whose answers are kept."""

    def __init__(
        self, request: Request, endpoint: Endpoint, body: bytes, read: Callable[[], ApiRequest]
    ) -> None:
        self._request = request
        self._endpoint = endpoint
        self._read = read
        self._kept: Kept = request.app.state.kept
        self._catalog = portal_of(request).runtime.catalog
        # What a body is read as depends on its type.
        sort = request.headers.get("content-type", "") if endpoint.body is not None else ""
        self._question = Question(
            endpoint.method,
            request.scope["path"],
            request.scope["query_string"],
            sort.encode("latin-1") + b"\n" + body if sort or body else b"",
        )
        self._coding = accepted(request.headers.get("accept-encoding", ""))

    def answer(self) -> Response:
        """Give the kept answer, or make one, unless the client says that it has it."""
        with self._catalog.database.read() as connection:
            generation = self._catalog.generation()
            sees = self._catalog.readable(portal_of(self._request).subject(self._request))
            found = self._kept.find(generation, sees, self._question)
            if found is not None:
                tag = found.tag
            else:
                tag = self._kept.tag(connection, generation, sees, self._question)
        known = known_form(tag, self._request.headers.get("if-none-match", ""))
        if self._endpoint.method == "GET" and known is not None:
            return PiecesResponse(NOT_MODIFIED, tag_head(tag, known), ())
        if found is not None:
            return self._give(generation, sees, found)
        return self._make(generation, sees, tag)

    def _make(self, generation: int, sees: EntityFilter, tag: str) -> Response:
        answer = self._endpoint.view(self._read())
        if answer.status != OK:
            return response_of(answer)
        if self._kept.memory is None or self._kept.memory.generation != generation:
            self._kept.memory = EntityQueries(self._catalog).in_memory()
        made = KeptAnswer(
            tag=tag,
            headers=raw_headers(answer),
            forms={},
            route=self._request.scope.get("route"),
            is_short=is_short(self._endpoint),
        )
        if not isinstance(answer.body, bytes):
            return self._stream(generation, sees, made, iter(answer.body))
        body = answer.body
        made.forms[""] = pieces_of(body)
        self._kept.keep(generation, sees, self._question, made)
        return self._give(generation, sees, made)

    def _stream(
        self, generation: int, sees: EntityFilter, made: KeptAnswer, pieces: Iterator[bytes]
    ) -> Response:
        noted = self._kept.collected(
            generation, sees, self._question, made, pieces, self._catalog.generation
        )
        response = StreamedResponse(noted)
        # It is compressed on its way, where the client takes that.
        tag = (b"etag", etag(made.tag, self._coding).encode())
        response.raw_headers = [*made.headers, tag]
        return response

    def _give(self, generation: int, sees: EntityFilter, found: KeptAnswer) -> Response:
        coding = found.coding(self._coding)
        if coding not in found.forms:
            found = self._kept.compressed(generation, sees, self._question, found, coding)
        return PiecesResponse(OK, found.head(coding), found.forms[coding])
