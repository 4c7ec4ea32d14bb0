"""A thread that reads with one connection for a while: one state, and never one it must not see."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, event, func, insert, select, text
from sqlalchemy.exc import DBAPIError

from callboard.database import Database

metadata = MetaData()
item = Table("item", metadata, Column("id", Integer, primary_key=True))


@pytest.fixture
def store(database: Database) -> Database:
    with database.write() as connection:
        metadata.create_all(connection)
    return database


def add(database: Database, number: int) -> None:
    with database.write() as connection:
        connection.execute(insert(item).values(id=number))


def count(database: Database) -> int:
    with database.read() as connection:
        return connection.execute(select(func.count()).select_from(item)).scalar_one()


def elsewhere(function: Callable[[], Any]) -> Any:
    """Give what a function gives in another thread."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


@contextmanager
def taken(database: Database) -> Iterator[list[int]]:
    """Note each time a connection is taken from the pool."""
    times: list[int] = []

    def note(*_: Any) -> None:
        times.append(1)

    event.listen(database.engine, "checkout", note)
    try:
        yield times
    finally:
        event.remove(database.engine, "checkout", note)


def test_all_reads_share_one_connection_and_one_state(store: Database) -> None:
    with taken(store) as times, store.hold():
        assert count(store) == 0
        elsewhere(lambda: add(store, 1))
        times.clear()
        assert count(store) == 0
        with store.hold():
            assert count(store) == 0
        assert not times
    assert count(store) == 1


def test_nothing_is_taken_where_nothing_is_read(store: Database) -> None:
    with taken(store) as times, store.hold():
        pass
    assert not times


def test_what_the_thread_has_written_is_read(store: Database) -> None:
    with store.hold():
        assert count(store) == 0
        add(store, 1)
        assert count(store) == 1
        with store.read():
            add(store, 2)
            assert count(store) == 2
        add(store, 3)
        assert count(store) == 3


def test_after_a_release_the_state_of_then_is_read(store: Database) -> None:
    with store.hold():
        assert count(store) == 0
        elsewhere(lambda: add(store, 1))
        store.release()
        assert count(store) == 1
    store.release()


def test_another_thread_has_a_connection_of_its_own(store: Database) -> None:
    with store.hold():
        assert count(store) == 0
        elsewhere(lambda: add(store, 1))
        assert elsewhere(lambda: count(store)) == 1


def test_a_connection_that_failed_is_not_given_again(store: Database) -> None:
    with store.hold():
        with pytest.raises(DBAPIError), store.read() as connection:
            connection.execute(text("SELECT * FROM nothing"))
        assert count(store) == 0
        with pytest.raises(DBAPIError), store.read() as connection:
            connection.execute(insert(item).values(id=9))
        assert count(store) == 0


def test_all_connections_are_given_back(store: Database) -> None:
    for _ in range(50):
        with store.hold(), store.read():
            add(store, count(store))
            count(store)
    assert store.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_once_holds_for_the_state_that_is_read(store: Database) -> None:
    def known() -> int:
        with store.read() as connection:
            return store.once(connection, "count", lambda: count(store))

    with store.hold(), store.read() as connection:
        assert [store.once(connection, "numbers", [1].copy).pop(), known()] == [1, 0]
        assert store.once(connection, "numbers", [1].copy) == []
    with store.hold():
        assert known() == 0
        add(store, 1)
        assert known() == 1
    add(store, 2)
    assert known() == 2
