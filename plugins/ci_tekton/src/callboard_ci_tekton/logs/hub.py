"""Follows logs while they are written: each once in a process, however many people read it.

A thread reads each log from where it is written and leaves its lines to the hub's own thread, which
hides secrets, spools them and wakes readers. Readers have nothing but a number: that of the last
line they got.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from callboard.errors import CallboardError, NotReadyError
from callboard.i18n import Text, Translator
from callboard.kubernetes import ClusterError
from callboard_ci_tekton.logs.hiding import secrets_of
from callboard_ci_tekton.logs.sources import LostError, Part, Source, hidden, source_of
from callboard_ci_tekton.logs.spool import Spool

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")
log = logging.getLogger(__name__)

Key = tuple[int, str]
"""A task's attempt, by the number of its row, and a container."""

LINGER: Final = 20.0
"""Seconds that a log is followed on after its last reader has left: pages are loaded anew."""
TIDY: Final = 1.0
GIVE_UP_SECONDS: Final = 60.0
"""How long a cluster that does not answer is asked before whoever follows is told."""
MOST_WAITING: Final = 5000
"""Lines that wait to be spooled; then whoever writes has to wait as well."""
STOP_SECONDS: Final = 2.0


class Follow:
    """One log as it is written."""

    def __init__(self, hub: "Hub", task: Any, container: str, source: Source, spool: Spool) -> None:
        self.key = key = (task.id, container)
        self.spool = spool
        self.readers = 0
        self.left_at = time.monotonic()
        self.ended = False
        self.error: CallboardError | None = None
        self._hub = hub
        self._source = source
        self._task = task
        self._redactor = hub.host.line_redactor()
        self._pending: deque[Part] = deque()
        self._room = threading.Condition()
        self._is_read = False
        self._closed = False
        self._news = threading.Condition()
        self._wakers: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        name = f"ci-log-{key[0]}-{key[1]}"
        self.thread = threading.Thread(target=self._read, name=name, daemon=True)

    @property
    def total(self) -> int:
        """How many lines there are so far."""
        return self.spool.total

    def wait(self, after: int, seconds: float) -> None:
        """Wait, in a thread, until there are lines after a number, or it has ended."""
        until = time.monotonic() + seconds
        with self._news:
            while self.total <= after and not self.ended:
                left = until - time.monotonic()
                if left <= 0:
                    return
                self._news.wait(left)

    async def news(self, after: int) -> None:
        """Wait, in an event loop, for the same."""
        entry = (asyncio.get_running_loop(), asyncio.Event())
        with self._news:
            if self.total > after or self.ended:
                return
            self._wakers.add(entry)
        try:
            await entry[1].wait()
        finally:
            with self._news:
                self._wakers.discard(entry)

    def close(self) -> None:
        """End it; readers come to the end."""
        self._closed = True
        with contextlib.suppress(Exception):
            self._source.close()
        with self._room:
            self._room.notify_all()

    def _read(self) -> None:
        error: CallboardError | None = None
        try:
            with contextlib.closing(self._source):
                self._redactor = self._hub.host.line_redactor(self._secrets())
                for part in self._source:
                    self._offer(part)
                    if self._closed:
                        break
        except CallboardError as raised:
            error = raised
        except Exception:
            log.exception("The log of task %s, container %s cannot be followed.", *self.key)
            error = NotReadyError(_("The log cannot be followed."))
        self.error = error
        self._is_read = True
        self._hub.call()

    def _secrets(self) -> list[str]:
        """Ask what is to be hidden as patiently as a log is followed."""
        begun = time.monotonic()
        while True:
            try:
                return secrets_of(self._hub.host, self._task)
            except ClusterError as error:
                waited = time.monotonic() - begun
                if self._closed or not error.passes or waited > GIVE_UP_SECONDS:
                    raise
            time.sleep(TIDY)

    def _offer(self, part: Part) -> None:
        with self._room:
            while len(self._pending) >= MOST_WAITING and not self._closed:
                self._room.wait(TIDY)
            self._pending.append(part)
        self._hub.call()

    def spool_up(self) -> None:
        """Take what waits; called by the hub's thread alone."""
        is_read = self._is_read
        with self._room:
            parts = list(self._pending)
            self._pending.clear()
            self._room.notify_all()
        if parts:
            self.spool.add(hidden(self._redactor, parts))
        if parts or (is_read and not self.ended):
            self._tell(ended=is_read)

    def _tell(self, *, ended: bool) -> None:
        with self._news:
            self.ended = ended
            self._news.notify_all()
            wakers, self._wakers = self._wakers, set()
        for loop, event in wakers:
            # A loop that has ended has no readers.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(event.set)

    @property
    def is_spooled(self) -> bool:
        """Whether everything that was written is there."""
        return self.ended and self.error is None

    @property
    def lost(self) -> Text:
        """Why there is no log, empty where there is one."""
        return self.error.message if isinstance(self.error, LostError) else ""


