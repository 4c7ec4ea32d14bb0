"""The live stream: prompt, resumable, bounded, and for many readers at once."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import insert

from callboard import events
from callboard.database import Database
from callboard.events import Batch, EventStream
from callboard.events.models import event
from callboard.testing import Clock


@pytest.fixture
def stream(database: Database) -> Iterator[EventStream]:
    stream = EventStream(database, poll_interval=0.2)
    stream.start()
    yield stream
    stream.stop()


def publish(database: Database, clock: Clock, *kinds: str) -> None:
    with database.write() as connection:
        events.publish_many(connection, [(kind, "s", None) for kind in kinds], at=clock())


def kinds_of(batch: Batch) -> list[str]:
    return [item.kind for item in batch.events]


def test_every_reader_gets_it_at_once(
    stream: EventStream, database: Database, clock: Clock
) -> None:
    stream._poll_interval = 30

    async def read() -> list[Batch]:
        with stream.subscribe() as one, stream.subscribe(kinds=("b.",)) as two:
            assert stream.subscribers == 2
            begin = time.perf_counter()
            await asyncio.to_thread(publish, database, clock, "a.x", "b.x")
            batches = [await one.receive(5), await two.receive(5)]
            assert time.perf_counter() - begin < 0.5
            return batches

    time.sleep(0.25)  # the thread enters its long wait, so only the wake-up can end it
    first, second = asyncio.run(read())
    assert kinds_of(first) == ["a.x", "b.x"]
    assert kinds_of(second) == ["b.x"]
    assert stream.subscribers == 0


def test_a_quiet_time_gives_an_empty_batch(stream: EventStream) -> None:
    async def read() -> Batch:
        with stream.subscribe() as reader:
            return await reader.receive(0.05)

    assert asyncio.run(read()) == Batch()


def test_events_of_another_process_are_found_by_polling(
    stream: EventStream, database: Database, clock: Clock
) -> None:
    def write_untold() -> None:
        row = {"kind": "a", "subject": "s", "data": {}, "at": clock(), "actor": "system:x"}
        other = Database(database.url.render_as_string(hide_password=False))
        with other.write() as connection:
            connection.execute(insert(event).values(row))
        other.close()

    async def read() -> Batch:
        with stream.subscribe() as reader:
            await asyncio.to_thread(write_untold)
            return await reader.receive(5)

    assert kinds_of(asyncio.run(read())) == ["a"]


def test_a_reader_resumes_where_it_was(
    stream: EventStream, database: Database, clock: Clock
) -> None:
    publish(database, clock, "a.1", "a.2", "b.3")
    with database.read() as connection:
        seen = events.read(connection, 0)[0].id

    async def read() -> list[str]:
        with stream.subscribe(after=seen) as reader:
            await asyncio.to_thread(publish, database, clock, "a.4")
            await asyncio.sleep(0.1)  # the new one is offered live before the log is read
            found = kinds_of(await reader.receive(5))
            await asyncio.to_thread(publish, database, clock, "a.5")
            while "a.5" not in found:
                found += kinds_of(await reader.receive(5))
            return found

    assert asyncio.run(read()) == ["a.2", "b.3", "a.4", "a.5"]


@pytest.mark.parametrize("after", [-2, 999])
def test_a_place_that_is_not_known_any_more_asks_for_a_reload(
    stream: EventStream, database: Database, clock: Clock, after: int
) -> None:
    publish(database, clock, "a.1")

    async def read() -> Batch:
        with stream.subscribe(after=after) as reader:
            return await reader.receive(5)

    assert asyncio.run(read()) == Batch(resync=True)


def test_a_slow_reader_is_told_to_reload(
    stream: EventStream, database: Database, clock: Clock
) -> None:
    async def read() -> tuple[Batch, Batch]:
        with stream.subscribe(limit=10) as reader:
            for _ in range(3):
                await asyncio.to_thread(publish, database, clock, *["a"] * 6)
                await asyncio.sleep(0.1)
            slow = await reader.receive(5)
            assert len(reader._waiting) == 0
            await asyncio.to_thread(publish, database, clock, "b")
            return slow, await reader.receive(5)

    slow, after = asyncio.run(read())
    assert slow.resync
    assert len(slow.events) <= 10
    assert kinds_of(after) == ["b"]
    assert not after.resync


def test_a_flood_asks_for_a_reload_instead_of_sending_it(
    stream: EventStream, database: Database, clock: Clock
) -> None:
    async def read() -> Batch:
        with stream.subscribe() as reader:
            await asyncio.to_thread(publish, database, clock, *["a"] * 2000)
            return await reader.receive(5)

    assert asyncio.run(read()) == Batch(resync=True)


def test_stopping_ends_the_readers(database: Database) -> None:
    before = set(threading.enumerate())
    stream = EventStream(database)
    stream.start()

    async def read() -> Batch:
        with stream.subscribe() as reader:
            threading.Timer(0.05, stream.stop).start()
            return await reader.receive(5)

    begin = time.perf_counter()
    assert asyncio.run(read()).closed
    assert time.perf_counter() - begin < 2
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert "event-stream" not in left
