"""Tokens through the public door, on both databases: what they are, what they do, how they end."""

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, update
from starlette.testclient import TestClient

from callboard import audit, events
from callboard.access.settings import SelectorSettings
from callboard.testing import Clock, PostgresServer
from callboard_web.app import create_app
from callboard_web.sessions.models import account
from callboard_web.testing import PortalUnderTest, sign_in_as
from callboard_web.tokens import models, secret
from callboard_web.tokens.machines import Machines
from callboard_web.tokens.service import Owner, Wish

CATALOG = """
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: ada, title: Ada Lovelace}
spec: {profile: {displayName: Ada Lovelace}, memberOf: [engines]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: grace}
spec: {profile: {displayName: Grace Hopper}, memberOf: [engines]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: root}
spec: {memberOf: []}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: engines}
spec: {type: team, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: mill}
spec: {type: service, lifecycle: production, owner: engines}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: loom}
spec: {type: service, lifecycle: production, owner: group:default/others}
"""
ADA = "user:default/ada"
LOCAL = "http://127.0.0.1:8000"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def portal_settings(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Any]]:
    settings: dict[str, Any] = {
        "access": {
            "anonymous": "",
            "administrators": ["user:default/root"],
            "roles": [{"name": "gauge", "permissions": ["portal.metrics.read"]}],
            "bindings": [
                {"role": "maintainer", "to": ["service:builder"]},
                {"role": "gauge", "to": ["group:default/engines"]},
            ],
        },
        "tokens": {"rate": 60, "burst": 5, "failures": 3},
    }
    if request.param == "sqlite":
        yield settings
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.create()
    yield {**settings, "database": {"url": server.url(name)}}
    server.drop(name)


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def people(portal: PortalUnderTest) -> PortalUnderTest:
    portal.catalog_add(CATALOG)
    return portal


class Visit:
    """Somebody's browser, and the forms they send with it."""

    def __init__(self, people: PortalUnderTest, user: str = "") -> None:
        self.client = TestClient(
            create_app(people.runtime), base_url=LOCAL, client=("127.0.0.1", 50000),
            raise_server_exceptions=False,
        )  # fmt: skip
        if user:
            sign_in_as(self.client, user)

    @property
    def machines(self) -> Machines:
        return self.client.app.state.machines  # type: ignore[attr-defined, no-any-return]

    def send(self, path: str, page: str = "", **fields: Any) -> httpx2.Response:
        shown = self.client.get(page or path).text
        token = shown.partition('name="csrf_token" value="')[2].partition('"')[0]
        form = re.search(r'name="form" value="([\w-]+)"', shown)
        rotations = re.search(r'name="rotations" value="(\d+)"', shown)
        more = {"form": form[1]} if form else {"rotations": rotations[1]} if rotations else {}
        return self.client.post(path, data={"csrf_token": token, **more, **fields})

    def make(self, path: str = "/me/tokens/new", **fields: Any) -> str:
        """Make a token by the form, and give its text."""
        given = {
            "name": "nightly",
            "days": "30",
            "where": "all",
            "permission": ["catalog.entity.read"],
        }
        answer = self.send(path, **{**given, **fields})
        assert answer.status_code == 200, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return text_in(answer.text)


def text_in(page: str) -> str:
    found = re.findall(secret.PATTERN, page)
    assert len(set(found)) == 1
    return str(found[0])


def by(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


def whoami(client: TestClient, text: str) -> Any:
    answer = client.get("/api/whoami", headers=by(text))
    assert answer.status_code == 200, answer.text
    return answer.json()


def rewrite(people: PortalUnderTest, text: str) -> None:
    """Write another text over what was added to the catalog first."""
    (people.runtime.base / "catalog" / "0001.yaml").write_text(text, encoding="utf-8")
    people.runtime.engine.read("test")


def actions(people: PortalUnderTest, action: str) -> list[audit.AuditEntry]:
    with people.runtime.database.read() as connection:
        return audit.entries(connection, action=action)


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
    assert answer.json()["error"]["name"] == "InvalidTokenError"
    # Pages of people answer machines in the same way, not with a form to sign in.
    assert robot.get("/", headers=by(text)).json()["response"] == {"statusCode": 401}
    entry = actions(people, "portal.token.use")[0]
    assert (entry.result, entry.after) == ("denied", {"reason": reason})


def test_one_digit_changed_is_seen_before_the_database_is_asked(people: PortalUnderTest) -> None:
    text = Visit(people, ADA).make()
    for place in range(4, len(text)):
        other = "x" if text[place] != "x" else "y"
        assert secret.read(text[:place] + other + text[place + 1 :]) is None


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
                      permission=["portal.token.make"], system="checkout, one/two/three")  # fmt: skip
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


def test_last_use_is_kept_to_the_minute(people: PortalUnderTest, clock: Clock) -> None:
    ada, robot = Visit(people, ADA), Visit(people).client
    text = ada.make()
    whoami(robot, text)
    first = ada.machines.tokens.get(1)
    assert (first.last_used_at, first.last_used_address) == (clock(), "127.0.0.1")
    clock.advance(59)
    whoami(robot, text)
    assert ada.machines.tokens.get(1).last_used_at == first.last_used_at
    clock.advance(1)
    whoami(robot, text)
    assert ada.machines.tokens.get(1).last_used_at == clock()
    page = ada.client.get("/me/tokens").text
    assert "127.0.0.1" in page
    assert not re.search(secret.PATTERN, page)


