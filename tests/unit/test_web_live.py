"""The stream of changes."""

import asyncio
import json
from datetime import UTC, datetime

from callboard import events
from callboard.contributions import Event
from callboard.events.stream import Batch
from callboard_web.runtime import Runtime
from callboard_web.views.live import MOST_SUBJECTS, message_of, stream_of


def _event(number: int, subject: str) -> Event:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Event(
        id=number, kind="catalog.entity.updated", subject=subject, data={}, at=at, actor="x"
    )


def test_batch_is_one_message_with_the_last_number() -> None:
    message = message_of(Batch((_event(4, "b"), _event(5, "a"), _event(6, "b"))))
    first, kind, data, end = message.split("\n", 3)
    assert (first, kind, end) == ("id: 6", "event: change", "\n")
    assert json.loads(data.removeprefix("data: ")) == {
        "kinds": ["catalog.entity.updated"],
        "subjects": ["a", "b"],
        "all": False,
    }


def test_great_change_means_everything() -> None:
    many = tuple(_event(number, str(number)) for number in range(1, MOST_SUBJECTS + 2))
    assert '"all": true' in message_of(Batch(many))
    assert '"all": true' in message_of(Batch(resync=True))
    assert message_of(Batch()) == "event: beat\ndata:\n\n"


def test_a_change_reaches_the_reader(portal_runtime: Runtime) -> None:
    async def listen() -> str:
        stream = stream_of(portal_runtime.events.subscribe())
        first = await anext(stream)
        assert "event: beat" in first
        await asyncio.to_thread(_publish, portal_runtime)
        async with asyncio.timeout(5):
            while "component:default/live" not in (message := await anext(stream)):
                pass
        await stream.aclose()
        return message

    assert "event: change" in asyncio.run(listen())
    assert portal_runtime.events.subscribers == 0


def _publish(runtime: Runtime) -> None:
    with runtime.database.write() as connection:
        events.publish(
            connection, "catalog.entity.updated", "component:default/live", at=runtime.now()
        )
