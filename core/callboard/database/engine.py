"""Engine, connections and transactions."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from callboard.database.signals import TOPICS, CommitSignals
from callboard.errors import SettingsError

BUSY_SECONDS = 15


class Database:
    """Connections for reading and transactions for writing.

    On SQLite writers of this process queue on a lock of their own, which is fair, instead of
    polling the file's lock; other processes wait for `BUSY_SECONDS` at most.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        try:
            self.url = make_url(url)
        except ArgumentError as error:
            raise SettingsError(
                "database.url is not a database URL.",
                hint="Expected sqlite:///file.sqlite3 or postgresql://user@host/name.",
            ) from error
        if self.url.drivername == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        self.dialect: Literal["sqlite", "postgresql"] = self._dialect()
        self._write_lock = threading.RLock()
        self.committed = CommitSignals()
        self.engine = self._make_engine(pool_size)

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

    def _make_engine(self, pool_size: int) -> Engine:
        if self.dialect == "postgresql":
            return create_engine(
                self.url, pool_size=pool_size, max_overflow=pool_size, pool_pre_ping=True
            )
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
            connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    @property
    def path(self) -> Path | None:
        """The file of a SQLite database, or None."""
        return Path(str(self.url.database)) if self.dialect == "sqlite" else None

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a connection that sees one consistent state; nothing it does is kept."""
        with self.engine.connect() as connection:
            if self.dialect == "postgresql":
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open one transaction: committed at the end of the block, rolled back by an exception."""
        topics: set[str] = set()
        lock = nullcontext() if self.dialect == "postgresql" else self._write_lock
        with lock, self.engine.connect() as connection:
            connection = connection.execution_options(callboard_write=True, **{TOPICS: topics})
            with connection.begin():
                yield connection
        self.committed.send(topics)

    def ping(self) -> None:
        """Ask the database for a sign of life; raises what the driver raises."""
        with self.engine.connect() as connection:
            connection.execute(text("SELECT 1"))

    def close(self) -> None:
        self.engine.dispose()


def _prepare_sqlite(connection: sqlite3.Connection, _: Any) -> None:
    # The driver's own transaction handling would commit before DDL; BEGIN is sent by us instead.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA cache_size=-8192")
    cursor.execute("PRAGMA temp_store=MEMORY")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # IMMEDIATE takes the write lock first: a transaction that reads and then writes would
    # otherwise fail at once, without waiting, when another writer came between.
    write = connection.get_execution_options().get("callboard_write")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
