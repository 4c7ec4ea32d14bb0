"""Carries out runs that were taken: the thread, the time limit, the lease, the result."""

import logging
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from callboard import events
from callboard.contributions import Job, JobContext
from callboard.database import Database
from callboard.errors import CallboardError
from callboard.host import Host
from callboard.jobs import store
from callboard.jobs.handlers import PREFIX
from callboard.jobs.store import JobName, Run
from callboard.redaction import redact

ERROR_CHARACTERS: Final = 2000
BEAT_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Active:
    run: Run
    thread: threading.Thread | None = None
    started: float = field(default_factory=time.perf_counter)
    progress: tuple[int, int, str] = (0, 0, "")
    written: tuple[int, int, str] = (0, 0, "")
    renewed: float = field(default_factory=time.monotonic)
    error: BaseException | None = None

    def show(self, done: int, total: int, what: str) -> None:
        self.progress = (int(done), int(total), redact(str(what)))

    @property
    def seconds(self) -> float:
        return round(time.perf_counter() - self.started, 3)


class Runner:
    """Runs jobs, each in a thread of its own, and keeps their leases alive.

    A thread cannot be ended from outside. A run that takes longer than its time limit is marked
    as failed and left to itself; this process takes no other run of that job until it returns.
    """

    def __init__(
        self, database: Database, owner: str, lease: timedelta, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._owner = owner
        self._lease = lease
        self._clock = clock
        self._lock = threading.Lock()
        self._active: dict[int, _Active] = {}
        self._hanging: dict[threading.Thread, JobName] = {}
        self._busy = threading.Event()
        self._stopping = threading.Event()
        self._beat: threading.Thread | None = None

    def start(self) -> None:
        """Begin to keep leases alive."""
        self._stopping.clear()
        self._beat = threading.Thread(target=self._keep_alive, name="job-lease", daemon=True)
        self._beat.start()

    def stop(self, grace: timedelta) -> None:
        """Let the leases of what still runs end after `grace`, so that others take it over."""
        self._stopping.set()
        self._busy.set()
        if self._beat is not None:
            self._beat.join(BEAT_SECONDS)
            self._beat = None
        left = self._list()
        if left:
            until = self._clock() + grace
            with self._database.write() as connection:
                for active in left:
                    store.renew(connection, active.run, until=until, progress=active.progress)
            log.warning("%d runs did not end in time; they will be run again.", len(left))

    def running(self) -> set[int]:
        """Give the numbers of the runs this process works on."""
        return {active.run.id for active in self._list()}

    def hanging(self) -> set[JobName]:
        """Give the jobs of which a run is past its time limit and has not returned."""
        with self._lock:
            for thread in [thread for thread in self._hanging if not thread.is_alive()]:
                del self._hanging[thread]
            return set(self._hanging.values())

    def execute(self, run: Run, job: Job, host: Callable[[], Host]) -> None:
        """Carry out one run and write what became of it."""
        active = _Active(run)
        active.thread = threading.Thread(
            target=_call, args=(active, job, host), name=f"job-{run.id}-{run.job}", daemon=True
        )
        with self._lock:
            self._active[run.id] = active
        self._busy.set()
        try:
            active.thread.start()
            active.thread.join(job.timeout.total_seconds())
            self._conclude(active, job, active.thread)
        finally:
            with self._lock:
                del self._active[run.id]

    def _conclude(self, active: _Active, job: Job, thread: threading.Thread) -> None:
        if thread.is_alive():
            with self._lock:
                self._hanging[thread] = (active.run.plugin, active.run.name)
            limit = job.timeout.total_seconds()
            text = (
                f"It took longer than its time limit of {limit:g} s and was given up. Its thread "
                "cannot be ended: this process starts the job again when it returns."
            )
            self._fail(active, text, None)
        elif active.error is None:
            self._succeed(active, job)
        else:
            retry = active.run.attempt < active.run.attempts
            at = store.retry_at(job, active.run.attempt, self._clock()) if retry else None
            self._fail(active, _describe(active.error), at)

    def _succeed(self, active: _Active, job: Job) -> None:
        now = self._clock()
        with self._database.write() as connection:
            kept = store.succeed(
                connection,
                active.run,
                now=now,
                seconds=active.seconds,
                progress=active.progress,
            )
            if kept and job.quiet:
                store.forget_older(connection, active.run)
            elif kept and not active.run.name.startswith(PREFIX):
                publish_end(connection, active.run, "succeeded", now)
        if not kept:
            self._lost(active.run)

    def _fail(self, active: _Active, text: str, retry_at: datetime | None) -> None:
        run, now, error_id = active.run, self._clock(), f"e-{secrets.token_hex(4)}"
        log.error(
            "Job %s, run %d, attempt %d: %s (%s)",
            run.job, run.id, run.attempt, text, error_id,
            exc_info=None if isinstance(active.error, CallboardError) else active.error,
        )  # fmt: skip
        with self._database.write() as connection:
            state = store.fail(
                connection,
                run,
                now=now,
                seconds=active.seconds,
                error=text,
                error_id=error_id,
                retry_at=retry_at,
            )
            if state == "failed":
                publish_end(connection, run, "failed", now)
        if state is None:
            self._lost(run)

    def _lost(self, run: Run) -> None:
        log.warning("Run %d of %s belongs to another worker by now.", run.id, run.job)

    def _list(self) -> list[_Active]:
        with self._lock:
            return list(self._active.values())

    def _keep_alive(self) -> None:
        while not self._stopping.is_set():
            try:
                self.beat()
            except Exception:  # the next beat may reach the database again, before the lease ends
                log.exception("The leases of running jobs could not be renewed; trying again.")
            if self._list():
                self._stopping.wait(BEAT_SECONDS)
            else:
                self._busy.wait()
            self._busy.clear()

    def beat(self) -> None:
        """Renew leases after a third of their time, and write progress that has changed."""
        now, third = time.monotonic(), self._lease.total_seconds() / 3
        due = [
            active
            for active in self._list()
            if active.progress != active.written or now - active.renewed >= third
        ]
        if not due:
            return
        with self._database.write() as connection:
            until = self._clock() + self._lease
            for active in due:
                progress = active.progress
                store.renew(connection, active.run, until=until, progress=progress)
                active.renewed, active.written = now, progress


def publish_end(connection: Connection, run: Run, state: store.State, now: datetime) -> None:
    """Tell of the end of a run. Runs of event handlers tell nothing: they would wake themselves."""
    data = {"run": run.id, "key": run.key, "attempt": run.attempt}
    events.publish(connection, f"job.run.{state}", run.job, data, at=now)


def _call(active: _Active, job: Job, host: Callable[[], Host]) -> None:
    run = active.run
    try:
        job.run(
            JobContext(
                host=host(),
                run=run.id,
                payload=run.payload,
                attempt=run.attempt,
                progress=active.show,
            )
        )
    except BaseException as error:
        active.error = error


def _describe(error: BaseException) -> str:
    text = str(error) if isinstance(error, CallboardError) else f"{type(error).__name__}: {error}"
    return redact(text[: 2 * ERROR_CHARACTERS])[:ERROR_CHARACTERS]
