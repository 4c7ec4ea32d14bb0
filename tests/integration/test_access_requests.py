"""Requests are recorded beside pages, bounded, and policies are tried against them."""

from datetime import timedelta
from typing import Any

import pytest

from callboard.access import Access, AccessSettings, Change
from callboard.access.parts import PERMISSIONS
from callboard.access.requests import BUFFERED, Recorder, Request, recorded
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.identity import (
    NOBODY,
    EntityFacts,
    Limit,
    Permission,
    Principal,
    Subject,
)
from callboard.testing import Clock

READ, START = "catalog.entity.read", "ci.run.start"
DECLARED = [
    *PERMISSIONS,
    Permission(name=READ, title="", role="viewer", about="entity"),
    Permission(name=START, title="", role="developer", about="entity"),
]
WEB = EntityFacts(
    ref="component:default/web", kind="component", namespace="default", type="service",
    owner="group:default/blue", system="system:default/shop", tags=frozenset({"java", "pci"}),
)  # fmt: skip
EVE = Subject(
    principal=Principal(kind="person", name="user:default/eve"),
    mine=(EntityRef.of("user", "default", "eve"), EntityRef.of("group", "default", "blue")),
    names=("provider-group:b",),
)


class Site:
    """A database with what decides and what records."""

    def __init__(self, database: Database, clock: Clock, **recording: Any) -> None:
        settings = AccessSettings.model_validate(
            {"administrators": ["user:ada"], "recording": {"share": 1, **recording}}
        )
        self.recorder = Recorder(database, settings.recording, clock)
        self.access = Access(
            settings, DECLARED, database=database, now=clock, recorder=self.recorder
        )


@pytest.fixture
def site(database: Database, clock: Clock) -> Any:
    made = Site(database, clock)
    made.recorder.start()
    yield made
    made.recorder.stop()


def test_what_is_decided_is_recorded_once_with_its_count(
    site: Site, database: Database, clock: Clock
) -> None:
    for _turn in range(3):
        assert site.access.decide(EVE, START, WEB, environment="test").allowed
    site.recorder.flush()
    clock.advance(timedelta(hours=1))
    assert site.access.decide(EVE, START, WEB, environment="test").allowed
    assert not site.access.decide(NOBODY, READ).allowed
    site.recorder.flush()
    found = {item.request: item for item in recorded(database)}
    item = found[Request(EVE, START, WEB, "test")]
    assert (item.count, item.allowed, item.last_at) == (4, True, clock())
    assert found[Request(NOBODY, READ, None, "")].allowed is False
    assert len(found) == 2


def test_what_waits_is_written_at_the_end(site: Site, database: Database) -> None:
    site.access.decide(EVE, START, WEB)
    site.recorder.stop()
    assert len(list(recorded(database))) == 1
    site.access.decide(EVE, READ, WEB)
    site.recorder.flush()
    assert len(list(recorded(database))) == 1


def test_requests_of_tokens_and_looks_at_reasons_are_not_recorded(
    site: Site, database: Database
) -> None:
    limits = (Limit(permissions=("*",)),)
    token = Subject(principal=Principal(kind="token", name="7"), mine=EVE.mine, limits=limits)
    site.access.decide(token, START, WEB)
    site.access.explain(EVE, START, WEB)
    site.access.filter(EVE, READ)
    site.recorder.flush()
    assert list(recorded(database)) == []


def test_old_requests_and_those_beyond_the_bound_are_deleted(
    database: Database, clock: Clock
) -> None:
    site = Site(database, clock, keep="1h", most=3)
    for number in range(5):
        site.recorder.note(Request(EVE, START, None, str(number)), True)
        site.recorder.flush()
        clock.advance(timedelta(minutes=1))
    assert sorted(item.request.environment for item in recorded(database)) == ["2", "3", "4"]
    clock.advance(timedelta(hours=2))
    site.recorder.note(Request(EVE, START, None, "new"), True)
    site.recorder.flush()
    assert [item.request.environment for item in recorded(database)] == ["new"]


def test_what_waits_is_bounded(database: Database, clock: Clock) -> None:
    site = Site(database, clock)
    for number in range(BUFFERED + 100):
        site.recorder.note(Request(EVE, START, None, str(number)), True)
    site.recorder.flush()
    assert len(list(recorded(database))) == BUFFERED


def test_a_policy_is_tried_before_it_is_in_force(site: Site, clock: Clock) -> None:
    store = site.access.store
    for _turn in range(2):
        site.access.decide(EVE, START, WEB)
    site.access.decide(EVE, START)
    site.access.decide(NOBODY, READ, WEB)
    site.recorder.flush()
    deny = store.binding_settings(
        {"role": "developer", "to": ["group:blue"], "on": {"tag": ["PCI"]}, "effect": "deny"}
    )
    found = site.access.dry_run(store.draft(Change(settings=deny)))
    assert (found.compared, found.since, found.gained) == (3, clock(), ())
    (lost,) = found.lost
    assert (lost.subject, lost.permission, lost.facts, lost.count) == (EVE, START, WEB, 2)
    assert lost.reasons[0].effect == "deny"
    open_to_all = store.binding_settings({"role": "viewer", "to": ["everyone"]})
    found = site.access.dry_run(store.draft(Change(settings=open_to_all)))
    assert [item.subject for item in found.gained] == [NOBODY]
    assert site.access.decide(EVE, START, WEB).allowed
    assert site.access.dry_run(site.access.policy).lost == ()
