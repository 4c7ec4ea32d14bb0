"""Runs of jobs: submitted once, tried again, taken over, one at a time, on both databases."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from callboard import events, jobs
from callboard.contributions import Job, JobContext
from callboard.database import Database
from callboard.errors import InputError, NotFoundError, SettingsError
from callboard.host import Host
from callboard.jobs import Jobs, Run, store
from callboard.plugins import Contributed
from callboard.settings import JobsSettings
from callboard.testing import Clock

Make = Callable[..., Jobs]


@pytest.fixture
def make(database: Database, clock: Clock, tmp_path: Path) -> Iterator[Make]:
    """Make the jobs of a process; call it again for another process on the same database."""
    made: list[Jobs] = []
    settings = JobsSettings(queue_file=tmp_path / "queue.sqlite3", lease=timedelta(seconds=30))

    def make(*contributed: Job) -> Jobs:
        host = SimpleNamespace(read=database.read, write=database.write, now=clock)
        given = [Contributed("hello", job) for job in contributed]
        made.append(Jobs(database, given, lambda _: cast(Host, host), settings, clock))
        return made[-1]

    yield make
    for item in made:
        item.stop()


def job(run: Callable[[JobContext], None], **options: Any) -> Job:
    return Job(name="work", title="Work", run=run, **options)


def nothing(context: JobContext) -> None:
    pass


def fails(context: JobContext) -> None:
    raise ValueError("no route to https://li:hunter2@git.example.com/x")


def run_of(database: Database, number: int) -> Run:
    with database.read() as connection:
        run = jobs.find(connection, number)
    assert run is not None
    return run


def test_a_run_is_carried_out_with_its_payload(make: Make, database: Database) -> None:
    seen: list[JobContext] = []

    def work(context: JobContext) -> None:
        seen.append(context)
        context.progress(3, 4, "three of four")

    service = make(job(work))
    number = service.submit(None, "hello", "work", {"source": "orders"}, "orders")
    assert run_of(database, number).state == "waiting"
    assert service.run_once() == 1
    run = run_of(database, number)
    assert (run.state, run.attempt, run.key, run.error) == ("succeeded", 1, "orders", "")
    assert (run.progress_done, run.progress_total, run.progress_text) == (3, 4, "three of four")
    assert run.seconds is not None
    assert run.started_at is not None
    assert run.finished_at is not None
    assert (seen[0].run, seen[0].payload, seen[0].attempt) == (number, {"source": "orders"}, 1)
    with database.read() as connection:
        (told,) = events.read(connection, 0, ("job.",))
    assert (told.kind, told.subject) == ("job.run.succeeded", "hello.work")
    assert told.data == {"run": number, "key": "orders", "attempt": 1}


def test_submitting_is_part_of_the_transaction(make: Make, database: Database) -> None:
    service = make(job(nothing))
    with suppress(InputError), database.write() as connection:
        service.submit(connection, "hello", "work")
        raise InputError("The change fails after the run was submitted.")
    assert service.run_once() == 0


def test_a_waiting_run_of_the_same_key_is_given_back(make: Make, database: Database) -> None:
    again: list[int] = []

    def work(context: JobContext) -> None:
        if not again:
            again.append(service.submit(None, "hello", "work", key="a"))

    service = make(job(work))
    first = service.submit(None, "hello", "work", {"n": 1}, "a")
    assert service.submit(None, "hello", "work", {"n": 2}, "a") == first
    assert service.submit(None, "hello", "work", key="b") != first
    assert service.run_once() == 3
    assert again[0] != first  # submitted while it ran: what changed meanwhile needs a new run
    assert run_of(database, first).payload == {"n": 1}


def test_unknown_jobs_and_bad_payloads_are_refused(make: Make) -> None:
    service = make(job(nothing))
    with pytest.raises(NotFoundError, match=r"hello\.other"):
        service.submit(None, "hello", "other")
    with pytest.raises(InputError, match="not JSON"):
        service.submit(None, "hello", "work", {"x": object()})
    with pytest.raises(InputError, match="at most"):
        service.submit(None, "hello", "work", {"x": "x" * store.MAXIMUM_PAYLOAD})


def test_a_failure_is_tried_again_later_and_later(
    make: Make, database: Database, clock: Clock
) -> None:
    service = make(job(fails, attempts=3, backoff=timedelta(seconds=10)))
    number = service.submit(None, "hello", "work")
    for attempt, pause in ((1, 10), (2, 20)):
        assert service.run_once() == 1
        run = run_of(database, number)
        assert (run.state, run.attempt) == ("waiting", attempt)
        wait = (run.not_before - clock()).total_seconds()
        assert 0.9 * pause <= wait <= 1.1 * pause
        clock.advance(wait - 0.01)
        assert service.run_once() == 0
        clock.advance(0.02)
    assert service.run_once() == 1
    run = run_of(database, number)
    assert (run.state, run.attempt, run.attempts) == ("failed", 3, 3)
    assert run.error.startswith("ValueError: no route to https://***@git.example.com")
    assert run.error_id.startswith("e-")
    with database.read() as connection:
        assert [item.kind for item in events.read(connection, 0)] == ["job.run.failed"]


def test_submitting_again_ends_the_pause(make: Make, clock: Clock) -> None:
    service = make(job(fails, backoff=timedelta(hours=1)))
    number = service.submit(None, "hello", "work")
    assert service.run_once() == 1
    assert service.run_once() == 0
    assert service.submit(None, "hello", "work") == number
    assert service.run_once() == 1


def test_a_newer_run_takes_the_place_of_another_try(make: Make, database: Database) -> None:
    attempts: list[int] = []

    def work(context: JobContext) -> None:
        attempts.append(context.run)
        if len(attempts) == 1:
            service.submit(None, "hello", "work")
            raise ValueError("the first fails")

    service = make(job(work, backoff=timedelta(hours=1)))
    first = service.submit(None, "hello", "work")
    assert service.run_once() == 2
    assert run_of(database, first).state == "failed"
    assert run_of(database, attempts[1]).state == "succeeded"


def test_errors_are_bounded(make: Make, database: Database) -> None:
    def work(context: JobContext) -> None:
        raise ValueError("x" * 100_000)

    service = make(job(work, attempts=1))
    number = service.submit(None, "hello", "work")
    service.run_once()
    assert len(run_of(database, number).error) == 2000


def test_an_abandoned_run_is_taken_over_and_its_first_owner_ignored(
    make: Make, database: Database, clock: Clock
) -> None:
    service = make(job(nothing, attempts=2))
    number = service.submit(None, "hello", "work")
    with database.write() as connection:
        lost, _ = store.take(
            connection, service.known, "gone", now=clock(), lease=timedelta(seconds=30)
        )
    assert lost is not None
    clock.advance(29)
    assert service.run_once() == 0
    clock.advance(2)
    assert service.run_once() == 1
    run = run_of(database, number)
    assert (run.state, run.attempt) == ("succeeded", 2)
    with database.write() as connection:
        assert not store.succeed(
            connection, lost, now=clock(), seconds=99, progress=(0, 0, "too late")
        )
        assert not store.renew(connection, lost, until=clock(), progress=(0, 0, "too late"))
    assert run_of(database, number) == run


def test_a_run_that_kills_its_process_each_time_is_given_up(
    make: Make, database: Database, clock: Clock
) -> None:
    service = make(job(nothing, attempts=3))
    number = service.submit(None, "hello", "work")
    for attempt in (1, 2, 3):
        with database.write() as connection:
            run, _ = store.take(
                connection, service.known, "gone", now=clock(), lease=timedelta(seconds=30)
            )
        assert run is not None
        assert run.attempt == attempt
        clock.advance(31)
        service.tick()
    run = run_of(database, number)
    assert (run.state, run.attempt) == ("failed", 3)
    assert "in attempt 3 of 3" in run.error
    assert service.run_once() == 0


def test_one_runner_at_a_time_for_each_key(make: Make, database: Database, clock: Clock) -> None:
    running: set[str] = set()
    most: list[int] = []

    def work(context: JobContext) -> None:
        key = str(context.payload["key"])
        assert key not in running, "two at once"
        running.add(key)
        most.append(len(running))
        time.sleep(0.005)
        running.discard(key)

    processes = [make(job(work, attempts=1)) for _ in range(3)]

    def submit_and_run(service: Jobs) -> None:
        for number in range(12):
            key = "ab"[number % 2]
            service.submit(None, "hello", "work", {"key": key}, key)
            service._run_next()

    threads = [threading.Thread(target=submit_and_run, args=(item,)) for item in processes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    processes[0].run_once()
    with database.read() as connection:
        counted = jobs.counts(connection)
    assert counted["failed"] == counted["waiting"] == counted["running"] == 0
    assert counted["succeeded"] == len(most)
    assert max(most) == 2


def test_a_schedule_runs_once_however_many_processes_there_are(
    make: Make, database: Database, clock: Clock
) -> None:
    every = timedelta(minutes=5)
    ran: list[int] = []
    scheduled = job(lambda context: ran.append(context.run), every=every)
    processes = [make(scheduled) for _ in range(3)]
    for _ in range(4):
        threads = [threading.Thread(target=item.run_once) for item in processes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        with database.read() as connection:
            (summary,) = jobs.summaries(connection)
        assert summary.next_at is not None
        assert 0.9 * every <= summary.next_at - clock() <= 1.1 * every
        clock.set(summary.next_at)
    assert len(ran) == 4


def test_schedules_follow_the_jobs(make: Make, database: Database, clock: Clock) -> None:
    def next_at() -> list[timedelta]:
        with database.read() as connection:
            found = [item.next_at for item in jobs.summaries(connection)]
        return [item - clock() for item in found if item is not None]

    make(job(nothing, every=timedelta(days=10))).run_once()
    assert next_at()[0] > timedelta(days=8)
    make(job(nothing, every=timedelta(minutes=1))).run_once()
    assert next_at()[0] <= timedelta(minutes=1)
    make().run_once()  # a process without the plugin leaves the schedule alone
    assert len(next_at()) == 1
    make(job(nothing)).run_once()
    assert next_at() == []


def test_a_run_over_its_time_limit_is_given_up(make: Make, database: Database) -> None:
    release = threading.Event()

    def hang(context: JobContext) -> None:
        release.wait(10)

    service = make(job(hang, timeout=timedelta(seconds=0.05)))
    number = service.submit(None, "hello", "work")
    assert service.run_once() == 1
    run = run_of(database, number)
    assert run.state == "failed"
    assert "time limit of 0.05 s" in run.error
    service.submit(None, "hello", "work")
    assert service.run_once() == 0  # the first one still runs
    release.set()
    deadline = time.monotonic() + 5
    while service.run_once() == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_leases_and_progress_are_renewed_while_a_run_works(
    make: Make, database: Database, clock: Clock
) -> None:
    working, release = threading.Event(), threading.Event()

    def work(context: JobContext) -> None:
        context.progress(1, 2, "half, token=hunter2")
        working.set()
        release.wait(10)

    service = make(job(work))
    number = service.submit(None, "hello", "work")
    thread = threading.Thread(target=service.run_once)
    thread.start()
    assert working.wait(5)
    clock.advance(20)
    service._runner.beat()
    run = run_of(database, number)
    assert run.lease_until == clock() + timedelta(seconds=30)
    assert (run.progress_done, run.progress_text) == (1, "half, token=***")
    clock.advance(100)
    service.tick()  # late with its lease, but this very process works on it
    assert run_of(database, number).state == "running"
    release.set()
    thread.join(5)
    assert run_of(database, number).state == "succeeded"


def test_what_the_page_shows(make: Make, database: Database, clock: Clock) -> None:
    service = make(
        Job(name="good", title="Good", run=nothing, every=timedelta(minutes=5)),
        Job(name="bad", title="Bad", run=fails, attempts=1),
    )
    service.run_once()
    bad = service.submit(None, "hello", "bad", key="x")
    service.run_once()
    waiting = service.submit(None, "hello", "bad", key="y")
    clock.advance(7)
    with database.read() as connection:
        assert [run.name for run in jobs.runs(connection)] == ["bad", "bad", "good"]
        assert [run.id for run in jobs.runs(connection, state="failed")] == [bad]
        assert [run.name for run in jobs.runs(connection, before=bad)] == ["good"]
        assert jobs.runs(connection, plugin="other") == []
        assert jobs.counts(connection) == {
            "waiting": 1, "running": 0, "succeeded": 1, "failed": 1, "cancelled": 0,
        }  # fmt: skip
        assert jobs.oldest_waiting(connection, clock()) == timedelta(seconds=7)
        first, second = jobs.summaries(connection)
    assert first.last is not None
    assert first.last_failed is not None
    assert (first.name, first.last.id, first.last_failed.id) == ("bad", waiting, bad)
    assert (second.every, second.last_failed) == (timedelta(minutes=5), None)
    with database.write() as connection:
        assert jobs.cancel(connection, waiting, now=clock())
        assert not jobs.cancel(connection, waiting, now=clock())
    assert service.run_once() == 0


def test_housekeeping_deletes_what_is_old(make: Make, database: Database, clock: Clock) -> None:
    service = make(job(nothing), jobs.housekeeping(timedelta(days=30)))
    service.submit(None, "hello", "work", key="old")
    service.run_once()
    clock.advance(timedelta(days=31))
    service.submit(None, "hello", "work", key="new")
    service.run_once()
    with database.read() as connection:
        left = jobs.runs(connection)
        assert sorted((run.name, run.key) for run in left) == [
            ("housekeeping", ""),
            ("work", "new"),
        ]
        assert all(item.at == clock() for item in events.read(connection, 0))


def test_a_run_given_back_waits_for_the_change_it_is_to_see(make: Make, database: Database) -> None:
    ran = threading.Event()
    service = make(job(lambda context: ran.set()))
    number = service.submit(None, "hello", "work")

    def run_until_done() -> None:
        while service.run_once() == 0:
            time.sleep(0.01)

    with database.write() as connection:
        assert service.submit(connection, "hello", "work") == number
        thread = threading.Thread(target=run_until_done)
        thread.start()
        assert not ran.wait(0.2)
    assert ran.wait(5)
    thread.join(5)


def test_quiet_job_keeps_only_its_latest_success_and_tells_nobody(
    make: Make, database: Database
) -> None:
    worker = make(job(nothing, quiet=True))
    numbers = []
    for _ in range(3):
        numbers.append(worker.submit(None, "hello", "work"))
        assert worker.run_once() == 1
    with database.read() as connection:
        assert [run.id for run in jobs.runs(connection)] == numbers[-1:]
        assert not events.read(connection, 0, kinds=("job.",))


def test_quiet_job_keeps_its_failures(make: Make, database: Database) -> None:
    worker = make(job(fails, quiet=True, attempts=1))
    number = worker.submit(None, "hello", "work")
    worker.run_once()
    assert run_of(database, number).state == "failed"
    with database.read() as connection:
        assert [item.kind for item in events.read(connection, 0)] == ["job.run.failed"]


def test_take_over_frees_what_a_killed_process_was_running(
    make: Make, database: Database, clock: Clock
) -> None:
    killed, present = make(job(nothing)), make(job(nothing))
    number = killed.submit(None, "hello", "work")
    with database.write() as connection:
        lease = timedelta(seconds=30)
        store.take(connection, {("hello", "work")}, "killed", now=clock(), lease=lease)
    clock.advance(1)
    assert present.run_once() == 0
    present.take_over()
    clock.advance(1)
    assert present.run_once() == 1
    assert (run_of(database, number).state, run_of(database, number).attempt) == ("succeeded", 2)


def test_a_queue_file_that_cannot_be_written_is_told_in_words(
    sqlite_database: Database, clock: Clock, tmp_path: Path
) -> None:
    settings = JobsSettings(queue="sqlite", queue_file=tmp_path / "gone" / "queue.sqlite3")
    worker = Jobs(sqlite_database, [], lambda _: cast(Host, None), settings, clock)
    with pytest.raises(SettingsError, match="queue of jobs cannot be opened") as refused:
        worker.start_worker()
    assert "jobs.queue_file" in str(refused.value.hint)
    worker.stop()
