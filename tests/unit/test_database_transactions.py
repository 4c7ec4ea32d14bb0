"""Transactions, snapshots and what a database that cannot be used now says."""

import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Integer, MetaData, Table, func, insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from callboard.database import Database, Json, UtcDateTime, touch
from callboard.errors import InputError, NotReadyError, SettingsError
from callboard.testing import PostgresServer
from callboard.threads import FairLock

metadata = MetaData()
item = Table(
    "item",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("data", Json),
    Column("at", UtcDateTime),
)
part = Table("part", metadata, Column("item", Integer, ForeignKey("item.id"), primary_key=True))


@pytest.fixture
def store(database: Database) -> Database:
    with database.write() as connection:
        metadata.create_all(connection)
    return database


def add(database: Database, *numbers: int) -> None:
    with database.write() as connection:
        for number in numbers:
            connection.execute(insert(item).values(id=number))


def count(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(item)).scalar_one()


def test_a_transaction_is_kept_whole_or_not_at_all(store: Database) -> None:
    add(store, 1, 2)
    with pytest.raises(IntegrityError):
        add(store, 3, 4, 4)

    def fail() -> None:
        with store.write() as connection:
            connection.execute(insert(item).values(id=5))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert count(store) == 2


def test_tables_are_made_in_the_transaction(store: Database) -> None:
    def fail() -> None:
        with store.write() as connection:
            connection.execute(text("CREATE TABLE later (id INTEGER)"))
            connection.execute(text("INSERT INTO later VALUES (1)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with pytest.raises(DBAPIError), store.read() as connection:
        connection.execute(text("SELECT * FROM later"))


def test_reading_sees_one_state(store: Database) -> None:
    add(store, 1)
    with store.read() as connection:
        query = select(func.count()).select_from(item)
        assert connection.execute(query).scalar_one() == 1
        thread = threading.Thread(target=add, args=(store, 2))
        thread.start()
        thread.join()
        assert connection.execute(query).scalar_one() == 1
    assert count(store) == 2


def test_reading_cannot_write(store: Database) -> None:
    with pytest.raises(DBAPIError, match=r"read-?only"), store.read() as connection:
        connection.execute(insert(item).values(id=1))
    # The connection is used again, for either way.
    for number in range(1, 30):
        add(store, number)
        assert count(store) == number


def test_a_thread_reads_while_it_writes(store: Database) -> None:
    with store.write() as connection:
        connection.execute(insert(item).values(id=1))
        assert count(store) == 0
    assert count(store) == 1


def test_a_second_transaction_of_the_same_thread_is_refused_at_once(store: Database) -> None:
    with store.write() as connection:
        connection.execute(insert(item).values(id=1))
        with pytest.raises(RuntimeError, match="open in this thread already"):
            add(store, 2)
    add(store, 3)
    assert count(store) == 2


def test_foreign_keys_are_enforced(store: Database) -> None:
    with pytest.raises(IntegrityError), store.write() as connection:
        connection.execute(insert(part).values(item=9))


@pytest.mark.parametrize(
    "value",
    [
        None,
        {"b": 1, "a": [1.5, None, True, "支付 'quoted' \\ %(x)s \u2028"]},
        [],
        "text",
        0,
        False,
        2**63 - 1,
        {"at": "2026-03-02"},
    ],
)
def test_json_comes_back_as_it_was(store: Database, value: object) -> None:
    with store.write() as connection:
        connection.execute(insert(item).values(id=1, data=value))
    with store.read() as connection:
        [found] = connection.execute(select(item.c.data)).scalars()
    assert found == value
    assert type(found) is type(value)


def test_times_come_back_in_utc(store: Database) -> None:
    moment = datetime(2026, 3, 2, 8, 30, 15, 123456, tzinfo=timezone(timedelta(hours=8)))
    with store.write() as connection:
        connection.execute(insert(item).values(id=1, at=moment))
        connection.execute(insert(item).values(id=2, at=None))
    with store.read() as connection:
        first, second = connection.execute(select(item.c.at).order_by(item.c.id)).scalars()
        later = connection.execute(
            select(item.c.id).where(item.c.at > moment - timedelta(microseconds=1))
        ).scalars()
        assert list(later) == [1]
    assert first == moment
    assert first.tzinfo is UTC
    assert first.isoformat() == "2026-03-02T00:30:15.123456+00:00"
    assert second is None


def test_a_time_without_a_zone_is_refused(store: Database) -> None:
    naive = datetime(2026, 3, 2)  # noqa: DTZ001
    with pytest.raises(StatementError, match="without a zone"), store.write() as connection:
        connection.execute(insert(item).values(id=1, at=naive))


def test_writers_take_turns(store: Database) -> None:
    """Eight threads that write without a pause get about the same share."""
    turns = dict.fromkeys(range(8), 0)
    ends = time.monotonic() + 0.6

    def work(number: int) -> None:
        while time.monotonic() < ends:
            with store.write() as connection:
                connection.execute(text("SELECT 1"))
                turns[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in turns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert min(turns.values()) > max(turns.values()) / 4 > 0


def test_a_lock_is_handed_on_in_order() -> None:
    lock, order = FairLock(), list[int]()
    assert lock.acquire(0)

    def work(number: int) -> None:
        assert lock.acquire(10)
        order.append(number)
        lock.release()

    threads = []
    for number in range(6):
        thread = threading.Thread(target=work, args=(number,))
        thread.start()
        threads.append(thread)
        while len(lock._waiting) <= number:
            time.sleep(0.001)
    assert not lock.acquire(0.01)
    lock.release()
    for thread in threads:
        thread.join()
    assert order == list(range(6))
    assert lock.acquire(0)


# What cannot be used now


@contextmanager
def locked_by_another_process(path: Path, statement: str = "BEGIN EXCLUSIVE") -> Iterator[None]:
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "c.execute(sys.argv[2]); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, path, statement],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield
        assert process.stdin is not None
        process.stdin.close()


def sqlite_at(path: Path, **options: Any) -> Database:
    database = Database(f"sqlite:///{path}", **options)
    with database.write() as connection:
        metadata.create_all(connection)
    return database


def test_a_lock_of_another_process_is_told_after_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    with closing(sqlite_at(path, busy_seconds=0.3)) as database:
        add(database, 1)
        with locked_by_another_process(path):
            begin = time.monotonic()
            with pytest.raises(NotReadyError) as told:
                add(database, 2)
            assert 0.25 < time.monotonic() - begin < 5
            assert str(told.value.message) == (
                f"The database {path} cannot be used: another process holds its lock "
                "(database is locked)."
            )
            assert "backup" in str(told.value.hint)
            assert count(database) == 1
        add(database, 2)
        assert count(database) == 2


def test_a_short_lock_of_another_process_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    with closing(sqlite_at(path, busy_seconds=10)) as database:
        done = threading.Thread(target=add, args=(database, 1))
        with locked_by_another_process(path):
            done.start()
            time.sleep(0.2)
            assert done.is_alive()
        done.join(10)
        assert count(database) == 1


def test_a_transaction_that_stays_open_is_told_to_others(tmp_path: Path) -> None:
    with closing(sqlite_at(tmp_path / "a.sqlite3", queue_seconds=0.1)) as database:
        told: list[BaseException] = []

        def write() -> None:
            try:
                add(database, 1)
            except NotReadyError as error:
                told.append(error)

        with database.write():
            thread = threading.Thread(target=write)
            thread.start()
            thread.join(10)
        assert "another transaction of this process" in str(told[0])
        add(database, 1)


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" * 300])
def test_a_file_that_is_no_database_is_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.sqlite3"
    path.write_bytes(content)
    with closing(Database(f"sqlite:///{path}")) as database:
        with pytest.raises(NotReadyError, match=r"not a SQLite database|damaged"), database.read():
            pass
        with pytest.raises(NotReadyError), database.write():
            pass
    assert path.read_bytes() == content


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with (
        closing(Database(f"sqlite:///{tmp_path}/none/a.sqlite3")) as database,
        pytest.raises(NotReadyError, match="cannot be opened") as told,
        database.read(),
    ):
        pass
    assert "folder exists" in str(told.value.hint)


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://x/y", "nonsense", "oracle+x://a"]
)
def test_a_database_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match=r"database\.url"):
        Database(url)


@pytest.mark.parametrize("write", [False, True])
def test_a_text_with_nul_is_the_fault_of_who_handed_it_in(store: Database, write: bool) -> None:
    """SQLite finds nothing by it, PostgreSQL takes no such text."""
    found: list[object] | str = []
    try:
        with store.write() if write else store.read() as connection:
            found = list(connection.execute(text("select 1 where 'a' = :x"), {"x": "a\0"}))
    except InputError as error:
        found = str(error.message)
    assert found == [] if store.dialect == "sqlite" else "NUL" in found


def test_a_fault_of_a_statement_is_no_fault_of_the_database(store: Database) -> None:
    for opened in (store.read, store.write):
        with pytest.raises(DBAPIError), opened() as connection:
            connection.execute(text("SELECT * FROM there_is_no_such_table"))


def test_a_listener_hears_of_what_is_committed_only(store: Database) -> None:
    heard = []
    store.committed.listen("item", lambda: heard.append(count(store)))

    def fail() -> None:
        with store.write() as connection:
            touch(connection, "item")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert not heard
    with store.write() as connection:
        connection.execute(insert(item).values(id=1))
        touch(connection, "item")
        assert not heard
    assert heard == [1]


@pytest.mark.postgres
def test_a_server_that_is_away_is_told_without_its_password() -> None:
    with closing(Database("postgresql://me:geheim12@127.0.0.1:9/none")) as database:
        with pytest.raises(NotReadyError) as told, database.read():
            pass
        assert "postgresql+psycopg://me:***@127.0.0.1:9/none cannot be used" in str(
            told.value.message
        )
        assert "geheim12" not in str(told.value)


@pytest.mark.postgres
def test_a_connection_that_is_cut_is_told_and_made_anew(
    postgres_database: Database, postgres_server: PostgresServer
) -> None:
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test_%'"

    def write() -> None:
        with postgres_database.write() as connection:
            connection.execute(text("SELECT 1"))
            postgres_server.execute(end)
            connection.execute(text("SELECT 1"))

    with pytest.raises(NotReadyError):
        write()
    postgres_server.execute(end)
    with postgres_database.read() as connection:
        assert connection.execute(text("SELECT 1")).scalar() == 1


@pytest.mark.postgres
def test_a_connection_that_was_cut_while_it_rested_is_replaced(
    postgres_database: Database, postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read() -> object:
        with postgres_database.read() as connection:
            return connection.execute(text("SELECT pg_backend_pid()")).scalar()

    first = read()
    assert read() == first
    postgres_server.execute(f"SELECT pg_terminate_backend({first})")
    with pytest.raises(NotReadyError):  # used a moment ago: nobody asked it
        read()
    second = read()
    assert second != first
    monkeypatch.setattr("callboard.database.idle.IDLE_SECONDS", 0)
    postgres_server.execute(f"SELECT pg_terminate_backend({second})")
    assert read() not in {first, second}


def test_too_few_connections_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callboard.database.engine.POOL_SECONDS", 0.1)
    with closing(Database(f"sqlite:///{tmp_path}/a.sqlite3", pool_size=1)) as database:
        held = [database.engine.connect() for _ in range(3)]
        with pytest.raises(NotReadyError, match=r"database\.pool_size"), database.read():
            pass
        for connection in held:
            connection.close()


def test_the_journal_is_written_ahead(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite3"
    sqlite_at(path).close()
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_password_that_is_not_encoded_is_told_without_any_part_of_it() -> None:
    with pytest.raises(SettingsError, match="percent-encoded") as refused:
        Database("postgresql://callboard:s3cr@t%x@127.0.0.1/callboard")
    assert "s3cr" not in str(refused.value)
    assert "t%x" not in str(refused.value)


def test_a_glance_sees_what_is_there_and_leaves_transactions_as_they_are(store: Database) -> None:
    add(store, 1)
    with store.glance() as connection:
        assert connection.scalar(select(func.count()).select_from(item)) == 1
    with pytest.raises(IntegrityError):
        add(store, 2, 1)
    with store.glance() as connection:
        assert connection.scalar(select(func.count()).select_from(item)) == 1
    with store.read() as connection:
        before = connection.scalar(select(func.count()).select_from(item))
        add(store, 3)
        assert connection.scalar(select(func.count()).select_from(item)) == before
