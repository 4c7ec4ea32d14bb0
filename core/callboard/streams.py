"""Answers of plugins' routes that go on: server-sent events (HTML standard, section 9.2).

A route gives `host.stream(messages, allowed)` for what comes bit by bit. Signs of life, limits, the
end of the process and what somebody may see no more are the host's affair.
"""

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

BEAT: Final = 5.0
"""Seconds between signs of life."""
LONGEST: Final = 900.0
"""Seconds that one stream is kept: then it is asked anew who listens."""
CHECKED: Final = 10.0
"""Seconds after which it is asked again whether whoever listens still may."""
MOST: Final = 1000
"""Streams of plugins that are open in one process."""


@dataclass(frozen=True, slots=True)
class StreamMessage:
    """One message. `id` comes back as `Last-Event-ID` from who takes the stream up again."""

    data: str
    event: str = ""
    id: str = ""

    def __str__(self) -> str:
        head = [f"{name}: {value}\n" for name, value in
                (("id", self.id), ("event", self.event)) if value]  # fmt: skip
        lines = self.data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return "".join([*head, *(f"data: {line}\n" for line in lines), "\n"])


class Streams:
    """The streams of plugins that are open in this process.

    `is_same` says whether a request is still asked by whom it was, with their groups.
    """

    def __init__(self, *, most: int = MOST) -> None:
        self.most = most
        self.is_same: Callable[[HTTPConnection], bool] = lambda _connection: True
        self._lock = threading.Lock()
        self._open: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._closed = False

    @property
    def count(self) -> int:
        """How many are open."""
        return len(self._open)

    @property
    def has_room(self) -> bool:
        """Whether one more may begin."""
        return not self._closed and len(self._open) < self.most

    def close(self) -> None:
        """End them all, and begin no more; from any thread."""
        with self._lock:
            self._closed = True
            ending = list(self._open)
        for loop, ended in ending:
            # The loop of one that was cut off may have ended before.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(ended.set)

    @contextmanager
    def opened(self) -> Iterator[asyncio.Event]:
        """Count one stream within the block, and give what is set when it must end."""
        entry = (asyncio.get_running_loop(), asyncio.Event())
        with self._lock:
            self._open.add(entry)
            if self._closed:
                entry[1].set()
        try:
            yield entry[1]
        finally:
            with self._lock:
                self._open.discard(entry)


class EventStream(StreamingResponse):
    """The answer that `host.stream` gives."""

    def __init__(
        self,
        streams: Streams,
        messages: AsyncIterator[StreamMessage],
        allowed: Callable[[], bool],
    ) -> None:
        self._streams = streams
        self._messages = messages
        self._allowed = allowed
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__((), media_type="text/event-stream", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send messages until they end, or whoever listens has gone or may listen no more."""
        if not self._streams.has_room:
            refused = PlainTextResponse("Too many open streams.", 503, {"retry-after": "30"})
            await refused(scope, receive, send)
            return
        written = self._written(HTTPConnection(scope))
        self.body_iterator = written
        try:
            await super().__call__(scope, receive, send)
        finally:
            await written.aclose()

    async def _written(self, connection: HTTPConnection) -> AsyncGenerator[str, None]:
        end = time.monotonic() + LONGEST
        checked = time.monotonic() + CHECKED
        with self._streams.opened() as ended:
            async with _Next(self._messages, ended) as following:
                # After a restart of the server not all come back at the same moment.
                yield f"retry: {random.randint(1000, 4000)}\n\n"  # noqa: S311 - nothing secret hangs on it
                while time.monotonic() < end:
                    message = await following.get(BEAT)
                    if message is None:
                        return
                    if time.monotonic() >= checked:
                        if not await asyncio.to_thread(self._still, connection):
                            return
                        checked = time.monotonic() + CHECKED
                    yield str(message)

    def _still(self, connection: HTTPConnection) -> bool:
        return self._streams.is_same(connection) and self._allowed()


class _Next:
    """Waits for messages with a limit of time, which does not break off the one that waits."""

    def __init__(self, messages: AsyncIterator[StreamMessage], ended: asyncio.Event) -> None:
        self._messages = messages
        self._ended = ended
        self._waiting: asyncio.Task[StreamMessage] | None = None
        self._end: asyncio.Task[bool] | None = None

    async def __aenter__(self) -> "_Next":
        self._end = asyncio.ensure_future(self._ended.wait())
        return self

    async def __aexit__(self, *_raised: object) -> None:
        for task in (self._waiting, self._end):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration, Exception):
                    await task
        if isinstance(self._messages, AsyncGenerator):
            await self._messages.aclose()

    async def get(self, seconds: float) -> StreamMessage | str | None:
        """Give the next message, a sign of life where there is none yet, None at the end."""
        assert self._end is not None
        if self._waiting is None:
            self._waiting = asyncio.ensure_future(self._take())
        await asyncio.wait(
            {self._waiting, self._end}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if self._end.done():
            return None
        if not self._waiting.done():
            return ":\n\n"
        task, self._waiting = self._waiting, None
        try:
            return task.result()
        except _OverError:
            return None

    async def _take(self) -> StreamMessage:
        try:
            return await anext(self._messages)
        except StopAsyncIteration as error:  # no future can hold this one
            raise _OverError from error


class _OverError(Exception):
    """There are no more messages."""
