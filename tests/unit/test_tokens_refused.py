"""What is refused: wrong tokens, tokens in the wrong place, and pages that are for people."""

from datetime import timedelta

import pytest
from token_visits import (
    ADA,
    CATALOG,
    DATABASES,
    Visit,
    actions,
    by,
    token_settings,
    whoami,
)

from callboard.access.settings import SelectorSettings
from callboard.testing import Clock
from callboard_web.testing import PortalUnderTest
from callboard_web.tokens import secret
from callboard_web.tokens.service import Owner, Wish

portal_settings = pytest.fixture(token_settings, params=DATABASES, name="portal_settings")


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def people(portal: PortalUnderTest) -> PortalUnderTest:
    portal.catalog_add(CATALOG)
    return portal


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cbd_1_short_abc", "unknown token"),
        ("nothing-known", "unknown token"),
        ("cbd_" + "1" * 300, "unknown token"),
        ("eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.", "unsupported algorithm"),
        ("a b", "unknown token"),
    ],
)
def test_a_wrong_token_is_refused_and_never_nobody(
    people: PortalUnderTest, text: str, reason: str
) -> None:
    robot = Visit(people).client
    answer = robot.get("/api/whoami", headers=by(text))
    assert answer.status_code == 401
    told = answer.headers["www-authenticate"]
    assert told.startswith('Bearer realm="callboard", error="invalid_token"')
    assert reason in told
    told = answer.json()["error"]
    assert (told["name"], told["cause"]["name"]) == ("AuthenticationError", "InvalidTokenError")
    # Pages of people answer machines in the same way, not with a form to sign in.
    assert robot.get("/", headers=by(text)).json()["response"] == {"statusCode": 401}
    entry = actions(people, "portal.token.use")[0]
    assert (entry.result, entry.after) == ("denied", {"reason": reason})


def test_one_digit_changed_is_seen_before_the_database_is_asked(people: PortalUnderTest) -> None:
    text = Visit(people, ADA).make()
    for place in range(4, len(text)):
        other = "x" if text[place] != "x" else "y"
        assert secret.read(text[:place] + other + text[place + 1 :]) is None


def test_tokens_make_no_tokens_and_open_no_pages_of_people(
    people: PortalUnderTest, clock: Clock
) -> None:
    robot = Visit(people).client
    root = Visit(people, "user:default/root")
    machines = root.machines
    owner = Owner(name="person:user:default/root", account=1)
    wish = Wish(name="all", purpose="", permissions=("*",), selector=SelectorSettings(),
                expires_at=people.runtime.now() + timedelta(days=1))  # fmt: skip
    text = machines.tokens.make(owner, wish)
    names = {item["name"] for item in whoami(robot, text)["permissions"]}
    assert "catalog.source.read" in names
    assert not [
        name for name in names if name.startswith(("portal.token.", "access.", "portal.session."))
    ]
    for path in ("/me", "/me/tokens", "/tokens", "/service-accounts/new", "/sign-in"):
        assert robot.get(path, headers=by(text)).status_code == 403, path
        clock.advance(1)
    made = robot.post("/me/tokens/new", headers=by(text), data={"name": "x"})
    assert made.status_code == 403
    assert "for people" in made.json()["error"]["message"]


def test_cookies_beside_a_token_are_not_looked_at(people: PortalUnderTest) -> None:
    root = Visit(people, "user:default/root")
    text = Visit(people, ADA).make()
    assert root.client.get("/jobs").status_code == 200
    assert root.client.get("/jobs", headers=by(text)).status_code == 403
    assert root.client.get("/jobs", headers=by("cbd_wrong")).status_code == 401
    answer = root.client.get("/catalog", headers=by(text))
    assert "set-cookie" not in answer.headers or "session" not in answer.headers["set-cookie"]
    assert "Authorization" in answer.headers["vary"]


def test_machines_need_no_form_token_and_browsers_still_do(people: PortalUnderTest) -> None:
    root, robot = Visit(people, "user:default/root"), Visit(people).client
    text = root.make(permission=["catalog.source.refresh", "catalog.source.read"])
    path = "/sources/test/refresh"
    assert root.client.post(path).status_code == 403
    assert robot.post(path, headers=by(text), follow_redirects=False).status_code in (200, 303)
    forged = robot.post(path, headers={**by(text), "origin": "https://evil.example"})
    assert forged.status_code in (200, 303, 404)
    entry = actions(people, "catalog.source.refresh")[0]
    assert (entry.actor, entry.on_behalf_of) == ("token:1", "person:user:default/root")
    assert entry.address == "127.0.0.1"


def test_tokens_in_addresses_are_refused(people: PortalUnderTest) -> None:
    ada = Visit(people, ADA)
    text = ada.make()
    for query in (f"?access_token={text}", f"?q={text}", "?access_token=x"):
        answer = ada.client.get(f"/catalog{query}")
        assert answer.status_code == 400
        assert 'error="invalid_request"' in answer.headers["www-authenticate"]
        assert text not in answer.text


def test_whoever_finds_a_token_can_end_it(people: PortalUnderTest) -> None:
    text, robot = Visit(people, ADA).make(), Visit(people).client
    assert robot.delete("/api/token", headers=by(text)).status_code == 204
    assert robot.get("/api/whoami", headers=by(text)).status_code == 401
    revoked = actions(people, "portal.token.revoke")[0]
    assert (revoked.actor, revoked.on_behalf_of) == ("token:1", f"person:{ADA}")
    assert Visit(people, ADA).send("/me/tokens/1/revoke", page="/me/tokens").status_code == 200
