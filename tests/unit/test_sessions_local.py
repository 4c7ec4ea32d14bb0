"""Signing in without a provider: as a person of the demo, and as the local administrator."""

import logging
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from callboard import audit
from callboard.testing import Clock
from callboard_web.app import create_app
from callboard_web.runtime import Runtime
from callboard_web.sessions.break_glass import hash_of
from callboard_web.testing import PortalUnderTest, sign_in_as

PASSWORD = "correct horse battery staple"
# Checking costs what the hash says: that of a real one would be most of these tests.
HASH = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(PASSWORD)
PEOPLE = """
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: ada}
spec: {profile: {displayName: Ada Lovelace}, memberOf: [engines]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: grace}
spec: {profile: {displayName: Grace Hopper}, memberOf: [engines]}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: engines, title: Engines}
spec: {type: team, children: []}
"""
LOCAL = "http://127.0.0.1:8000"
SECURE = "https://callboard.example.com"


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def portal_settings(request: pytest.FixtureRequest) -> Mapping[str, Any]:
    if "glass" in request.fixturenames:
        glass = {"user": "emergency", "password_hash": HASH, "absolute": "30m"}
        return {"access": {"anonymous": ""}, "sessions": {"break_glass": glass}}
    return {
        "access": {"anonymous": "", "administrators": ["user:default/grace"]},
        "sessions": {"demo": True},
    }


@pytest.fixture
def demo(portal: PortalUnderTest) -> Runtime:
    """A portal that lets its people in on this machine."""
    portal.catalog_add(PEOPLE)
    return portal.runtime


@pytest.fixture
def glass(portal: PortalUnderTest) -> Runtime:
    """A portal with a local administrator."""
    return portal.runtime


def browser_of(
    runtime: Runtime, address: str = LOCAL, client: str = "127.0.0.1", **headers: str
) -> TestClient:
    app = create_app(runtime)
    return TestClient(app, base_url=address, client=(client, 50000), headers=headers)


def token(client: TestClient) -> str:
    page = client.get("/sign-out").text
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]


def post(client: TestClient, path: str, **fields: str) -> Any:
    data = {"csrf_token": token(client), **fields}
    return client.post(path, data=data, follow_redirects=False)


def is_in(client: TestClient) -> bool:
    return client.get("/catalog", follow_redirects=False).status_code == 200


# As a person of the demo


def test_the_demo_offers_its_people_by_their_roles(demo: Runtime) -> None:
    client = browser_of(demo)
    answer = client.get("/catalog?q=x")
    assert answer.url.path == "/sign-in/demo"
    assert re.findall(r"<b>([^<]*)</b> <span class=\"tag\">([^<]*)<", answer.text) == [
        ("Ada Lovelace", "Developer"), ("Grace Hopper", "Administrator"),
    ]  # fmt: skip
    assert 'name="next" value="/catalog?q=x"' in answer.text


def test_one_click_signs_in_as_one_of_them(demo: Runtime) -> None:
    client = browser_of(demo)
    answer = post(client, "/sign-in/demo", ref="user:default/ada", next="/catalog?q=x")
    assert (answer.status_code, answer.headers["location"]) == (303, "/catalog?q=x")
    assert "Ada Lovelace" in client.get("/").text
    assert client.get("/settings").status_code == 403
    assert post(client, "/sign-in/demo", ref="user:default/grace").status_code == 303
    assert client.get("/settings").status_code == 200


@pytest.mark.parametrize("ref", ["user:default/nobody", "group:default/engines", "", "x:y/z:w"])
def test_one_signs_in_as_nobody_else(demo: Runtime, ref: str) -> None:
    client = browser_of(demo)
    assert post(client, "/sign-in/demo", ref=ref).status_code in (400, 403)
    assert not is_in(client)