def test_too_many_requests_are_told_to_wait(people: PortalUnderTest, clock: Clock) -> None:
    ada = Visit(people, ADA)
    robot, text = ada.client, ada.make()
    for left in range(4, -1, -1):
        answer = robot.get("/api/whoami", headers=by(text))
        assert answer.headers["ratelimit-policy"] == '"token";q=60;w=60'
        assert answer.headers["ratelimit"].startswith(f'"token";r={left};t=')
    answer = robot.get("/api/whoami", headers=by(text))
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "1"
    assert answer.headers["ratelimit"] == '"token";r=0;t=5'
    assert answer.json()["error"]["name"] == "TooManyRequestsError"
    clock.advance(1)
    whoami(robot, text)
    metrics = ada.client.get("/metrics").text  # by the session: no token is counted
    assert 'callboard_bearer_requests_total{result="limited"} 1.0' in metrics
    assert 'callboard_bearer_requests_total{result="taken"} 6.0' in metrics
    assert "ratelimit" not in ada.client.get("/catalog").headers


def test_a_token_may_have_a_rate_of_its_own(people: PortalUnderTest) -> None:
    root = Visit(people, "user:default/root")
    text = root.make(rate="6000")
    assert whoami(Visit(people).client, text)["requestsPerMinute"] == 6000
    ada = Visit(people, ADA)
    assert whoami(ada.client, ada.make(rate="6000"))["requestsPerMinute"] == 60


def test_an_address_with_many_wrong_tokens_is_told_to_wait(
    people: PortalUnderTest, clock: Clock
) -> None:
    good, robot = Visit(people, ADA).make(), Visit(people).client
    for _ in range(3):
        assert robot.get("/api/whoami", headers=by("cbd_bad")).status_code == 401
    answer = robot.get("/api/whoami", headers=by("cbd_bad"))
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "20"
    whoami(robot, good)  # others behind the same address go on
    clock.advance(20)
    assert robot.get("/api/whoami", headers=by("cbd_bad")).status_code == 401
    # The audit log tells of it once a minute, not each time.
    assert len(actions(people, "portal.token.use")) == 1


def test_whoever_finds_a_token_can_end_it(people: PortalUnderTest) -> None:
    text, robot = Visit(people, ADA).make(), Visit(people).client
    assert robot.delete("/api/token", headers=by(text)).status_code == 204
    assert robot.get("/api/whoami", headers=by(text)).status_code == 401
    revoked = actions(people, "portal.token.revoke")[0]
    assert (revoked.actor, revoked.on_behalf_of) == ("token:1", f"person:{ADA}")
    assert Visit(people, ADA).send("/me/tokens/1/revoke", page="/me/tokens").status_code == 200


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


def test_a_group_makes_service_accounts_and_their_tokens(people: PortalUnderTest) -> None:
    ada, grace, robot = (
        Visit(people, ADA),
        Visit(people, "user:default/grace"),
        Visit(people).client,
    )
    made = ada.send("/service-accounts/new", name="deployer", purpose="Deploys",
                    owner="group:default/engines")  # fmt: skip
    assert "deployer" in made.text
    text = grace.make(
        "/service-accounts/deployer/tokens/new",
        permission=["catalog.entity.read", "portal.job.read"],
    )
    told = whoami(robot, text)
    assert told["names"] == ["service:deployer"]
    assert told["onBehalfOf"] is None
    assert told["owns"] == []
    # It may do what everyone signed in may, as far as it was chosen: there is no binding.
    assert [item["name"] for item in told["permissions"]] == ["catalog.entity.read"]
    outsider = Visit(people, "user:default/root")
    sign_in_as(outsider.client, "user:default/root")
    assert outsider.client.get("/service-accounts/deployer").status_code == 200
    ada.send("/service-accounts/deployer/close", page="/service-accounts/deployer", confirmed="yes")
    answer = robot.get("/api/whoami", headers=by(text))
    assert answer.status_code == 401
    assert "closed" in answer.json()["error"]["message"]
    ada.send("/service-accounts/deployer/open", page="/service-accounts/deployer")
    whoami(robot, text)


def test_nobody_takes_a_name_that_bindings_know(people: PortalUnderTest) -> None:
    ada, root = Visit(people, ADA), Visit(people, "user:default/root")
    owner = "group:default/engines"
    refused = ada.send("/service-accounts/new", name="builder", owner=owner)
    assert refused.status_code == 422
    assert "an administrator must make the account" in refused.text
    assert root.send("/service-accounts/new", name="builder", owner=owner).status_code == 200
    text = ada.make("/service-accounts/builder/tokens/new", permission=["portal.job.read"])
    assert Visit(people).client.get("/jobs", headers=by(text)).status_code == 200
    again = root.send("/service-accounts/new", name="builder", owner=owner)
    assert "There is a service account of this name" in again.text


def test_strangers_to_a_group_do_not_manage_its_accounts(people: PortalUnderTest) -> None:
    people.catalog_add(
        "apiVersion: backstage.io/v1alpha1\nkind: User\nmetadata: {name: eve}\nspec: {memberOf: []}"
    )
    Visit(people, ADA).send("/service-accounts/new", name="deployer", owner="group:default/engines")
    eve = Visit(people, "user:default/eve")
    assert eve.client.get("/service-accounts/deployer").status_code == 403
    assert eve.client.get("/service-accounts/deployer/tokens/new").status_code == 403
    assert "deployer" not in eve.client.get("/service-accounts").text
    refused = eve.send("/service-accounts/new", page="/service-accounts", name="mine",
                       owner="group:default/engines")  # fmt: skip
    assert refused.status_code == 403


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
