"""Engine, connections and transactions."""

import re
import sqlite3
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import ExecutionContext
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from callboard.database.failures import explain
from callboard.database.held import Held
from callboard.database.idle import ask_when_idle
from callboard.database.signals import TOPICS, CommitSignals
from callboard.errors import NotReadyError, SettingsError
from callboard.threads import FairLock

BUSY_SECONDS: Final = 15.0
QUEUE_SECONDS: Final = 60.0
POOL_SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 10

BINARY: Final = "callboard_binary"
"""An option of statements of which the rows are large: PostgreSQL sends bytes as they are, instead
of written in hexadecimal digits."""

_HOST: Final = re.compile(r"[\w.:\[\]-]*")
T = TypeVar("T")


class _Thread(threading.local):
    """What a thread does with the database at the moment."""

    writes = False
    held: Held | None = None


class Database:
    """Connections for reading and transactions for writing.

    On SQLite writers of this process queue on a lock of their own, in the order they came and for
    `QUEUE_SECONDS` at most, instead of polling the file's lock; they wait for other processes for
    `busy_seconds` at most. A database that is locked, full, away or not writable is a
    `NotReadyError`; faults of statements are what SQLAlchemy raises.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        busy_seconds: float = BUSY_SECONDS,
        queue_seconds: float = QUEUE_SECONDS,
    ) -> None:
        try:
            self.url = make_url(url)
        except ArgumentError as error:
            raise SettingsError(
                "database.url is not a database URL.",
                hint="Expected sqlite:///file.sqlite3 or postgresql://user@host/name.",
            ) from error
        if not _HOST.fullmatch(self.url.host or ""):
            # The rest of a password that was cut at its `@` would be told as the host's name.
            raise SettingsError(
                "database.url has no host that can be: its password may hold characters such as "
                "@ / : # that must be percent-encoded.",
                hint="Write %40 for @, %2F for /, %3A for :, %23 for #.",
            )
        if self.url.drivername == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        self.dialect: Literal["sqlite", "postgresql"] = self._dialect()
        self._queue = FairLock()
        self._queue_seconds = queue_seconds
        self._thread = _Thread()
        self.committed = CommitSignals()
        self.engine = self._make_engine(pool_size, busy_seconds)

    def _dialect(self) -> Literal["sqlite", "postgresql"]:
        try:
            name = self.url.get_backend_name()
        except NoSuchModuleError:
            name = self.url.drivername
        if name == "sqlite":
            return "sqlite"
        if name == "postgresql":
            return "postgresql"
        raise SettingsError(
            f"database.url names {name!r}, which is not supported.",
            hint="Expected sqlite or postgresql.",
        )

    def _make_engine(self, pool_size: int, busy_seconds: float) -> Engine:
        if self.dialect == "postgresql":
            engine = create_engine(
                self.url,
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_timeout=POOL_SECONDS,
                connect_args=self._unless_given("connect_timeout", CONNECT_SECONDS),
            )
            event.listen(engine, "before_cursor_execute", _choose_format)
            ask_when_idle(engine)
            return engine
        if self.url.database in (None, "", ":memory:"):
            raise SettingsError(
                "database.url names a SQLite database in memory, which several threads and "
                "processes cannot share.",
                hint="Name a file: sqlite:///callboard.sqlite3",
            )
        engine = create_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=2 * pool_size,
            pool_timeout=POOL_SECONDS,
            connect_args={
                "check_same_thread": False,
                **self._unless_given("timeout", busy_seconds),
            },
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _unless_given(self, name: str, value: float) -> dict[str, float]:
        """Give an option of the driver with its default; one in the URL has precedence."""
        return {} if name in self.url.query else {name: value}

    @property
    def path(self) -> Path | None:
        """The file of a SQLite database, or None."""
        return Path(str(self.url.database)) if self.dialect == "sqlite" else None

    @property
    def place(self) -> str:
        """The database as people may see it: its file, or its URL without the password."""
        return str(self.path or self.url.render_as_string(hide_password=True))

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a connection that sees one consistent state; a statement that writes is refused.

        Within `hold` it is the one that is held.
        """
        held = self._thread.held
        with (
            self._explained(reading=True),
            self._connected() if held is None else held.use() as connection,
        ):
            yield connection

    @contextmanager
    def glance(self) -> Iterator[Connection]:
        """Open a connection for one statement that reads, where a moment counts.

        On PostgreSQL it has no transaction around it, which saves two trips to the server. Nothing
        there refuses a statement that writes.
        """
        if self.dialect == "sqlite":
            with self.read() as connection:
                yield connection
            return
        with self._explained(reading=True), self.engine.connect() as connection:
            yield connection.execution_options(isolation_level="AUTOCOMMIT")

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        with self.engine.connect() as connection:
            if self.dialect == "postgresql":
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            yield connection

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Answer all that this thread reads within the block from one connection and one state.

        It is opened by the first who reads, and let go by `write`, by `release` and by whoever
        fails with it; what is read after that is the state of then. Who waits within the block for
        threads that read calls `release` first: they might wait for the connection.
        """
        if self._thread.held is not None:
            yield
            return
        held = self._thread.held = Held(self._connected)
        try:
            yield
        finally:
            self._thread.held = None
            held.release()

    def release(self) -> None:
        """Let go of the connection that is held, if one is; see `hold`."""
        if self._thread.held is not None:
            self._thread.held.release()

    def hand_over(self) -> tuple[Connection, ExitStack]:
        """Give a connection that outlives this call, with what closes it: no block ends it.

        It is the one that is held, if one is, so that what is read goes on from the same state. It
        may be used by any thread, by one at a time.
        """
        held = self._thread.held
        given = None if held is None else held.hand_over()
        if given is not None:
            return given
        stack = ExitStack()
        return stack.enter_context(self._connected()), stack

    def once(self, connection: Connection, key: Hashable, make: Callable[[], T]) -> T:
        """Give what `make` reads with a connection: one time only where the connection is held."""
        held = self._thread.held
        return make() if held is None else held.once(connection, key, make)

    @contextmanager
    def write(self, *, schema: bool = False) -> Iterator[Connection]:
        """Open one transaction: committed at the end of the block, rolled back by an exception.

        A thread may have one at a time: two would wait for each other, or end differently.
        `schema` is for upgrades: foreign keys are not enforced while tables are made anew.
        """
        if self._thread.writes:
            raise RuntimeError(
                "A transaction is open in this thread already. Use its connection, or begin the "
                "second one when the first has ended."
            )
        self.release()
        topics: set[str] = set()
        options = {"callboard_write": True, "callboard_schema": schema, TOPICS: topics}
        with self._turn(), self._explained(reading=False), self.engine.connect() as connection:
            connection = connection.execution_options(**options)
            with connection.begin():
                yield connection
        self.committed.send(topics)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait for the transactions of this process that came before, on SQLite."""
        queued = self.dialect == "sqlite"
        if queued and not self._queue.acquire(self._queue_seconds):
            raise NotReadyError(
                f"The database {self.place} is busy: another transaction of this process has "
                f"been open for more than {self._queue_seconds:g} s.",
                hint="Try again; the jobs page shows what runs.",
            )
        self._thread.writes = True
        try:
            yield
        finally:
            self._thread.writes = False
            if queued:
                self._queue.release()

    @contextmanager
    def _explained(self, *, reading: bool) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as error:
            explained = explain(error, self.place, reading=reading)
            if explained is None:
                raise
            raise explained from error

    def ping(self) -> None:
        """Ask the database for a sign of life; raises what the driver raises."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()


def _choose_format(
    connection: Connection,
    cursor: Any,
    statement: str,
    parameters: Any,
    context: ExecutionContext | None,
    many: bool,
) -> None:
    if context is not None and context.execution_options.get(BINARY):
        from psycopg.pq import Format  # the driver of PostgreSQL is loaded where it is used only

        cursor.format = Format.BINARY


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    # The driver's own transaction handling would commit before DDL; BEGIN is sent by us instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA cache_size=-4096")
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    write = options.get("callboard_write")
    driver: Any = connection.connection.driver_connection
    # The last user of this connection may have wanted the other way: both are told each time.
    driver.execute(f"PRAGMA query_only={'OFF' if write else 'ON'}")
    driver.execute(f"PRAGMA foreign_keys={'OFF' if options.get('callboard_schema') else 'ON'}")
    # IMMEDIATE takes the write lock first: a transaction that reads and then writes would
    # otherwise fail at once, without waiting, when another writer came between.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