@pytest.mark.parametrize(
    ("address", "peer", "headers"),
    [
        ("http://demo.example.com:8000", "127.0.0.1", {}),
        ("http://127.0.0.1.example.com", "127.0.0.1", {}),
        ("http://localhost.example.com", "127.0.0.1", {}),
        ("https://callboard.example.com", "127.0.0.1", {}),
        (LOCAL, "192.0.2.7", {}),
        (LOCAL, "::ffff:192.0.2.7", {}),
        (LOCAL, "", {}),
        (LOCAL, "127.0.0.1", {"x-forwarded-for": "127.0.0.1"}),
        (LOCAL, "127.0.0.1", {"forwarded": "for=192.0.2.7"}),
        (LOCAL, "127.0.0.1", {"via": "1.1 proxy"}),
    ],
)
def test_the_demo_refuses_others_than_this_machine(
    demo: Runtime, address: str, peer: str, headers: dict[str, str]
) -> None:
    client = browser_of(demo, address, peer, **headers)
    assert client.get("/sign-in/demo").status_code == 403
    assert post(client, "/sign-in/demo", ref="user:default/ada").status_code == 403
    assert not is_in(client)
    assert "/sign-in/demo" not in client.get("/sign-in").text


@pytest.mark.parametrize("listener", ["0.0.0.0", "::", "192.0.2.1", "callboard.internal"])
def test_the_demo_refuses_everyone_where_it_listens_to_others(demo: Runtime, listener: str) -> None:
    demo.listener = listener
    client = browser_of(demo)
    assert post(client, "/sign-in/demo", ref="user:default/ada").status_code == 403
    assert not is_in(client)


@pytest.mark.parametrize("name", ["localhost:8000", "LOCALHOST", "127.0.0.1", "[::1]:8000"])
def test_the_demo_knows_the_names_of_this_machine(demo: Runtime, name: str) -> None:
    client = browser_of(demo, f"http://{name}")
    assert client.get("/sign-in/demo").status_code == 200


def test_a_form_of_another_site_signs_nobody_in(demo: Runtime) -> None:
    client = browser_of(demo)
    fields = {"csrf_token": token(client), "ref": "user:default/ada"}
    evil = {"origin": "https://evil.example"}
    assert client.post("/sign-in/demo", data=fields, headers=evil).status_code == 403
    fields["csrf_token"] = "x"
    assert client.post("/sign-in/demo", data=fields).status_code == 403
    assert not is_in(client)


def test_sessions_of_the_demo_count_only_while_it_is_one(demo: Runtime) -> None:
    client = browser_of(demo)
    post(client, "/sign-in/demo", ref="user:default/ada")
    assert is_in(client)
    sessions = client.app.state.portal.sessions  # type: ignore[attr-defined]
    sessions.settings = sessions.settings.model_copy(update={"demo": False})
    assert not is_in(client)


# As the local administrator


def test_the_local_administrator_is_let_in_and_that_is_alarming(
    glass: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    client = browser_of(glass, SECURE, "192.0.2.7")
    with caplog.at_level(logging.ERROR):
        answer = post(
            client, "/sign-in/local", user="emergency", password=PASSWORD, next="/settings"
        )
    assert answer.headers["location"] == "/settings"
    page = client.get("/settings").text
    assert "The local administrator is in use" in page
    assert PASSWORD not in page
    assert HASH not in page
    (line,) = [record.getMessage() for record in caplog.records if "local admin" in record.message]
    assert "192.0.2.7" in line
    with glass.database.read() as connection:
        (entry,) = audit.entries(connection, action="portal.session.start")
    assert (entry.actor, entry.after["method"]) == ("person:local|emergency", "local")
    metrics = client.get("/metrics").text
    assert 'callboard_sessions{method="local"} 1.0' in metrics


def test_only_administrators_are_told_and_for_a_day(glass: Runtime, clock: Clock) -> None:
    local, admin, other = (browser_of(glass, SECURE) for _ in range(3))
    post(local, "/sign-in/local", user="emergency", password=PASSWORD)

    def is_told(client: TestClient, **roles: Any) -> bool:
        sign_in_as(client, "user:default/ada", **roles)
        return "The local administrator is in use" in client.get("/").text

    assert is_told(admin, roles=("administrator",))
    assert not is_told(other)
    clock.advance(timedelta(hours=23))
    assert is_told(admin, roles=("administrator",))
    clock.advance(timedelta(hours=2))
    assert not is_told(admin, roles=("administrator",))


def test_its_session_is_short(glass: Runtime, clock: Clock) -> None:
    client = browser_of(glass, SECURE)
    post(client, "/sign-in/local", user="emergency", password=PASSWORD)
    for _ in range(2):
        clock.advance(timedelta(minutes=14))
        assert is_in(client)
    clock.advance(timedelta(minutes=3))
    assert not is_in(client)


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("emergency", "wrong"), ("emergency", ""), ("", PASSWORD), ("Emergency", PASSWORD),
        ("emergency ", f"{PASSWORD} "), ("nobody", PASSWORD), ("emergency", PASSWORD + "x" * 2000),
        ("emergency", f"{PASSWORD}\x00"),
    ],
)  # fmt: skip
def test_a_wrong_name_or_password_is_refused_alike(
    glass: Runtime, user: str, password: str
) -> None:
    client = browser_of(glass, SECURE)
    answer = post(client, "/sign-in/local", user=user, password=password)
    assert answer.status_code == 422
    assert "The name or the password is wrong." in answer.text
    assert password == "" or f'value="{password}' not in answer.text
    assert not is_in(client)
    with glass.database.read() as connection:
        (entry,) = audit.entries(connection, action="portal.session.start")
    assert (entry.result, entry.after["method"]) == ("failed", "local")
    assert "password" not in str(entry.before) + str(entry.after).replace("or password", "")


