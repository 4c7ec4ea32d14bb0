"""Events as they happen, for any number of readers in this process, with one poll for all."""

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

from callboard.contributions import Event
from callboard.database import Database
from callboard.events import log as event_log

BATCH: Final = 500
STOP_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Batch:
    """What a reader gets: events in order, possibly none.

    `resync`: events were left out (the reader was too slow, or what it asked for is no longer
    kept), so what it shows must be loaded anew. `closed`: the stream has ended.
    """

    events: tuple[Event, ...] = ()
    resync: bool = False
    closed: bool = False


class Subscription:
    """One reader, living in one event loop. Holds at most `limit` events that it has not read."""

    def __init__(
        self, stream: "EventStream", after: int | None, kinds: Sequence[str], limit: int
    ) -> None:
        self._stream = stream
        self._kinds = tuple(kinds)
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self._lock = threading.Lock()
        self._waiting: deque[Event] = deque()
        self._resync = False
        self._closed = False
        self._backlog_after = after
        self._last = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def readers(self) -> int:
        """How many read the stream now, this one among them."""
        return self._stream.subscribers

    def close(self) -> None:
        """Stop receiving; may be called twice."""
        self._stream._remove(self)
        self._offer((), closed=True)

    async def receive(self, timeout: float = 15.0) -> Batch:  # noqa: ASYNC109 - an empty batch
        """Wait for events, at most `timeout` seconds; an empty batch when nothing came."""
        if self._backlog_after is not None:
            after, self._backlog_after = self._backlog_after, None
            return await asyncio.to_thread(self._backlog, after)
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return Batch()
        return self._take()

    def _backlog(self, after: int) -> Batch:
        with self._stream.database.read() as connection:
            newest = event_log.newest(connection)
            lost = after > newest or after < event_log.oldest(connection) - 1
            events = event_log.read(connection, after, self._kinds, self._limit + 1)
        with self._lock:
            self._last = newest
        if lost or len(events) > self._limit:
            return Batch(resync=True)
        return Batch(tuple(events))

    def _take(self) -> Batch:
        with self._lock:
            # What was read from the log at the start may have been offered as well.
            events = tuple(item for item in self._waiting if item.id > self._last)
            batch = Batch(events, self._resync, self._closed)
            self._waiting.clear()
            self._resync = False
            if not self._closed:
                self._wake.clear()
            return batch

    def _offer(
        self, events: Sequence[Event], *, resync: bool = False, closed: bool = False
    ) -> None:
        wanted = [item for item in events if event_log.is_of(item.kind, self._kinds)]
        with self._lock:
            self._waiting.extend(wanted)
            if resync or len(self._waiting) > self._limit:
                self._waiting.clear()
                self._resync = True
            self._closed = self._closed or closed
        if wanted or resync or closed:
            try:
                self._loop.call_soon_threadsafe(self._wake.set)
            except RuntimeError:  # the loop of this reader has ended without closing it
                self._stream._remove(self)


class EventStream:
    """Fans the event log out; `start` and `stop` frame its one thread.

    It looks at the log when a transaction of this process has published, and every
    `poll_interval` seconds for those of other processes.
    """

    def __init__(self, database: Database, *, poll_interval: float = 1.0) -> None:
        self.database = database
        self._poll_interval = poll_interval
        self._lock = threading.Lock()
        self._subscriptions: set[Subscription] = set()
        self._position = 0
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin at the end of the log as it is now."""
        self._stopping = False
        with self.database.read() as connection:
            self._position = event_log.newest(connection)
        self.database.committed.listen(event_log.TOPIC, self._wake.set)
        self._thread = threading.Thread(target=self._run, name="event-stream", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and every subscription."""
        self._stopping = True
        self.database.committed.unlisten(event_log.TOPIC, self._wake.set)
        self._wake.set()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
            self._thread = None
        for subscription in self._readers():
            subscription.close()

    def subscribe(
        self, *, after: int | None = None, kinds: Sequence[str] = (), limit: int = 1000
    ) -> Subscription:
        """Begin to receive, within a running event loop; use it as a context manager.

        `after` is the number of the last event the reader has seen (`Last-Event-ID`): what came
        since is given first. `kinds` as in `callboard.events.read`.
        """
        subscription = Subscription(self, after, kinds, limit)
        with self._lock:
            self._subscriptions.add(subscription)
        if self._stopping:
            subscription.close()
        return subscription

    @property
    def subscribers(self) -> int:
        """How many readers there are now."""
        return len(self._subscriptions)

    def _remove(self, subscription: Subscription) -> None:
        with self._lock:
            self._subscriptions.discard(subscription)

    def _readers(self) -> list[Subscription]:
        with self._lock:
            return list(self._subscriptions)

    def _run(self) -> None:
        while not self._stopping:
            try:
                self._deliver()
            except Exception:  # a database that is away comes back; the thread must live
                log.exception("The event log cannot be read; trying again.")
            self._wake.wait(self._poll_interval)
            self._wake.clear()

    def _deliver(self) -> None:
        with self.database.read() as connection:
            newest = event_log.newest(connection)
            if newest == self._position:
                return
            readers = self._readers()
            events = event_log.read(connection, self._position, (), BATCH + 1) if readers else []
        self._position = newest
        for reader in readers:
            reader._offer(events[:BATCH], resync=len(events) > BATCH)
