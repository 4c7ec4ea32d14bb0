"""The jobs of a process: what may be submitted, and the worker that runs what is due."""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection

from callboard.contributions import EventHandler, Job
from callboard.database import Database
from callboard.errors import NotFoundError
from callboard.events.log import TOPIC as EVENT_TOPIC
from callboard.host import Host
from callboard.jobs import schedules, store
from callboard.jobs.handlers import PREFIX, HandlerJobs
from callboard.jobs.queue import Queue, QueueConsumer
from callboard.jobs.runner import Runner, publish_end
from callboard.jobs.store import JobName
from callboard.plugins import Contributed
from callboard.settings import JobsSettings

STOP_SECONDS: Final = 4.0

log = logging.getLogger(__name__)


class Jobs:
    """Every job the plugins contribute, and the event handlers, which are jobs as well.

    Any number of processes may have one on the same database. `start_worker` makes this process
    run jobs too; without it, `submit` leaves them to the others.
    """

    def __init__(
        self,
        database: Database,
        jobs: Sequence[Contributed[Job]],
        host_for: Callable[[str], Host],
        settings: JobsSettings,
        clock: Callable[[], datetime],
        *,
        event_handlers: Sequence[Contributed[EventHandler]] = (),
    ) -> None:
        self._database = database
        self._host_for = host_for
        self._settings = settings
        self._clock = clock
        self._handlers = HandlerJobs(event_handlers)
        self.known: Mapping[JobName, Job] = {
            (job.plugin, job.value.name): job.value for job in (*jobs, *self._handlers.jobs())
        }
        self.owner = f"{socket.gethostname()[:80]}:{os.getpid()}:{secrets.token_hex(4)}"
        self._runner = Runner(database, self.owner, settings.lease, clock)
        self._queue: Queue | None = None
        self._queue_lock = threading.Lock()
        self._consumer: QueueConsumer | None = None
        self._registered = False
        database.committed.listen(store.TOPIC, self._ring)

    def submit(
        self,
        connection: Connection | None,
        plugin: str,
        name: str,
        payload: Mapping[str, Any] | None = None,
        key: str = "",
    ) -> int:
        """Ask for a run, in the caller's transaction or, without one, in its own; give its number.

        The key names the work: a run of the same job and key that still waits is given back
        instead of a second one, whatever its payload, and its pause after a failure ends. Raises
        `NotFoundError` for a job no loaded plugin has, `InputError` for a payload that is not
        JSON or too large.
        """
        job = self.known.get((plugin, name))
        if job is None:
            raise NotFoundError(
                f"There is no job {plugin}.{name}.",
                hint="The plugins page lists the plugins that are loaded.",
            )
        put = partial(
            store.submit,
            job=(plugin, name),
            payload=payload or {},
            key=key,
            attempts=job.attempts,
            now=self._clock(),
        )
        if connection is not None:
            return put(connection)
        with self._database.write() as own:
            return put(own)

    def start_worker(self) -> None:
        """Run jobs in threads of this process until `stop`; no signal handler is set."""
        if self._settings.workers == 0 or self._consumer is not None:
            return
        self._register()
        self._runner.start()
        self._consumer = QueueConsumer(
            self._open_queue().huey,
            self.tick,
            workers=self._settings.workers,
            interval=self._settings.poll_interval.total_seconds(),
        )
        self._database.committed.listen(EVENT_TOPIC, self._consumer.wake.set)
        self._consumer.start()

    def take_over(self) -> None:
        """Let what an earlier process left running be run again at once, not after its lease.

        Only for a process that is the only one on its database.
        """
        with self._database.write() as connection:
            store.release_all(connection, self._clock())

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """Take no more runs and wait for those that run, but no longer than `seconds`.

        What has not ended by then is run again, by this or another process, from the start.
        """
        self._database.committed.unlisten(store.TOPIC, self._ring)
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            self._database.committed.unlisten(EVENT_TOPIC, consumer.wake.set)
            consumer.end(seconds)
            self._runner.stop(timedelta(seconds=STOP_SECONDS))
        with self._queue_lock:
            if self._queue is not None:
                self._queue.close()
                self._queue = None

    def run_once(self) -> int:
        """Run everything that is due now, in the calling thread, and give how many runs."""
        self._register()
        self.tick()
        count = 0
        while self._run_next():
            count += 1
            self.tick()
        return count

    def tick(self) -> None:
        """Submit what is scheduled and what events call for; find what was lost."""
        now = self._clock()
        with self._database.read() as connection:
            due = schedules.due(connection, self.known, now)
            abandoned = store.abandoned(connection, now)
            pending = self._handlers.pending(connection)
            waiting = store.has_due(connection, self._runnable(), now)
        # What this process still runs is only late with its lease: the database was busy.
        abandoned = [run for run in abandoned if run.id not in self._runner.running()]
        if due or abandoned or pending:
            with self._database.write() as connection:
                for name, was in due:
                    self._submit_scheduled(connection, name, was, now)
                for name in pending:
                    self._put(connection, name, now)
                for run in abandoned:
                    if store.take_back(connection, run, now=now) == "failed":
                        publish_end(connection, run, "failed", now)
        elif waiting and self._consumer is not None and self._open_queue().is_empty():
            self._ring()

    def _submit_scheduled(
        self, connection: Connection, name: JobName, was: datetime, now: datetime
    ) -> None:
        every = self.known[name].every
        if every is not None and schedules.advance(connection, name, every, was, now):
            self._put(connection, name, now)

    def _put(self, connection: Connection, name: JobName, now: datetime) -> None:
        attempts = self.known[name].attempts
        store.submit(connection, name, {}, "", attempts=attempts, now=now, hasten=False)

    def _register(self) -> None:
        if self._registered:
            return
        own = {name: job for name, job in self.known.items() if not name[1].startswith(PREFIX)}
        with self._database.write() as connection:
            schedules.register(connection, own, self._clock())
            self._handlers.register(connection)
        self._registered = True

    def _run_next(self) -> bool:
        with self._database.write() as connection:
            run, more = store.take(
                connection,
                self._runnable(),
                self.owner,
                now=self._clock(),
                lease=self._settings.lease,
            )
        if run is None:
            return False
        if more:
            self._ring()
        job = self.known[run.plugin, run.name]
        self._runner.execute(run, job, partial(self._host_for, run.plugin))
        return True

    def _runnable(self) -> set[JobName]:
        return self.known.keys() - self._runner.hanging()

    def _run_all(self) -> None:
        consumer = self._consumer
        while consumer is not None and not consumer.stop_flag.is_set() and self._run_next():
            pass

    def _ring(self) -> None:
        self._open_queue().ring()

    def _open_queue(self) -> Queue:
        with self._queue_lock:
            if self._queue is None:
                self._queue = Queue(self._database, self._settings, self._run_all)
            return self._queue
