"""The event log: in the change's transaction, in order, whoever writes at the same time."""

import threading
import time
from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, text

from callboard import events
from callboard.contributions import Event
from callboard.database import Database
from callboard.errors import InputError
from callboard.events.models import event
from callboard.identity import Principal
from callboard.testing import Clock


def test_what_is_published_is_read(database: Database, clock: Clock) -> None:
    person = Principal(kind="person", name="li")
    with database.write() as connection:
        number = events.publish(
            connection, "catalog.source.read", "orders", {"head": "abc"}, actor=person, at=clock()
        )
    with database.read() as connection:
        assert events.read(connection, 0) == [
            Event(
                id=number,
                kind="catalog.source.read",
                subject="orders",
                data={"head": "abc"},
                at=clock(),
                actor="person:li",
            )
        ]
        assert events.newest(connection) == number


def test_an_event_is_undone_with_its_change(database: Database, clock: Clock) -> None:
    with suppress(InputError), database.write() as connection:
        events.publish(connection, "a.b", "x", at=clock())
        raise InputError("The change fails after its event was written.")
    with database.read() as connection:
        assert events.read(connection, 0) == []


def test_kinds_whole_and_by_prefix(database: Database, clock: Clock) -> None:
    kinds = ["catalog.entity.created", "catalog.entity", "catalogue.x", "Catalog.entity.x", "b_c.d"]
    with database.write() as connection:
        events.publish_many(connection, [(kind, "s", None) for kind in kinds], at=clock())

    def found(*wanted: str) -> list[str]:
        with database.read() as connection:
            return [item.kind for item in events.read(connection, 0, wanted)]

    assert found() == kinds
    assert found("catalog.") == ["catalog.entity.created", "catalog.entity"]
    assert found("catalog.entity") == ["catalog.entity"]
    assert found("catalog.entity.", "catalogue.x") == ["catalog.entity.created", "catalogue.x"]
    assert found("b%c.") == []


def test_thousands_in_one_transaction_are_quick(database: Database, clock: Clock) -> None:
    begin = time.perf_counter()
    with database.write() as connection:
        facts = [("catalog.entity.created", f"component:default/s{n}", None) for n in range(5000)]
        events.publish_many(connection, facts, at=clock())
    assert time.perf_counter() - begin < 2
    with database.read() as connection:
        batch = events.read(connection, 0)
        assert len(batch) == 500
        following = events.read(connection, batch[-1].id, limit=10_000)
    assert [item.subject for item in batch + following] == [subject for _, subject, _ in facts]


def test_a_later_number_is_never_seen_before_an_earlier_one(
    postgres_database: Database, clock: Clock
) -> None:
    """Two interleaved transactions: the second waits for the first, whose number is lower."""
    database = postgres_database
    second_done = threading.Event()

    def second() -> None:
        with database.write() as connection:
            events.publish(connection, "second", "s", at=clock())
        second_done.set()

    with database.write() as connection:
        events.publish(connection, "first", "s", at=clock())
        thread = threading.Thread(target=second)
        thread.start()
        _wait_for_a_waiting_lock(database)
        assert not second_done.is_set()
        with database.read() as other:
            assert events.read(other, 0) == []
    thread.join(5)
    with database.read() as connection:
        found = events.read(connection, 0)
    assert [item.kind for item in found] == ["first", "second"]
    assert found[0].id < found[1].id


def _wait_for_a_waiting_lock(database: Database) -> None:
    deadline = time.monotonic() + 5
    query = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    while time.monotonic() < deadline:
        with database.read() as connection:
            if connection.execute(query).scalar():
                return
        time.sleep(0.01)
    pytest.fail("The second publisher does not wait for the first.")


def test_readers_by_cursor_miss_nothing_of_many_writers(database: Database, clock: Clock) -> None:
    def write(writer: int) -> None:
        for number in range(20):
            with database.write() as connection:
                events.publish(connection, "k", f"{writer}-{number}", at=clock())

    threads = [threading.Thread(target=write, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    seen: list[str] = []
    position = 0
    while not seen or any(thread.is_alive() for thread in threads):
        with database.read() as connection:
            for item in events.read(connection, position):
                seen.append(item.subject)
                position = item.id
    for thread in threads:
        thread.join(10)
    with database.read() as connection:
        seen += [item.subject for item in events.read(connection, position)]
    assert sorted(seen) == sorted(f"{w}-{n}" for w in range(4) for n in range(20))


def test_old_events_are_pruned_and_numbers_never_return(database: Database, clock: Clock) -> None:
    with database.write() as connection:
        events.publish_many(connection, [("a", "1", None), ("a", "2", None)], at=clock())
        clock.advance(timedelta(days=2))
        last = events.publish(connection, "a", "3", at=clock())
        assert events.prune(connection, clock() - timedelta(days=1)) == 2
        assert [item.subject for item in events.read(connection, 0)] == ["3"]
        assert events.prune(connection, clock() + timedelta(days=1)) == 0
        connection.execute(delete(event))
        assert events.publish(connection, "a", "4", at=clock()) > last
        assert connection.execute(select(event.c.subject)).scalars().all() == ["4"]
