"""Refusals are recorded without flooding the log."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from callboard.audit import AuditEntry, entries
from callboard.audit.folding import MOST, MOST_OF_ONE, Folding
from callboard.database import Database
from callboard.identity import (
    ANONYMOUS,
    CLIENT_ADDRESS,
    NOBODY,
    Principal,
    Subject,
    acting_for,
)
from callboard.logs import REQUEST_ID
from callboard.testing import Clock

LI = Subject(
    principal=Principal(kind="token", name="7"),
    on_behalf_of=Principal(kind="person", name="user:default/li"),
)


@pytest.fixture
def folding(database: Database, clock: Clock) -> Iterator[Folding]:
    address, request = CLIENT_ADDRESS.set("192.0.2.1"), REQUEST_ID.set("r-1")
    yield Folding(database, clock)
    CLIENT_ADDRESS.reset(address)
    REQUEST_ID.reset(request)


def log(database: Database) -> list[AuditEntry]:
    with database.read() as connection:
        return entries(connection, limit=2000)[::-1]


def test_a_refusal_is_an_entry(database: Database, folding: Folding) -> None:
    with acting_for(LI):
        folding.denied("portal.job.run", "catalog.look", {"missing": "portal.job.run"})
    [entry] = log(database)
    assert (entry.action, entry.subject, entry.result) == (
        "portal.job.run",
        "catalog.look",
        "denied",
    )
    assert (entry.actor, entry.on_behalf_of) == ("token:7", "person:user:default/li")
    assert (entry.address, entry.request_id) == ("192.0.2.1", "r-1")
    assert entry.after == {"missing": "portal.job.run"}


def test_what_is_alike_within_a_minute_is_counted(
    database: Database, folding: Folding, clock: Clock
) -> None:
    with acting_for(LI):
        for _ in range(50):
            folding.denied("portal.job.run", "catalog.look")
        folding.denied("portal.job.run", "other")
    assert [entry.subject for entry in log(database)] == ["catalog.look", "other"]
    clock.advance(61)
    folding.settle()
    counted = log(database)[2:]
    assert [(entry.subject, entry.after["further"]) for entry in counted] == [("catalog.look", 49)]
    assert counted[0].result == "denied"
    folding.settle()
    assert len(log(database)) == 3
    with acting_for(LI):
        folding.denied("portal.job.run", "catalog.look")
    assert len(log(database)) == 4


def test_who_asks_for_everything_fills_no_disk(database: Database, folding: Folding) -> None:
    with acting_for(NOBODY):
        for number in range(500):
            folding.denied("catalog.entity.read", f"/catalog/{number}")
    found = log(database)
    assert len(found) == MOST_OF_ONE + 1
    assert (found[-1].action, found[-1].subject) == ("portal.access.flood", "*")
    assert found[-1].actor == str(ANONYMOUS)
    folding.settle(everything=True)
    assert log(database)[-1].after["further"] == 500 - MOST_OF_ONE - 1


def test_nor_do_many_from_many_addresses(database: Database, folding: Folding) -> None:
    with acting_for(NOBODY):
        for number in range(MOST + 200):
            CLIENT_ADDRESS.set(f"2001:db8::{number:x}")
            folding.denied("catalog.entity.read", f"/{number}")
    found = log(database)
    assert len(found) == MOST + 1
    assert (found[-1].actor, found[-1].address) == ("anonymous:many", "")


def test_a_look_at_another_person_s_data_is_told_once(
    database: Database, folding: Folding, clock: Clock
) -> None:
    with acting_for(LI):
        for _ in range(5):
            folding.looked_at("portal.session.read", "user:default/wang")
            clock.advance(timedelta(seconds=5))
    [entry] = log(database)
    assert (entry.action, entry.result) == ("portal.session.read", "ok")


def test_a_refusal_is_answered_even_if_it_cannot_be_recorded(
    database: Database, folding: Folding, caplog: pytest.LogCaptureFixture
) -> None:
    with database.write(), acting_for(LI):
        folding.denied("portal.job.run", "catalog.look")
    assert "A refusal could not be recorded" in caplog.text
    assert log(database) == []
