"""Calls into plugins that cost, at worst, their own place on the page."""

import logging
import secrets
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeVar

R = TypeVar("R")
log = logging.getLogger(__name__)

THREADS: Final = 16
STUCK_LIMIT: Final = 4
"""Calls of one plugin that may hang at once before it is not called until one returns."""


@dataclass(frozen=True, slots=True)
class PluginError:
    """A call into a plugin that did not give what it should. `id` is in the log as well."""

    id: str
    plugin: str
    place: str
    kind: Literal["raised", "slow", "wrong type"]
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Call:
    """One guarded call: whose, for which place on the page, and the types it may give."""

    plugin: str
    place: str
    function: Callable[[], Any]
    expected: type | tuple[type, ...]


class Guard:
    """Runs calls with a time limit, checks what they give, counts and keeps what went wrong.

    A thread cannot be ended from outside: a call that hangs keeps its thread. So a plugin with
    `STUCK_LIMIT` hanging calls is refused at once until one of them comes back.
    """

    def __init__(
        self,
        *,
        time_limit: timedelta = timedelta(seconds=2),
        strict: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.time_limit = time_limit
        self.strict = strict
        self.now = now
        self.recent: deque[PluginError] = deque(maxlen=200)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.calls: Counter[str] = Counter()
        self._running: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="plugin")

    def call(
        self,
        plugin: str,
        place: str,
        function: Callable[[], R],
        *,
        expected: type | tuple[type, ...],
        limit: timedelta | None = None,
    ) -> R | PluginError:
        """Call one function of a plugin; give what it returns, or the error that stands for it."""
        return self.call_all([Call(plugin, place, function, expected)], limit=limit)[0]

    def call_all(
        self, calls: Sequence[Call], *, limit: timedelta | None = None
    ) -> list[Any | PluginError]:
        """Call several functions side by side, all of them under one limit."""
        seconds = (limit or self.time_limit).total_seconds()
        deadline = time.monotonic() + seconds
        started = [self._start(call) for call in calls]
        results = []
        for call, future in zip(calls, started, strict=True):
            results.append(self._result(call, future, deadline, seconds))
        return results

    def close(self) -> None:
        """Let go of the threads without waiting for those that hang."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start(self, call: Call) -> Future[Any] | PluginError:
        with self._lock:
            if self._running[call.plugin] >= STUCK_LIMIT:
                return self._note(call, "slow", "Earlier calls of this plugin still hang.")
        return self._pool.submit(self._timed, call)

    def _timed(self, call: Call) -> Any:
        begin = time.perf_counter()
        try:
            return call.function()
        finally:
            with self._lock:
                self.seconds[call.plugin] += time.perf_counter() - begin
                self.calls[call.plugin] += 1

    def _result(
        self, call: Call, future: Future[Any] | PluginError, deadline: float, seconds: float
    ) -> Any | PluginError:
        if isinstance(future, PluginError):
            return future
        try:
            value = future.result(timeout=max(0.0, deadline - time.monotonic()))
        except FutureTimeoutError:
            if future.done() and future.exception() is not None:
                return self._raised(call, future.exception())
            self._watch(call, future)
            return self._note(call, "slow", f"It did not answer within {seconds:g} s.")
        except Exception as error:
            return self._raised(call, error)
        if not isinstance(value, call.expected):
            return self._note(
                call,
                "wrong type",
                f"It gave {type(value).__name__}, expected {_names(call.expected)}.",
            )
        return value

    def _watch(self, call: Call, future: Future[Any]) -> None:
        if future.cancel():
            return
        with self._lock:
            self._running[call.plugin] += 1
        future.add_done_callback(lambda _: self._returned(call.plugin))

    def _returned(self, plugin: str) -> None:
        with self._lock:
            self._running[plugin] -= 1

    def _raised(self, call: Call, error: BaseException | None) -> PluginError:
        if self.strict and error is not None:
            raise error
        summary = f"{type(error).__name__}: {error}"[:500]
        return self._note(call, "raised", summary, error)

    def _note(
        self,
        call: Call,
        kind: Literal["raised", "slow", "wrong type"],
        message: str,
        error: BaseException | None = None,
    ) -> PluginError:
        noted = PluginError(
            f"e-{secrets.token_hex(4)}", call.plugin, call.place, kind, message, self.now()
        )
        self.recent.append(noted)
        self.counts[(call.plugin, kind)] += 1
        log.error(
            "Plugin %s, %s: %s (%s)",
            call.plugin,
            call.place,
            message,
            noted.id,
            exc_info=error,
        )
        if self.strict and kind == "wrong type":
            raise TypeError(f"Plugin {call.plugin}, {call.place}: {message}")
        return noted


def _names(expected: type | tuple[type, ...]) -> str:
    types = expected if isinstance(expected, tuple) else (expected,)
    return " or ".join("nothing" if item is type(None) else item.__name__ for item in types)
