"""Guarded calls: what raises, is slow, hangs or gives the wrong thing costs its own place only."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from callboard.contributions import NavItem
from callboard.plugins import (
    Contributed,
    Guard,
    PluginError,
    PluginRecord,
    Plugins,
    describe,
)
from callboard.plugins.guard import STUCK_LIMIT, THREADS, WAITING_LIMIT, Call

QUICK = timedelta(seconds=0.15)


@pytest.fixture
def guard() -> Iterator[Guard]:
    made = Guard(time_limit=QUICK)
    yield made
    made.close()


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Give what hanging calls wait for; they end with the test."""
    opened = threading.Event()
    yield opened
    opened.set()


def fault(guard: Guard, function: Callable[[], Any], expected: Any = str) -> PluginError:
    result = guard.call("hello", "card", function, expected=expected)
    assert isinstance(result, PluginError)
    return result


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_what_a_call_gives_is_given(guard: Guard) -> None:
    assert guard.call("hello", "card", lambda: "text", expected=str) == "text"
    assert guard.call("hello", "card", lambda: None, expected=(str, type(None))) is None
    assert sum(cost.calls for cost in guard.costs_of("hello").values()) == 2
    assert not guard.recent


class SilentError(Exception):
    def __str__(self) -> str:
        raise ValueError


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no"), "ValueError: no"),
        (ValueError(), "ValueError"),
        (SystemExit(1), "SystemExit: 1"),
        (KeyboardInterrupt(), "KeyboardInterrupt"),
        (GeneratorExit(), "GeneratorExit"),
        (TimeoutError("of its own"), "TimeoutError: of its own"),
        (SilentError(), "SilentError: its message cannot be written"),
        (ValueError("x" * 5000), f"ValueError: {'x' * 488}"),
        (ValueError("https://me:geheim12@example.com"), "ValueError: https://***@example.com"),
        (ValueError("it is h7Qz-1"), "ValueError: it is ***"),
    ],
)
def test_what_a_call_raises_is_noted(
    guard: Guard, error: BaseException, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    guard.secrets = ["h7Qz-1"]
    now = datetime(2026, 3, 2, tzinfo=UTC)
    guard.now = lambda: now

    def fail() -> str:
        raise error

    noted = fault(guard, fail)
    assert (noted.plugin, noted.place, noted.kind) == ("hello", "card", "raised")
    assert (noted.message, noted.at) == (message, now)
    assert list(guard.recent) == [noted]
    assert noted.id in caplog.text
    assert caplog.records[0].exc_info is not None


@pytest.mark.parametrize(
    ("value", "expected", "message"),
    [
        (5, str, "It gave int, expected str."),
        (None, str, "It gave NoneType, expected str."),
        ("a", (int, type(None)), "It gave str, expected int or nothing."),
    ],
)
def test_a_wrong_type_is_noted(guard: Guard, value: object, expected: Any, message: str) -> None:
    noted = fault(guard, lambda: value, expected)
    assert (noted.kind, noted.message) == ("wrong type", message)


def test_an_object_that_lies_about_its_class_is_noted(guard: Guard) -> None:
    class Liar:
        @property  # type: ignore[misc]
        def __class__(self) -> Any:
            raise ZeroDivisionError

    assert fault(guard, Liar).kind == "raised"


def test_a_slow_call_costs_its_limit(guard: Guard, gate: threading.Event) -> None:
    begin = time.monotonic()
    noted = fault(guard, partial(gate.wait, 60))
    assert 0.1 < time.monotonic() - begin < 1
    assert (noted.kind, noted.message) == ("slow", "It did not answer within 0.15 s.")
    assert guard.counts[("hello", "slow")] == 1


def test_calls_run_side_by_side_under_one_limit(guard: Guard) -> None:
    barrier = threading.Barrier(THREADS)
    calls = [Call("hello", str(number), barrier.wait, int) for number in range(THREADS)]
    assert set(guard.call_all(calls)) == set(range(THREADS))


def test_results_are_in_the_order_of_the_calls(guard: Guard, gate: threading.Event) -> None:
    def fail() -> None:
        raise ValueError

    functions: list[Callable[[], object]] = [lambda: 1, partial(gate.wait, 60), lambda: 2, fail]
    calls = [Call("hello", str(at), function, int) for at, function in enumerate(functions)]
    first, slow, second, raised = guard.call_all(calls)
    assert (first, second) == (1, 2)
    assert (slow.kind, slow.place) == ("slow", "1")
    assert (raised.kind, raised.place) == ("raised", "3")
    assert guard.call_all([]) == []


def test_a_plugin_that_hangs_is_refused_until_it_returns(
    guard: Guard, gate: threading.Event
) -> None:
    hanging = [Call("hello", "card", partial(gate.wait, 60), bool)] * STUCK_LIMIT
    assert [item.kind for item in guard.call_all(hanging)] == ["slow"] * STUCK_LIMIT
    begin = time.monotonic()
    noted = fault(guard, lambda: "text")
    assert time.monotonic() - begin < 0.1
    assert noted.message == "Earlier calls of this plugin still hang."
    assert guard.call("other", "card", lambda: "text", expected=str) == "text"
    gate.set()
    wait_until(lambda: guard.call("hello", "card", lambda: "text", expected=str) == "text")


def test_a_call_whose_turn_does_not_come_is_told_so_and_never_made(
    guard: Guard, gate: threading.Event
) -> None:
    made = []
    calls = [Call("hello", "card", partial(gate.wait, 60), bool)] * THREADS
    late = Call("hello", "late", lambda: made.append(1), type(None))
    *_, noted = guard.call_all([*calls, late])
    assert noted.message == "Its turn did not come within 0.15 s: other calls of it are slow."
    gate.set()
    wait_until(lambda: guard.call("hello", "card", lambda: "text", expected=str) == "text")
    assert not made


def test_waiting_calls_are_bounded(guard: Guard, gate: threading.Event) -> None:
    calls = [Call("hello", "card", partial(gate.wait, 60), bool)] * (WAITING_LIMIT + 1)
    *_, last = guard.call_all(calls)
    assert last.message == "Too many calls of this plugin wait."


def test_many_pages_with_a_slow_plugin_do_not_starve_the_others(gate: threading.Event) -> None:
    guard = Guard(time_limit=timedelta(seconds=1))
    slow = Call("slow", "card", partial(gate.wait, 60), bool)
    quick = [Call(f"quick{number}", "card", lambda: "text", str) for number in range(5)]
    waits: list[float] = []

    def page(with_slow: bool) -> None:
        begin = time.monotonic()
        *results, _ = guard.call_all([*quick, slow if with_slow else quick[0]])
        if not with_slow:
            waits.append(time.monotonic() - begin)
        assert results == ["text"] * 5

    with ThreadPoolExecutor(40) as pool:
        pages = [pool.submit(page, number % 2 == 0) for number in range(80)]
        for done in pages:
            done.result()
    guard.close()
    assert max(waits) < 0.5


def test_strict_mode_raises(gate: threading.Event) -> None:
    guard = Guard(strict=True, time_limit=QUICK)

    def fail() -> str:
        raise KeyError("a")

    with pytest.raises(KeyError):
        guard.call("hello", "card", fail, expected=str)
    with pytest.raises(TypeError, match="Plugin hello, card: It gave int, expected str"):
        guard.call("hello", "card", lambda: 5, expected=str)
    assert fault(guard, partial(gate.wait, 60)).kind == "slow"


def test_context_variables_are_seen(guard: Guard) -> None:
    variable: ContextVar[str] = ContextVar("variable", default="")
    variable.set("request 7")
    assert guard.call("hello", "card", variable.get, expected=str) == "request 7"


def test_only_the_latest_errors_are_kept(guard: Guard, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    for _ in range(250):
        fault(guard, lambda: None)
    assert len(guard.recent) == 200
    assert guard.counts[("hello", "wrong type")] == 250


def test_threads_end_with_the_guard() -> None:
    guard = Guard()
    guard.call_all([Call("mayfly", "card", partial(time.sleep, 0.01), type(None))] * 20)

    def threads() -> int:
        return sum(item.name.startswith("plugin-mayfly") for item in threading.enumerate())

    assert 1 <= threads() <= THREADS
    guard.close()
    wait_until(lambda: threads() == 0)


def test_the_process_ends_although_a_call_hangs() -> None:
    script = """
import time
from callboard.plugins import Guard
from datetime import timedelta
guard = Guard(time_limit=timedelta(seconds=0.05))
for _ in range(6):
    print(guard.call("hello", "card", lambda: time.sleep(600), expected=str).kind)
guard.close()
"""
    begin = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.split() == ["slow"] * 6
    assert time.monotonic() - begin < 10


def test_errors_are_counted_on_the_plugin_s_record(guard: Guard) -> None:
    plugins = Plugins(guard)
    plugins.records["hello"] = PluginRecord(name="hello")
    item = Contributed("hello", NavItem(name="a", title="A", path="/a"))
    assert plugins.call(item, "card", lambda: "text", expected=str) == "text"
    noted = plugins.call(item, "card", lambda: 5, expected=str)
    several = plugins.call_all([(item, "one", lambda: 1, int), (item, "two", lambda: "", int)])
    assert several[0] == 1
    record = plugins.records["hello"]
    assert record.errors == 2
    assert record.last_error is several[1]
    assert plugins.errors == [noted, several[1]]


def test_exceptions_are_described() -> None:
    assert describe(ValueError("a")) == "ValueError: a"
    assert describe(SilentError()) == "SilentError: its message cannot be written"


def test_a_guarded_call_is_cheap() -> None:
    """A page makes about ten: they may cost a millisecond of its twelve, even on a busy machine."""
    guard = Guard()
    calls = [Call(f"plugin{number % 5}", "card", lambda: "text", str) for number in range(10)]
    best = min(_seconds(guard, calls) for _ in range(5))
    guard.close()
    assert best / 100 < 0.005


def _seconds(guard: Guard, calls: list[Call]) -> float:
    begin = time.perf_counter()
    for _ in range(100):
        guard.call_all(calls)
    return time.perf_counter() - begin


def test_what_is_called_here_runs_in_the_thread_that_asks(guard: Guard) -> None:
    waited: list[int] = []
    guard.before_waiting = lambda: waited.append(1)
    here = Call("portal", "card", threading.get_ident, int, here=True)
    away = Call("hello", "card", threading.get_ident, int)
    assert guard.call_all([here]) == [threading.get_ident()]
    assert not waited
    first, second = guard.call_all([away, here])
    assert (first != threading.get_ident(), second) == (True, threading.get_ident())
    assert waited


def test_what_is_called_here_and_raises_costs_its_own_place(guard: Guard) -> None:
    bad = Call("portal", "card", lambda: 1 / 0, str, here=True)
    wrong = Call("portal", "card", lambda: 1, str, here=True)
    good = Call("portal", "card", lambda: "text", str, here=True)
    results = guard.call_all([bad, wrong, good])
    assert [getattr(item, "kind", item) for item in results] == ["raised", "wrong type", "text"]