class Hub:
    """The logs that this process follows."""

    def __init__(self, host: "Host") -> None:
        self.host = host
        self._lock = threading.Lock()
        self._follows: dict[Key, Follow] = {}
        self._called = threading.Event()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def followed(self) -> int:
        """How many logs are followed."""
        return len(self._follows)

    @property
    def readers(self) -> int:
        """How many read them."""
        with self._lock:
            return sum(follow.readers for follow in self._follows.values())

    @contextmanager
    def follow(self, task: Any, container: str) -> Iterator[Follow]:
        """Follow a log within the block, together with all who do.

        Raises `NotReadyError` where too many are followed, `LostError` where nothing was written.
        """
        follow = self._joined(task, container)
        try:
            yield follow
        finally:
            with self._lock:
                follow.readers -= 1
                follow.left_at = time.monotonic()

    def seen(self, key: Key) -> Spool | None:
        """Give what was followed of a log here, for whoever comes too late to read it."""
        with self._lock:
            follow = self._follows.get(key)
        return follow.spool if follow is not None and follow.total else None

    def _joined(self, task: Any, container: str) -> Follow:
        key = (task.id, container)
        with self._lock:
            follow = self._follows.get(key)
            if follow is None or (follow.ended and follow.error is not None):
                if follow is not None:
                    follow.close()
                    follow.spool.close()
                follow = self._begun(key, task, container)
            follow.readers += 1
            return follow

    def _begun(self, key: Key, task: Any, container: str) -> Follow:
        settings = self.host.settings.logs
        if self._closed or len(self._follows) >= settings.followed:
            raise NotReadyError(
                _("Too many logs are followed at this moment."),
                hint=_("Try again in a minute; the setting logs.followed is the limit."),
            )
        source = source_of(self.host, task, container, follow=True)
        spool = Spool(self.host.data / "working", settings.limit)
        follow = self._follows[key] = Follow(self, task, container, source, spool)
        follow.thread.start()
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="ci-logs", daemon=True)
            self._thread.start()
        return follow

    def call(self) -> None:
        """Say that there are lines to take."""
        self._called.set()

    def _work(self) -> None:
        tidied = 0.0
        while not self._closed:
            self._called.wait(TIDY)
            self._called.clear()
            for follow in self._listed():
                try:
                    follow.spool_up()
                except Exception:  # a full disk must not end all the others
                    log.exception("Lines of the log %s cannot be spooled.", follow.key)
                    follow.close()
            if time.monotonic() - tidied >= TIDY:
                self._tidy()
                tidied = time.monotonic()

    def _listed(self) -> list[Follow]:
        with self._lock:
            return list(self._follows.values())

    def _tidy(self) -> None:
        before = time.monotonic() - LINGER
        with self._lock:
            idle = [follow for follow in self._follows.values()
                    if not follow.readers and follow.left_at < before]  # fmt: skip
            for follow in idle:
                del self._follows[follow.key]
        for follow in idle:
            follow.close()
            follow.spool.close()

    def close(self) -> None:
        """End all, in good order."""
        self._closed = True
        self.call()
        follows = self._listed()
        for follow in follows:
            follow.close()
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        for follow in follows:
            follow.thread.join(STOP_SECONDS)
            follow._tell(ended=True)
            follow.spool.close()
        self._follows.clear()


_hubs: Final[dict[Any, Hub]] = {}
_making: Final = threading.Lock()


def hub_of(host: "Host") -> Hub:
    """Give the hub of this process."""
    with _making:
        hub = _hubs.get(host)
        if hub is None:
            hub = _hubs[host] = Hub(host)
        return hub


def close_hub(host: "Host") -> None:
    """End the hub of this process, if there is one."""
    with _making:
        hub = _hubs.pop(host, None)
    if hub is not None:
        hub.close()
