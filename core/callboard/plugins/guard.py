"""Calls into plugins that cost, at worst, their own place on the page."""

import logging
import secrets
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, Literal, TypeVar

from callboard.redaction import redact
from callboard.threads import DaemonPool

R = TypeVar("R")
log = logging.getLogger(__name__)

THREADS: Final = 4
"""Threads of one plugin. Each plugin has its own, so that a slow one delays no other."""

STUCK_LIMIT: Final = THREADS
"""Calls of one plugin that may hang at once before it is not called until one returns."""

WAITING_LIMIT: Final = 200
"""Calls of one plugin that may run or wait at once before further ones are refused."""

MESSAGE_CHARACTERS: Final = 500

SPENT: Final[ContextVar[dict[str, float] | None]] = ContextVar("spent", default=None)
"""Where the calls of a request note their seconds, by plugin; see `Server-Timing` of each page."""


@dataclass(frozen=True, slots=True)
class PluginError:
    """A call into a plugin that did not give what it should. `id` is in the log as well."""

    id: str
    plugin: str
    place: str
    kind: Literal["raised", "slow", "wrong type"]
    message: str
    at: datetime


@dataclass(slots=True)
class Cost:
    """What the calls for one kind of place have taken since the start; times in seconds."""

    calls: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    errors: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One guarded call: whose, for which place on the page, and the types it may give.

    `here` calls in the caller's own thread, without a time limit: for the host's own code.
    """

    plugin: str
    place: str
    function: Callable[[], Any]
    expected: type | tuple[type, ...]
    here: bool = False


class Guard:
    """Runs calls with a time limit, checks what they give, counts and keeps what went wrong.

    A thread cannot be ended from outside: a call that hangs keeps its thread. So a plugin with
    `STUCK_LIMIT` hanging calls is refused at once until one of them comes back. In strict mode
    what a call raises is raised, and a wrong type is a `TypeError`.
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
        self.secrets: Sequence[str] = ()
        self.before_waiting: Callable[[], None] = lambda: None
        """Called in the caller's thread before it waits for others."""
        self.recent: deque[PluginError] = deque(maxlen=200)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.costs: defaultdict[tuple[str, str], Cost] = defaultdict(Cost)
        self._stuck: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._pools: dict[str, DaemonPool] = {}

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
        elsewhere = {index: self._start(call) for index, call in enumerate(calls) if not call.here}
        here = {index: self._do(call) for index, call in enumerate(calls) if call.here}
        if elsewhere:
            self.before_waiting()
        started = elsewhere | here
        return [
            self._result(call, started[index], deadline, seconds)
            for index, call in enumerate(calls)
        ]

    def close(self) -> None:
        """Let go of the threads without waiting for those that hang."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            self._pools.clear()

    def _start(self, call: Call) -> Future[Any] | PluginError:
        with self._lock:
            pool = self._pools.get(call.plugin)
            if pool is None:
                pool = DaemonPool(THREADS, f"plugin-{call.plugin}")
                self._pools[call.plugin] = pool
            stuck = self._stuck[call.plugin] >= STUCK_LIMIT
        if stuck:
            return self._note(call, "slow", "Earlier calls of this plugin still hang.")
        if pool.unfinished >= WAITING_LIMIT:
            return self._note(call, "slow", "Too many calls of this plugin wait.")
        return pool.submit(partial(self._timed, call, SPENT.get()))

    def _do(self, call: Call) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(self._timed(call, SPENT.get()))
        except BaseException as error:
            future.set_exception(error)
        return future

    def _timed(self, call: Call, spent: dict[str, float] | None) -> tuple[bool, Any]:
        begin = time.perf_counter()
        try:
            value = call.function()
            # Even this may run code of the plugin, so it is done here.
            return isinstance(value, call.expected), value
        finally:
            took = time.perf_counter() - begin
            with self._lock:
                cost = self.costs[call.plugin, _kind_of(call.place)]
                cost.calls += 1
                cost.seconds += took
                cost.slowest = max(cost.slowest, took)
                if spent is not None:
                    spent[call.plugin] = spent.get(call.plugin, 0.0) + took

    def costs_of(self, plugin: str) -> dict[str, Cost]:
        """Give what a plugin's calls have cost, by kind of place, the dearest first."""
        with self._lock:
            found = {place: replace(cost) for (name, place), cost in self.costs.items()
                     if name == plugin}  # fmt: skip
        return dict(sorted(found.items(), key=lambda item: -item[1].seconds))

    def _result(
        self, call: Call, future: Future[Any] | PluginError, deadline: float, seconds: float
    ) -> Any | PluginError:
        if isinstance(future, PluginError):
            return future
        try:
            error = future.exception(max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            return self._late(call, future, seconds)
        if error is not None:
            if self.strict:
                raise error
            return self._note(call, "raised", describe(error), error)
        fits, value = future.result()
        if fits:
            return value
        message = f"It gave {type(value).__name__}, expected {_names(call.expected)}."
        noted = self._note(call, "wrong type", message)
        if self.strict:
            raise TypeError(f"Plugin {call.plugin}, {call.place}: {message}")
        return noted

    def _late(self, call: Call, future: Future[Any], seconds: float) -> PluginError:
        if future.cancel():
            why = f"Its turn did not come within {seconds:g} s: other calls of it are slow."
            return self._note(call, "slow", why)
        with self._lock:
            self._stuck[call.plugin] += 1
        future.add_done_callback(lambda _: self._returned(call.plugin))
        return self._note(call, "slow", f"It did not answer within {seconds:g} s.")

    def _returned(self, plugin: str) -> None:
        with self._lock:
            self._stuck[plugin] -= 1

    def note(self, plugin: str, place: str, error: BaseException) -> PluginError:
        """Record what a plugin raised where it was called without the guard, as in a job."""
        call = Call(plugin, place, lambda: None, object)
        return self._note(call, "raised", describe(error), error)

    def _note(
        self,
        call: Call,
        kind: Literal["raised", "slow", "wrong type"],
        message: str,
        error: BaseException | None = None,
    ) -> PluginError:
        name, shown = f"e-{secrets.token_hex(4)}", redact(message, self.secrets)
        noted = PluginError(name, call.plugin, call.place, kind, shown, self.now())
        with self._lock:
            self.recent.append(noted)
            self.counts[(call.plugin, kind)] += 1
            self.costs[call.plugin, _kind_of(call.place)].errors += 1
        log.error(
            "Plugin %s, %s: %s (%s)", call.plugin, call.place, shown, name, exc_info=error
        )  # fmt: skip
        return noted


def _kind_of(place: str) -> str:
    """Give a place without the entity it was for, such as `entity card`."""
    return place.partition(",")[0]


def describe(error: BaseException) -> str:
    """Give the kind and message of an exception, whose own `__str__` may raise."""
    try:
        text = str(error)
    except Exception:
        text = "its message cannot be written"
    kind = type(error).__name__
    return f"{kind}: {text}"[:MESSAGE_CHARACTERS] if text else kind


def _names(expected: type | tuple[type, ...]) -> str:
    types = expected if isinstance(expected, tuple) else (expected,)
    return " or ".join("nothing" if item is type(None) else item.__name__ for item in types)
