"""Threads for work that may hang."""

import threading
import time
from functools import partial

import pytest

from callboard.threads import DaemonPool


def test_what_is_submitted_is_done_before_the_threads_end() -> None:
    pool = DaemonPool(2, "few")
    futures = [pool.submit(partial(pow, number, 2)) for number in range(20)]
    pool.close()
    assert [future.result(5) for future in futures] == [number**2 for number in range(20)]
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("few-") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert pool.unfinished == 0


def test_threads_are_begun_when_needed_and_bounded() -> None:
    pool, gate = DaemonPool(3, "bounded"), threading.Event()

    def threads() -> int:
        return sum(thread.name.startswith("bounded-") for thread in threading.enumerate())

    assert threads() == 0
    pool.submit(int).result(5)
    assert threads() == 1
    for _ in range(10):
        pool.submit(gate.wait)
    assert threads() == 3
    assert pool.unfinished == 10
    gate.set()
    pool.close()


@pytest.mark.parametrize("error", [ValueError, SystemExit, KeyboardInterrupt])
def test_what_a_call_raises_is_in_its_future(error: type[BaseException]) -> None:
    pool = DaemonPool(1, "raising")

    def fail() -> None:
        raise error

    assert isinstance(pool.submit(fail).exception(5), error)
    assert pool.submit(int).result(5) == 0
    pool.close()
