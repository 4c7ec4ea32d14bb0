"""Clients that send a request too slowly, or do not take its answer, are sent away.

They would hold a connection for nothing. The server bounds how long an idle connection is kept, but
neither how long a request may take to arrive (RFC 9110, 15.5.9; "Slowloris") nor how long an answer
may wait to be taken.
"""

import asyncio
from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD: Final = 20.0
"""Seconds until the head of a request must have come, from its first byte or the connection."""
TAKEN: Final = 60.0
"""Seconds in which some of an answer must be taken, once 64 KiB of it wait to be."""
_ANSWER: Final = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\n"
    b"content-length: 34\r\nconnection: close\r\n\r\nThe head of the request came late."
)


class PromptProtocol(HttpToolsProtocol):
    """HTTP/1.1 that waits for the head of a request, and for who takes an answer, so long only."""

    head: float = HEAD
    taken: float = TAKEN
    _cutting: asyncio.TimerHandle | None = None
    _ending: asyncio.TimerHandle | None = None
    _begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        self._go_on()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._go_on()
        self._cutting = self.loop.call_later(self.taken, self.transport.abort)

    def resume_writing(self) -> None:
        self._go_on()
        super().resume_writing()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._begun = True
        if self._ending is None:
            self._wait()

    def on_headers_complete(self) -> None:
        self._stop()
        self._begun = False
        super().on_headers_complete()

    def _wait(self) -> None:
        self._ending = self.loop.call_later(self.head, self._end)

    def _stop(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None

    def _go_on(self) -> None:
        if self._cutting is not None:
            self._cutting.cancel()
            self._cutting = None

    def _end(self) -> None:
        self._ending = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            # The answer to the request before is still on its way.
            self._wait()
            return
        if self._begun:
            self.transport.write(_ANSWER)
        self.transport.close()
