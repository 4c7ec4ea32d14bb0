"""A worker inside a process: prompt, quiet when idle, whatever happens to queue and jobs."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from sqlalchemy import text

from callboard import events, jobs
from callboard.contributions import EventContext, EventHandler, Job, JobContext
from callboard.database import Database
from callboard.errors import NotReadyError, SettingsError
from callboard.host import Host
from callboard.jobs import Jobs
from callboard.plugins import Contributed
from callboard.settings import JobsSettings

Make = Callable[..., Jobs]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def make(database: Database, tmp_path: Path) -> Iterator[Make]:
    made: list[Jobs] = []
    host = SimpleNamespace(read=database.read, write=database.write, now=now)

    def make(*given: Job, handlers: tuple[EventHandler, ...] = (), **settings: Any) -> Jobs:
        service = Jobs(
            database,
            [Contributed("hello", job) for job in given],
            lambda _: cast(Host, host),
            JobsSettings(queue_file=tmp_path / "queue.sqlite3", **settings),
            now,
            event_handlers=[Contributed("hello", handler) for handler in handlers],
        )
        made.append(service)
        return service

    yield make
    for service in made:
        service.stop()


def job(run: Callable[[JobContext], None], **options: Any) -> Job:
    return Job(name="work", title="Work", run=run, **options)


def wait_for(happened: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.005)


def counts(database: Database) -> dict[jobs.State, int]:
    with database.read() as connection:
        return jobs.counts(connection)


def test_a_submitted_run_starts_at_once(make: Make) -> None:
    started = threading.Event()
    service = make(job(lambda context: started.set()))
    service.start_worker()
    time.sleep(0.5)
    seconds = []
    for number in range(5):
        started.clear()
        begin = time.perf_counter()
        service.submit(None, "hello", "work", key=str(number))
        assert started.wait(5)
        seconds.append(time.perf_counter() - begin)
        time.sleep(0.05)
    # The median, because a loaded machine may pause any one of them.
    assert sorted(seconds)[2] < 0.1


def test_a_process_without_workers_leaves_runs_to_others(make: Make, database: Database) -> None:
    submitting = make(job(lambda context: None), workers=0)
    submitting.start_worker()
    submitting.submit(None, "hello", "work")
    time.sleep(0.3)
    assert counts(database)["waiting"] == 1
    make(job(lambda context: None), poll_interval=timedelta(seconds=0.1)).start_worker()
    wait_for(lambda: counts(database)["succeeded"] == 1)


def test_idle_workers_are_quiet(make: Make) -> None:
    make(job(lambda context: None, every=timedelta(hours=1))).start_worker()
    time.sleep(0.5)
    before = time.process_time()
    time.sleep(2)
    assert time.process_time() - before < 0.1


def test_workers_run_side_by_side(make: Make, database: Database) -> None:
    together = threading.Barrier(3, timeout=10)
    service = make(job(lambda context: cast(None, together.wait())), workers=3)
    service.start_worker()
    with database.write() as connection:  # one message for the three
        for key in "abc":
            service.submit(connection, "hello", "work", key=key)
    wait_for(lambda: counts(database)["succeeded"] == 3)


def test_the_worker_sets_no_signal_handler_and_ends_soon(make: Make) -> None:
    handlers = [signal.getsignal(item) for item in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    before = set(threading.enumerate())  # a portal that other tests share may have its own
    service = make(job(lambda context: None))
    service.start_worker()
    time.sleep(0.2)
    after = [signal.getsignal(item) for item in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    assert after == handlers
    begin = time.perf_counter()
    service.stop()
    assert time.perf_counter() - begin < 3
    left = {thread.name for thread in threading.enumerate() if thread not in before}
    assert not {name for name in left if name.startswith(("Worker", "Scheduler", "job-"))}


def test_stopping_waits_for_a_run_but_not_for_ever(make: Make, database: Database) -> None:
    started, release = threading.Event(), threading.Event()

    def work(context: JobContext) -> None:
        started.set()
        release.wait(20)

    service = make(job(work), lease=timedelta(minutes=10))
    service.start_worker()
    service.submit(None, "hello", "work")
    assert started.wait(5)
    begin = time.perf_counter()
    service.stop(0.5)
    assert time.perf_counter() - begin < 3
    with database.read() as connection:
        (run,) = jobs.runs(connection)
    assert run.state == "running"
    assert run.lease_until is not None
    assert run.lease_until < now() + timedelta(seconds=5)
    release.set()
    wait_for(lambda: counts(database)["succeeded"] == 1)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), MemoryError(), ValueError()])
def test_a_worker_survives_every_exception(
    make: Make, database: Database, error: BaseException
) -> None:
    def by_payload(context: JobContext) -> None:
        if context.payload:
            raise error

    service = make(job(by_payload, attempts=1), workers=1)
    service.start_worker()
    service.submit(None, "hello", "work", {"bad": True}, "bad")
    wait_for(lambda: counts(database)["failed"] == 1)
    service.submit(None, "hello", "work", key="good")
    wait_for(lambda: counts(database)["succeeded"] == 1)


def lose_queue(database: Database, tmp_path: Path) -> None:
    if database.dialect == "sqlite":
        for path in tmp_path.glob("queue.sqlite3*"):
            path.unlink()
    else:
        with database.write() as connection:
            for table in ("task", "schedule", "kv", "counter"):
                connection.execute(text(f"DROP TABLE IF EXISTS callboard_queue_{table}"))


def test_losing_the_queue_loses_nothing(make: Make, database: Database, tmp_path: Path) -> None:
    submitting = make(job(lambda context: None), workers=0)
    for key in "abcde":
        submitting.submit(None, "hello", "work", key=key)
    submitting.stop()
    lose_queue(database, tmp_path)
    service = make(job(lambda context: None), poll_interval=timedelta(seconds=0.1))
    service.start_worker()
    wait_for(lambda: counts(database)["succeeded"] == 5)
    lose_queue(database, tmp_path)
    for key in "fgh":
        service.submit(None, "hello", "work", key=key)
    wait_for(lambda: counts(database)["succeeded"] == 8)


def test_a_damaged_queue_file_is_replaced(make: Make, tmp_path: Path) -> None:
    queue_file = tmp_path / "queue.sqlite3"
    queue_file.write_bytes(b"this is no database" * 1000)
    service = make(job(lambda context: None), poll_interval=timedelta(seconds=0.1), queue="sqlite")
    service.start_worker()
    service.submit(None, "hello", "work")
    wait_for(lambda: queue_file.read_bytes()[:15] == b"SQLite format 3")


def test_messages_are_json(make: Make, database: Database) -> None:
    service = make(job(lambda context: None))
    service.submit(None, "hello", "work")
    (message,) = service._open_queue().huey.storage.enqueued_items()
    assert bytes(message).startswith(b"[")
    assert b"work" in bytes(message)


def test_a_hostile_message_costs_nothing(make: Make, database: Database) -> None:
    service = make(job(lambda context: None), workers=1)
    service.start_worker()
    for message in (b"\x80\x04cos\nsystem\n", b"[]", b'{"a": 1}', b'["x", "os.system"]'):
        service._open_queue().huey.storage.enqueue(message)
    service.submit(None, "hello", "work")
    wait_for(lambda: counts(database)["succeeded"] == 1)


def test_a_queue_that_does_not_fit_the_database(sqlite_database: Database, tmp_path: Path) -> None:
    settings = JobsSettings(queue="postgresql")
    service = Jobs(sqlite_database, [], cast(Any, None), settings, now)
    with pytest.raises(SettingsError, match=r"jobs\.queue is postgresql"):
        service.start_worker()


class Seen:
    """An event handler that keeps what it is given, and may fail first."""

    def __init__(self, failures: int = 0) -> None:
        self.batches: list[list[str]] = []
        self.failures = failures

    def __call__(self, context: EventContext) -> None:
        if self.failures:
            self.failures -= 1
            raise ValueError("not today")
        self.batches.append([item.subject for item in context.events])

    @property
    def subjects(self) -> list[str]:
        return [subject for batch in self.batches for subject in batch]


def publish(database: Database, *facts: tuple[str, str]) -> None:
    with database.write() as connection:
        events.publish_many(connection, [(*fact, None) for fact in facts], at=now())


def test_event_handlers_are_given_their_events(make: Make, database: Database) -> None:
    publish(database, ("a.x", "before the handler was there"))
    good, other, failing = Seen(), Seen(), Seen(failures=10**9)
    service = make(
        handlers=(
            EventHandler(name="failing", kinds=("a.",), handle=failing),
            EventHandler(name="good", kinds=("a.",), handle=good),
            EventHandler(name="other", kinds=("b.y",), handle=other),
        )
    )
    service.start_worker()
    begin = time.perf_counter()
    publish(database, ("a.x", "1"), ("b.x", "2"), ("b.y", "3"), ("a.z", "4"))
    wait_for(lambda: good.subjects == ["1", "4"] and other.subjects == ["3"])
    assert time.perf_counter() - begin < 1
    publish(database, ("a.x", "5"))
    wait_for(lambda: good.subjects == ["1", "4", "5"])
    with database.read() as connection:
        (stuck,) = jobs.runs(connection, name="events:failing")
    assert (stuck.state, stuck.error) == ("waiting", "ValueError: not today")


@pytest.mark.parametrize(
    ("error", "traced"),
    [(NotReadyError("The host did not answer."), False), (ValueError("not expected"), True)],
)
def test_the_log_shows_the_way_to_what_nobody_expected(
    make: Make,
    database: Database,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
    traced: bool,
) -> None:
    def fail(_: JobContext) -> None:
        raise error

    service = make(job(fail, attempts=1), workers=1)
    service.start_worker()
    service.submit(None, "hello", "work")
    wait_for(lambda: counts(database)["failed"] == 1)
    [record] = [record for record in caplog.records if str(error) in record.getMessage()]
    assert bool(record.exc_info) is traced


def test_a_handler_gets_what_it_failed_on_again(make: Make, database: Database) -> None:
    handler = Seen(failures=1)
    service = make(handlers=(EventHandler(name="late", kinds=("a",), handle=handler),))
    service.run_once()
    publish(database, ("a", "1"))
    service.run_once()
    assert handler.batches == []
    publish(database, ("a", "2"))
    service.run_once()
    assert handler.batches == []  # it pauses
    service.submit(None, "hello", "events:late")
    service.run_once()
    assert handler.batches == [["1", "2"]]
    assert service.run_once() == 0


def test_handlers_work_through_a_backlog_in_batches(make: Make, database: Database) -> None:
    handler = Seen()
    service = make(handlers=(EventHandler(name="all", kinds=("a",), handle=handler),))
    service.run_once()
    subjects = [str(number) for number in range(11_000)]
    publish(database, *[("a", subject) for subject in subjects])
    assert service.run_once() >= 2
    assert handler.subjects == subjects
    assert max(len(batch) for batch in handler.batches) == 500
