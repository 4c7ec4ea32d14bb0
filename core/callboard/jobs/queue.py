"""The queue: Huey, as a bell that tells workers to look at the tables.

A message says only "look": what is to be done, and whether it was, is in `job_run`. So a message
that is lost, doubled or late costs promptness and nothing else, and the queue may be deleted at
any time. Messages are JSON: reading one never runs code.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from callboard.jobs.huey_import import use_postgresql  # isort: skip - comes before Huey
from huey import Huey, PostgresHuey, SqliteHuey
from huey.consumer import BaseProcess, Consumer
from huey.registry import Message
from huey.serializer import Serializer
from huey.storage import PostgresStorage, SqliteStorage

from callboard.database import Database
from callboard.errors import SettingsError
from callboard.settings import JobsSettings

HEALTH_SECONDS = 10
_PAUSE = 1.0  # seconds until a worker asks again for a server that is away
_SQLITE_FILE = b"SQLite format 3\0"
_TABLES_LOCK = 0x71756575  # of PostgreSQL's advisory locks: any number, always the same

log = logging.getLogger(__name__)


class JsonSerializer(Serializer):  # type: ignore[misc]
    def _serialize(self, data: Any) -> bytes:
        return orjson.dumps(list(data))

    def _deserialize(self, data: bytes) -> Any:
        return Message(*orjson.loads(data))


class SqliteQueueStorage(SqliteStorage):  # type: ignore[misc]
    """Waits for messages instead of polling fast: this process rings, others are polled for."""

    blocking = True

    def __init__(self, name: str, *, poll_seconds: float, **options: Any) -> None:
        self._poll_seconds = poll_seconds
        self._bell = threading.Condition()
        self._rings = 0
        super().__init__(name, fsync=False, cache_mb=1, **options)

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        try:
            super().enqueue(data, priority)
        except sqlite3.DatabaseError as error:
            self.repair(error)
            super().enqueue(data, priority)
        finally:
            self.wake()

    def dequeue(self) -> bytes | None:
        rings = self._rings
        try:
            data: bytes | None = super().dequeue()
        except sqlite3.DatabaseError as error:
            data = None
            self.repair(error)
        if data is None:
            with self._bell:
                self._bell.wait_for(lambda: self._rings != rings, self._poll_seconds)
        return data

    def wake(self) -> None:
        with self._bell:
            self._rings += 1
            self._bell.notify_all()

    def repair(self, error: Exception) -> None:
        """Open the file again, which creates a deleted one; a damaged one is replaced."""
        if "locked" in str(error):
            return
        log.warning("The queue %s cannot be used (%s); opening it again.", self.filename, error)
        self.close()
        if not isinstance(error, sqlite3.OperationalError):
            self._discard()
        self.initialize_schema()

    def initialize_schema(self) -> None:
        path = Path(self.filename)
        if path.exists() and path.stat().st_size:
            with path.open("rb") as file:
                if file.read(len(_SQLITE_FILE)) != _SQLITE_FILE:
                    log.warning("%s is no queue; it is replaced.", path)
                    self._discard()
        super().initialize_schema()

    def _discard(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            Path(f"{self.filename}{suffix}").unlink(missing_ok=True)

    def release(self) -> None:
        """Nothing is kept for each thread."""


class PostgresQueueStorage(PostgresStorage):  # type: ignore[misc]
    """Huey's storage on LISTEN and NOTIFY, which creates its tables again when they are gone."""

    def initialize_schema(self) -> None:
        # Two processes that make a table at the same moment collide, IF NOT EXISTS or not.
        with self.db(commit=True, close=True) as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", (_TABLES_LOCK,))
            for statement in self.ddl:
                cursor.execute(statement)

    def enqueue(self, data: bytes, priority: float | None = None) -> None:
        try:
            super().enqueue(data, priority)
        except Exception as error:
            self.repair(error)
            super().enqueue(data, priority)

    def dequeue(self) -> bytes | None:
        try:
            # Listening comes first: what is sent after a look at the table must be heard.
            connection = self._listen_conn()
            data: bytes | None = self._dequeue()
            if data is None:
                list(connection.notifies(timeout=self.read_timeout, stop_after=1))
        except Exception as error:
            self._connect_again(error)
            return None
        return data

    def _connect_again(self, error: Exception) -> None:
        import psycopg

        try:
            self.repair(error)
        except psycopg.OperationalError:  # the server is still away, as the warning says
            time.sleep(_PAUSE)

    def wake(self) -> None:
        """Let every worker look at once, to see that it is to stop."""
        try:
            self.sql("select pg_notify(%s, '')", (self.channel,))
        except Exception as error:  # they look by themselves after `read_timeout`
            log.info("The workers cannot be woken (%s).", error)

    def repair(self, error: Exception) -> None:
        log.warning("The tables of the queue cannot be used (%s); connecting again.", error)
        self.release()
        self.close()
        self.initialize_schema()

    def release(self) -> None:
        """Close the connection on which the calling thread listens."""
        connection = getattr(self._listen_local, "conn", None)
        if connection is not None:
            self._close_quiet(connection)
            self._listen_local.conn = None