def test_an_unknown_name_is_checked_as_long_as_a_known_one(
    glass: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    from callboard_web.sessions import break_glass

    checked: list[str] = []
    real = break_glass._fits

    def watched(hashed: str, password: str) -> bool:
        checked.append(hashed)
        return real(hashed, password)

    monkeypatch.setattr(break_glass, "_fits", watched)
    client = browser_of(glass, SECURE)
    for name in ("emergency", "nobody"):
        post(client, "/sign-in/local", user=name, password="wrong")
    assert checked == [HASH, HASH]


def test_what_hashes_cost_is_the_second_choice_of_rfc_9106() -> None:
    made = hash_of(PASSWORD)
    assert made.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert PasswordHasher().verify(made, PASSWORD)


def test_a_flood_of_one_name_is_stopped_for_a_while(glass: Runtime, clock: Clock) -> None:
    for number in range(10):
        client = browser_of(glass, SECURE, f"192.0.2.{number}")
        assert post(client, "/sign-in/local", user="emergency", password="x").status_code == 422
    other = browser_of(glass, SECURE, "192.0.2.99")
    answer = post(other, "/sign-in/local", user="emergency", password=PASSWORD)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 900
    assert not is_in(other)
    clock.advance(timedelta(minutes=15))
    assert post(other, "/sign-in/local", user="emergency", password=PASSWORD).status_code == 303


def test_a_flood_from_one_address_is_stopped_and_others_get_in(glass: Runtime) -> None:
    client = browser_of(glass, SECURE, "192.0.2.7")
    answers = [
        post(client, "/sign-in/local", user=f"name-{number}", password="x").status_code
        for number in range(32)
    ]
    assert answers == [422] * 30 + [429] * 2
    other = browser_of(glass, SECURE, "192.0.2.8")
    assert post(other, "/sign-in/local", user="emergency", password=PASSWORD).status_code == 303


def test_it_is_off_unless_it_is_configured(demo: Runtime) -> None:
    client = browser_of(demo)
    assert client.get("/sign-in/local").status_code == 404
    assert post(client, "/sign-in/local", user="emergency", password="x").status_code == 404
    assert "/sign-in/local" not in client.get("/sign-in").text


def test_its_sessions_end_when_it_is_switched_off(glass: Runtime) -> None:
    client = browser_of(glass, SECURE)
    post(client, "/sign-in/local", user="emergency", password=PASSWORD)
    assert is_in(client)
    sessions = client.app.state.portal.sessions  # type: ignore[attr-defined]
    sessions.settings = sessions.settings.model_copy(update={"break_glass": None})
    assert not is_in(client)


def test_over_plain_http_it_asks_for_no_password(glass: Runtime) -> None:
    client = browser_of(glass, "http://callboard.example.com")
    answer = post(client, "/sign-in/local", user="emergency", password=PASSWORD)
    assert answer.status_code == 403
    assert "/sign-in/local" not in client.get("/sign-in").text
