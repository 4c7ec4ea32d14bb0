"""Tokens through the public door, on both databases: how they are made, and how they end."""

from datetime import timedelta

import pytest
from sqlalchemy import select, update
from token_visits import (
    ADA,
    CATALOG,
    DATABASES,
    Visit,
    actions,
    by,
    rewrite,
    text_in,
    token_settings,
    whoami,
)

from callboard import events
from callboard.testing import Clock
from callboard_web.sessions.models import account
from callboard_web.testing import PortalUnderTest, sign_in_as
from callboard_web.tokens import models, secret

portal_settings = pytest.fixture(token_settings, params=DATABASES, name="portal_settings")


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def people(portal: PortalUnderTest) -> PortalUnderTest:
    portal.catalog_add(CATALOG)
    return portal


def test_a_token_acts_for_its_owner_within_what_was_chosen(people: PortalUnderTest) -> None:
    ada = Visit(people, ADA)
    text = ada.make(where="chosen", entity="component:default/mill", purpose="Reads the mill.")
    robot = Visit(people).client
    told = whoami(robot, text)
    assert told["principal"] == {"kind": "token", "name": "1"}
    assert told["onBehalfOf"] == {"kind": "person", "name": ADA}
    assert told["owns"] == [ADA, "group:default/engines"]
    assert told["permissions"] == [{"name": "catalog.entity.read", "on": "some"}]
    assert told["limits"] == [
        {"permissions": ["catalog.entity.read"], "on": {"entity": ["component:default/mill"]}}
    ]
    assert robot.get("/catalog/default/component/mill", headers=by(text)).status_code == 200
    assert robot.get("/catalog/default/component/loom", headers=by(text)).status_code == 404
    refused = robot.get("/api/catalog/sources", headers=by(text))
    assert refused.status_code == 403
    assert "catalog.source.read" in refused.json()["error"]["message"]
    made = actions(people, "portal.token.make")[0]
    assert made.actor == f"person:{ADA}"
    assert made.after["purpose"] == "Reads the mill."


def test_only_the_hash_is_in_the_database(people: PortalUnderTest) -> None:
    ada = Visit(people, ADA)
    text = ada.make()
    whoami(ada.client, text)
    again = text_in(ada.send("/me/tokens/1/rotate", hours="24", days="30").text)
    runtime = people.runtime
    parts = [part.encode() for token in (text, again) for part in (token, token.split("_")[2])]
    if runtime.database.path is not None:
        runtime.database.close()  # what is in the journal goes to the file
        folder = runtime.database.path.parent
        content = b"".join(path.read_bytes() for path in folder.glob("*.sqlite3*"))
    else:
        with runtime.database.read() as connection:
            rows = [
                connection.execute(select(table)).all()
                for table in models.token.metadata.sorted_tables
            ]
        content = repr(rows).encode()
    digest = secret.digest(again.split("_")[2]).encode()
    assert digest in content
    assert not any(part in content for part in parts)


def test_revoking_counts_at_once_in_every_process(people: PortalUnderTest) -> None:
    ada, elsewhere = Visit(people, ADA), Visit(people)
    text = ada.make()
    whoami(elsewhere.client, text)
    asked = ada.send("/me/tokens/1/revoke", page="/me/tokens")
    assert "Revoke nightly?" in asked.text
    whoami(elsewhere.client, text)
    ada.send("/me/tokens/1/revoke", page="/me/tokens", confirmed="yes")
    answer = elsewhere.client.get("/api/whoami", headers=by(text))
    assert answer.status_code == 401
    assert "revoked at 2026-03-02T08:00:00Z" in answer.json()["error"]["message"]
    assert actions(people, "portal.token.revoke")[0].subject == "token:1"
    assert actions(people, "portal.token.use")[0].actor == "token:1"


def test_a_token_ends_on_its_day(people: PortalUnderTest, clock: Clock) -> None:
    robot = Visit(people).client
    text = Visit(people, ADA).make(days="7")
    clock.advance(timedelta(days=7) - timedelta(seconds=1))
    assert whoami(robot, text)["expiresAt"] == "2026-03-09T08:00:00+00:00"
    clock.advance(1)
    answer = robot.get("/api/whoami", headers=by(text))
    assert answer.status_code == 401
    assert "expired at 2026-03-09T08:00:00Z" in answer.json()["error"]["message"]


def test_rotation_overlaps_as_long_as_was_chosen(people: PortalUnderTest, clock: Clock) -> None:
    ada, robot = Visit(people, ADA), Visit(people).client
    old = ada.make()
    new = text_in(ada.send("/me/tokens/1/rotate", hours="24", days="90").text)
    assert old != new
    clock.advance(timedelta(hours=23))
    whoami(robot, old)
    whoami(robot, new)
    clock.advance(timedelta(hours=1))
    answer = robot.get("/api/whoami", headers=by(old))
    assert answer.status_code == 401
    assert "replaced" in answer.json()["error"]["message"]
    whoami(robot, new)
    sign_in_as(ada.client, ADA)
    newest = text_in(ada.send("/me/tokens/1/rotate", hours="0", days="90").text)
    assert robot.get("/api/whoami", headers=by(new)).status_code == 401
    whoami(robot, newest)
    assert len(actions(people, "portal.token.rotate")) == 2


