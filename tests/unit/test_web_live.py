"""The stream of changes."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from callboard import events
from callboard.contributions import Event
from callboard.database import Database
from callboard.events.stream import Batch
from callboard_web.runtime import Runtime
from callboard_web.views import live
from callboard_web.views.live import MOST_SUBJECTS, Told, message_of, stream_of


def _event(number: int, subject: str) -> Event:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return Event(
        id=number, kind="catalog.entity.updated", subject=subject, data={}, at=at, actor="x"
    )


def test_batch_is_one_message_with_the_last_number() -> None:
    found = (_event(4, "b"), _event(5, "a"), _event(6, "b"))
    message = message_of(Batch(found), found)
    first, kind, data, end = message.split("\n", 3)
    assert (first, kind, end) == ("id: 6", "event: change", "\n")
    assert json.loads(data.removeprefix("data: ")) == {
        "kinds": ["catalog.entity.updated"],
        "subjects": ["a", "b"],
        "all": False,
        "within": 0.0,
    }


def test_great_change_means_everything() -> None:
    many = tuple(_event(number, str(number)) for number in range(1, MOST_SUBJECTS + 2))
    assert '"all": true' in message_of(Batch(many), many)
    assert '"all": true' in message_of(Batch(resync=True), ())
    assert message_of(Batch(), ()) == "event: beat\ndata:\n\n"


def test_many_pages_do_not_load_anew_all_at_once() -> None:
    batch = Batch((_event(1, "a"),))
    assert '"within": 10.0' in message_of(batch, batch.events, 500)
    assert '"within": 20.0' in message_of(batch, batch.events, 5000)
    assert '"within": 20.0' in message_of(Batch(resync=True), (), 5000)


def test_a_change_reaches_the_reader(portal_runtime: Runtime) -> None:
    async def listen() -> str:
        stream = stream_of(portal_runtime.events.subscribe(), Told(portal_runtime))
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


def test_the_page_that_leads_next_hears_what_was_missed(portal_runtime: Runtime) -> None:
    async def listen() -> str:
        with portal_runtime.database.read() as connection:
            newest = events.newest(connection)
        _publish(portal_runtime)
        stream = stream_of(portal_runtime.events.subscribe(after=newest), Told(portal_runtime))
        await anext(stream)
        message = await anext(stream)
        await stream.aclose()
        return message

    assert "component:default/live" in asyncio.run(listen())


def test_browsers_that_cannot_listen_ask(client: TestClient, portal_runtime: Runtime) -> None:
    first = client.get("/live/changes").json()
    assert first["change"] is None
    after = first["id"]
    assert client.get(f"/live/changes?after={after}").json() == first
    _publish(portal_runtime)
    told = client.get(f"/live/changes?after={after}").json()
    assert told["id"] == after + 1
    assert told["change"]["subjects"] == ["component:default/live"]
    assert client.get("/live/changes?after=99999999").json()["change"] == {"all": True}
    assert client.get("/live/changes?after=x").json()["change"] is None


def test_a_page_hears_what_changed_while_it_was_loaded(
    client: TestClient, portal_runtime: Runtime
) -> None:
    _publish(portal_runtime)
    newest = client.get("/live/changes").json()["id"]
    told = client.get("/live/changes?ago=60000").json()
    subjects = set(told["change"]["subjects"])
    while told["id"] < newest:  # much may have changed within that time
        told = client.get(f"/live/changes?after={told['id']}").json()
        subjects |= set(told["change"]["subjects"])
    assert told["id"] == newest
    assert "component:default/live" in subjects
    # Nothing is younger than what is to come.
    for ago in ("x", "-1", "999999999"):
        assert client.get(f"/live/changes?ago={ago}").json()["change"] is None


def test_the_number_of_a_moment(database: Database) -> None:
    moment = datetime(2026, 3, 2, 8, tzinfo=UTC)
    with database.write() as connection:
        assert events.newest_before(connection, moment) == 0
        for second in range(3):
            at = moment + timedelta(seconds=second)
            events.publish(connection, "component.seen", "x", at=at)
        first = events.oldest(connection)
        assert events.newest_before(connection, moment) == first - 1
        assert events.newest_before(connection, moment + timedelta(seconds=1)) == first
        assert events.newest_before(connection, moment + timedelta(hours=1)) == first + 2


def test_more_pages_than_can_be_served_are_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "MOST_READERS", 0)
    refused = client.get("/live")
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "30"


def _publish(runtime: Runtime) -> None:
    with runtime.database.write() as connection:
        events.publish(
            connection, "catalog.entity.updated", "component:default/live", at=runtime.now()
        )