class Queue:
    """The queue of these settings; `work` is called, in a worker, for every ring.

    Raises `SettingsError` where the settings do not fit the database.
    """

    def __init__(
        self, database: Database, settings: JobsSettings, work: Callable[[], None]
    ) -> None:
        try:
            self.huey = _make_huey(database, settings)
        except sqlite3.OperationalError as error:
            raise SettingsError(
                f"The queue of jobs cannot be opened: {error}.",
                hint="Name a file that can be written by jobs.queue_file.",
            ) from error
        self._closed = False
        self.huey.on_shutdown("release")(self._release)
        self._task = self.huey.task(name="work")(work)

    def ring(self) -> None:
        """Have one worker, of any process, look for work."""
        try:
            self._task()
        except Exception:  # the work is in its table and is found without a message, a bit later
            log.exception("The queue of jobs cannot be written.")

    def is_empty(self) -> bool:
        """Say whether no message waits; a queue that cannot be read holds none."""
        try:
            return not self.huey.pending_count()
        except Exception as error:
            log.warning("The queue of jobs cannot be read: %s", error)
            return True

    def close(self) -> None:
        self._closed = True
        self.huey.storage.close()

    def _release(self) -> None:
        """Let go of what a worker's thread holds, in that thread, as its last step."""
        self.huey.storage.release()
        if self._closed:  # the run of this worker outlasted the queue, which opened again for it
            self.huey.storage.close()


def _make_huey(database: Database, settings: JobsSettings) -> Huey:
    kind = database.dialect if settings.queue == "auto" else settings.queue
    common = {"results": False, "serializer": JsonSerializer()}
    seconds = settings.poll_interval.total_seconds()
    if kind == "sqlite":
        # The folder of the database can be written to; that of the settings often cannot.
        beside = database.path.parent if database.path else Path()
        return SqliteHuey(
            "callboard",
            storage_class=SqliteQueueStorage,
            filename=str(settings.queue_file or beside / "callboard-queue.sqlite3"),
            poll_seconds=seconds,
            **common,
        )
    if database.dialect != "postgresql":
        raise SettingsError(
            "jobs.queue is postgresql, but the database is not.",
            hint="Use queue: auto, or set database.url to a PostgreSQL database.",
        )
    use_postgresql()
    return PostgresHuey(
        "callboard",
        storage_class=PostgresQueueStorage,
        connection=_connector(database),
        read_timeout=seconds,
        table_prefix="callboard_queue",
        **common,
    )


def _connector(database: Database) -> Callable[[], Any]:
    arguments, options = database.engine.dialect.create_connect_args(database.url)

    def connect() -> Any:
        import psycopg

        return psycopg.connect(*arguments, **options)

    return connect


class QueueConsumer(Consumer):  # type: ignore[misc]
    """Huey's worker threads, and in the place of its scheduler one that calls `tick`.

    It lives inside a larger process: signals are that process's business.
    """

    def __init__(
        self, huey: Huey, tick: Callable[[], None], *, workers: int, interval: float
    ) -> None:
        self._tick = tick
        self._interval = interval
        self.wake = threading.Event()
        super().__init__(huey, workers=workers, periodic=False)

    def _set_signal_handlers(self) -> None:
        pass

    def _create_scheduler(self) -> "_Ticker":
        return _Ticker(self, self._tick, self._interval)

    def end(self, seconds: float) -> bool:
        """Stop, waiting for the threads; say whether all of them ended in time."""
        self.shutdown_timeout = seconds
        self.stop_flag.set()
        self.wake.set()
        self.huey.storage.wake()
        return bool(self._join_workers())


class _Ticker(BaseProcess):  # type: ignore[misc]
    process_name = "Scheduler"

    def __init__(self, consumer: QueueConsumer, tick: Callable[[], None], interval: float) -> None:
        super().__init__(consumer.huey, consumer.stop_flag)
        self._consumer = consumer
        self._tick = tick
        self._interval = interval
        self._ticks_to_check = HEALTH_SECONDS / interval

    def loop(self, now: Any = None) -> None:
        self._consumer.wake.clear()
        try:
            self._tick()
            self._check_workers()
        except Exception:  # the database may be away for a while; this thread must live
            log.exception("The schedule of jobs cannot be read; trying again.")
        self._consumer.wake.wait(self._interval)

    def _check_workers(self) -> None:
        self._ticks_to_check -= 1
        if self._ticks_to_check <= 0:
            self._ticks_to_check = HEALTH_SECONDS / self._interval
            self._consumer.check_worker_health()