def test_what_is_sent_twice_is_made_once(people: PortalUnderTest) -> None:
    ada = Visit(people, ADA)
    ada.make(form="a" * 32)
    again = ada.send("/me/tokens/new", name="nightly", days="30", where="all",
                     permission=["catalog.entity.read"], form="a" * 32)  # fmt: skip
    assert again.status_code == 409
    assert "was made already" in again.text
    assert ada.send("/me/tokens/1/rotate", hours="1", days="30", rotations="0").status_code == 200
    twice = ada.send("/me/tokens/1/rotate", hours="1", days="30", rotations="0")
    assert twice.status_code == 409
    assert len(ada.machines.tokens.search()) == 1


def test_the_form_keeps_what_was_typed_and_says_what_is_wrong(people: PortalUnderTest) -> None:
    ada = Visit(people, ADA)
    answer = ada.send("/me/tokens/new", name="", purpose="Keep me", days="9999", where="chosen",
                      permission=["portal.token.make"], system="checkout, a/b/c")  # fmt: skip
    assert answer.status_code == 422
    assert "Keep me" in answer.text
    for fault in ("Write a name of at most", "Choose how long it is good", "Choose what it may do"):
        assert fault in answer.text
    assert 'id="f-system-error"' in answer.text
    assert ada.machines.tokens.search() == []


def test_a_token_ends_with_the_account_of_its_owner(people: PortalUnderTest) -> None:
    robot = Visit(people).client
    text = Visit(people, ADA).make()
    whoami(robot, text)
    with people.runtime.database.write() as connection:
        connection.execute(update(account).values(active=False))
    answer = robot.get("/api/whoami", headers=by(text))
    assert answer.status_code == 401
    assert "deactivated" in answer.json()["error"]["message"]


def test_a_token_ends_when_its_owner_leaves_the_catalog(people: PortalUnderTest) -> None:
    robot = Visit(people).client
    text = Visit(people, ADA).make()
    whoami(robot, text)
    rewrite(people, CATALOG.partition("---")[2])
    answer = robot.get("/api/whoami", headers=by(text))
    assert answer.status_code == 401
    assert "no longer in the catalog" in answer.json()["error"]["message"]


def test_a_token_rests_while_its_owner_is_not_seen(people: PortalUnderTest, clock: Clock) -> None:
    ada, robot = Visit(people, ADA), Visit(people).client
    text = ada.make(days="180")
    clock.advance(timedelta(days=46))
    answer = robot.get("/api/whoami", headers=by(text))
    assert answer.status_code == 401
    assert "rests" in answer.json()["error"]["message"]
    sign_in_as(ada.client, ADA)
    whoami(robot, text)


def test_a_token_loses_what_its_owner_loses(people: PortalUnderTest) -> None:
    robot = Visit(people).client
    text = Visit(people, ADA).make(permission=["portal.metrics.read"])
    assert robot.get("/metrics", headers=by(text)).status_code == 200
    rewrite(people, CATALOG.replace("memberOf: [engines]", "memberOf: []"))
    assert robot.get("/metrics", headers=by(text)).status_code == 403


def test_tokens_of_others_are_not_found(people: PortalUnderTest) -> None:
    Visit(people, ADA).make()
    grace = Visit(people, "user:default/grace")
    assert grace.client.get("/me/tokens/1/rotate").status_code == 404
    assert grace.send("/me/tokens/1/revoke", page="/me/tokens", confirmed="1").status_code == 404
    assert "nightly" not in grace.client.get("/me/tokens").text
    assert grace.client.get("/tokens").status_code == 403


def test_administrators_see_and_revoke_all_and_that_is_written_down(
    people: PortalUnderTest, clock: Clock
) -> None:
    Visit(people, ADA).make(name="one")
    Visit(people, "user:default/grace").make(name="two")
    clock.advance(timedelta(days=2))
    root = Visit(people, "user:default/root")
    page = root.client.get("/tokens?owner=ada").text
    assert ">one<" in page
    assert ">two<" not in page
    looked = actions(people, "portal.token.read")[0]
    assert looked.actor == "person:user:default/root"
    assert looked.after == {"owners": [f"person:{ADA}"]}
    assert ">one<" in root.client.get("/tokens?state=unused").text
    assert ">one<" not in root.client.get("/tokens?state=expired").text
    root.send("/tokens/1/revoke", page="/tokens", confirmed="yes")
    assert ">one<" in root.client.get("/tokens?state=revoked").text


def test_owners_are_told_before_the_end(people: PortalUnderTest, clock: Clock) -> None:
    ada = Visit(people, ADA)
    ada.make(days="30")
    people.host("portal").submit("announce-tokens")
    people.run_jobs()
    assert "The token nightly ends soon" not in ada.client.get("/").text
    clock.advance(timedelta(days=23))
    sign_in_as(ada.client, ADA)
    assert "The token nightly ends soon" in ada.client.get("/").text
    for _ in range(2):
        people.host("portal").submit("announce-tokens")
        people.run_jobs()
    with people.runtime.database.read() as connection:
        told = events.read(connection, 0, ["portal.token.expiring"])
    assert [(event.subject, event.data["owner"]) for event in told] == [
        ("token:1", f"person:{ADA}")
    ]
    clock.advance(timedelta(days=10))
    sign_in_as(ada.client, ADA)
    assert "The token nightly ended" in ada.client.get("/").text
