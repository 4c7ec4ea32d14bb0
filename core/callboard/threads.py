"""Threads for work that may hang or comes again, and a lock handed on in the order of asking."""

import logging
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any, Final, TypeVar

log = logging.getLogger(__name__)

R = TypeVar("R")

_Task = tuple[Future[Any], Context, Callable[[], Any]]


class DaemonPool:
    """A few threads that the end of the process does not wait for.

    `ThreadPoolExecutor` joins its threads when the interpreter ends: one call that hangs would
    keep the process. Threads are begun when they are needed and see the caller's context
    variables. Whatever a call raises, `SystemExit` too, is in its future.
    """

    def __init__(self, threads: int, name: str) -> None:
        self.threads: Final = threads
        self.name: Final = name
        self._queue: SimpleQueue[_Task | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._begun = 0
        self._unfinished = 0

    @property
    def unfinished(self) -> int:
        """How many calls run or wait."""
        return self._unfinished

    def submit(self, function: Callable[[], R]) -> Future[R]:
        """Have a function called in one of the threads."""
        future: Future[R] = Future()
        with self._lock:
            self._unfinished += 1
            needed = self._begun < min(self._unfinished, self.threads)
            self._begun += needed
        if needed:
            name = f"{self.name}-{self._begun}"
            threading.Thread(target=self._work, name=name, daemon=True).start()
        self._queue.put((future, copy_context(), function))
        return future

    def close(self) -> None:
        """Let the threads end once all that was submitted is done; does not wait for it."""
        for _ in range(self.threads):
            self._queue.put(None)

    def _work(self) -> None:
        while (task := self._queue.get()) is not None:
            self._do(*task)
            del task  # what it holds must not live until the next one

    def _do(self, future: Future[Any], context: Context, function: Callable[[], Any]) -> None:
        result, error = None, None
        is_wanted = future.set_running_or_notify_cancel()
        if is_wanted:
            try:
                result = context.run(function)
            except BaseException as raised:
                error = raised
        with self._lock:
            self._unfinished -= 1
        if error is not None:
            future.set_exception(error)
        elif is_wanted:
            future.set_result(result)


class Flusher:
    """A thread that writes what was gathered in memory, every so often and once more at the end.

    What `flush` raises is logged with `failed`: what it was given is lost, the next may be
    written again.
    """

    def __init__(self, flush: Callable[[], None], *, name: str, every: float, failed: str) -> None:
        self._flush = flush
        self._name = name
        self._every = every
        self._failed = failed
        self._end = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def is_running(self) -> bool:
        """Whether what is gathered now will be written."""
        return self._thread is not None

    def start(self) -> None:
        """Begin, unless it has."""
        if self._thread is None:
            self._end.clear()
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Write what waits, and end; waits for it two seconds at most."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._end.set()
            thread.join(2)

    def _run(self) -> None:
        ended = False
        while not ended:
            ended = self._end.wait(self._every)
            try:
                self._flush()
            except Exception:
                log.exception(self._failed)


class FairLock:
    """A lock that goes to whoever asked first; `threading.Lock` may pass over one for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = False
        self._waiting: deque[threading.Event] = deque()

    def acquire(self, timeout: float) -> bool:
        """Wait for the lock, at most `timeout` seconds; say whether it was got."""
        with self._lock:
            if not self._held:
                self._held = True
                return True
            turn = threading.Event()
            self._waiting.append(turn)
        try:
            got = turn.wait(timeout)
        except BaseException:
            self._give_up(turn)
            raise
        return got or not self._withdraw(turn)

    def release(self) -> None:
        """Hand the lock to the next one."""
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._held = False

    def _withdraw(self, turn: threading.Event) -> bool:
        """Stop waiting; False where the lock came at the last moment."""
        with self._lock:
            if turn.is_set():
                return False
            self._waiting.remove(turn)
            return True

    def _give_up(self, turn: threading.Event) -> None:
        if not self._withdraw(turn):
            self.release()
