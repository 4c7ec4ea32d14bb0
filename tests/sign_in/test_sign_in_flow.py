"""Signing in with a provider that does what it should."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from browsers import Browser, number_on
from python_provider import PythonProvider, as_json, python_provider

from callboard.audit import entries
from callboard.doctor import examine
from callboard.entities import EntityRef
from callboard.testing import Clock
from callboard_web.sessions.store import ACCOUNT
from callboard_web.sign_in import attempts
from callboard_web.sign_in.checks import provider_checks
from callboard_web.sign_in.recheck import check_again


@pytest.fixture
def server(clock: Clock) -> Iterator[PythonProvider]:
    with python_provider(lambda: clock().timestamp()) as made:
        yield made


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def portal_settings(server: PythonProvider) -> Mapping[str, Any]:
    return {
        "access": {"anonymous": "", "administrators": ["provider-group:administrators"]},
        "sign_in": {
            "providers": [
                {
                    "name": "company", "title": "Company", "issuer": server.issuer,
                    "client_id": server.client_id, "client_secret": server.client_secret,
                }
            ]
        },
    }  # fmt: skip


def test_signing_in(portal: Any, server: PythonProvider) -> None:
    browser = Browser(portal)
    answer = browser.sign_in(server, wanted="/catalog?kind=api")
    assert answer.status_code == 303, answer.text
    assert answer.headers["location"] == "/catalog?kind=api"
    assert browser.signed_in


def account(portal: Any) -> Any:
    with portal.runtime.database.read() as connection:
        [found] = connection.execute(ACCOUNT.select()).all()
    return found


USER = """
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {{name: {name}}}
spec: {{profile: {{email: {email}}}, memberOf: []}}
"""


def test_the_user_of_the_catalog_is_found(portal: Any, server: PythonProvider) -> None:
    portal.catalog_add(USER.format(name="lovelace", email="Ada@Example.com"))
    server.claims = {"email": "ada@example.com", "email_verified": True}
    Browser(portal).sign_in(server)
    assert account(portal).ref == "user:default/lovelace"
    portal.run_jobs()
    assert portal.runtime.catalog.get(EntityRef.parse("user:default/ada")) is None


def test_claims_of_userinfo_count_where_the_person_is_the_same(
    portal: Any, server: PythonProvider
) -> None:
    server.userinfo = {"sub": "7", "email": "a@b.example", "email_verified": True, "iss": "x"}
    Browser(portal).sign_in(server)
    assert account(portal).email == "a@b.example"
    assert account(portal).claims["iss"] == server.issuer


def test_a_person_made_from_claims_stays_the_same(
    portal: Any, server: PythonProvider, clock: Clock
) -> None:
    browser = Browser(portal)
    browser.sign_in(server)
    portal.run_jobs()
    made = portal.runtime.catalog.get(EntityRef.parse("user:default/ada"))
    assert made is not None
    assert made.title == "Ada Lovelace"
    # Another name at the provider, and the same person.
    server.claims = {"preferred_username": "countess", "name": "Ada King"}
    clock.advance(60)
    browser.sign_in(server)
    portal.run_jobs()
    assert account(portal).ref == "user:default/ada"
    made = portal.runtime.catalog.get(EntityRef.parse("user:default/ada"))
    assert made is not None
    assert made.title == "Ada King"


def test_nobody_takes_over_who_was_made_from_the_claims_of_another(
    portal: Any, server: PythonProvider
) -> None:
    Browser(portal).sign_in(server)
    portal.run_jobs()
    # Somebody else has the user name now.
    server.claims = {"sub": "8"}
    server.userinfo = {"sub": "8"}
    Browser(portal).sign_in(server)
    with portal.runtime.database.read() as connection:
        rows = connection.execute(ACCOUNT.select().order_by(ACCOUNT.c.id)).all()
    assert rows[0].ref == "user:default/ada"
    assert re.fullmatch(r"user:default/ada-[0-9a-f]{8}", rows[1].ref)


def test_a_user_who_is_described_replaces_the_one_made(
    portal: Any, server: PythonProvider, clock: Clock
) -> None:
    server.claims = {"email": "ada@example.com", "email_verified": True}
    browser = Browser(portal)
    browser.sign_in(server)
    portal.run_jobs()
    portal.catalog_add(USER.format(name="lovelace", email="ada@example.com"))
    # Two fit now; who is described is the one.
    assert browser.sign_in(server).status_code == 303
    portal.run_jobs()
    clock.advance(60)
    assert account(portal).ref == "user:default/lovelace"
    assert portal.runtime.catalog.get(EntityRef.parse("user:default/ada")) is None


def test_refresh_keeps_people_as_the_provider_has_them(
    portal: Any, server: PythonProvider, clock: Clock
) -> None:
    server.tokens = {"refresh_token": "refresh-1"}
    server.claims = {"groups": ["one"]}
    browser = Browser(portal)
    browser.sign_in(server)
    server.claims = {"groups": ["two"], "nonce": None}
    clock.advance(11 * 60)
    check_again(portal.host("portal"))
    assert account(portal).names == ["two"]
    assert browser.signed_in
    # Another person's token is no answer.
    server.claims = {"sub": "8"}
    clock.advance(11 * 60)
    check_again(portal.host("portal"))
    assert not browser.signed_in


def test_a_provider_without_answers_is_waited_for_but_not_for_ever(
    portal: Any, server: PythonProvider, clock: Clock
) -> None:
    server.tokens = {"refresh_token": "refresh-1"}
    browser = Browser(portal)
    browser.sign_in(server)
    server.answers["/token"] = lambda asked: (503, {}, b"{}")
    for _ in range(5):
        clock.advance(11 * 60)
        check_again(portal.host("portal"))
        assert browser.signed_in
    clock.advance(11 * 60)
    check_again(portal.host("portal"))
    assert not browser.signed_in


def test_a_refresh_token_that_is_refused_ends_the_session(
    portal: Any, server: PythonProvider, clock: Clock
) -> None:
    server.tokens = {"refresh_token": "refresh-1"}
    browser = Browser(portal)
    browser.sign_in(server)
    server.answers["/token"] = lambda asked: as_json({"error": "invalid_grant"}, 400)
    clock.advance(9 * 60)
    check_again(portal.host("portal"))
    assert browser.signed_in
    clock.advance(2 * 60)
    check_again(portal.host("portal"))
    assert not browser.signed_in


# What administrators see


ADMINISTRATOR = {"preferred_username": "root", "groups": ["administrators"]}


@pytest.fixture
def administrator(portal: Any, server: PythonProvider) -> Browser:
    kept, server.claims = server.claims, {**ADMINISTRATOR, "sub": "1"}
    server.userinfo = {"sub": "1"}
    browser = Browser(portal)
    assert browser.sign_in(server).status_code == 303
    server.claims, server.userinfo = kept, None
    return browser


def test_sign_ins_are_listed(portal: Any, server: PythonProvider, administrator: Browser) -> None:
    server.claims = {"groups": ["/payments/core"], "email": "ada@example.com"}
    administrator.another().sign_in(server)
    server.claims = {"aud": "another"}
    refused = administrator.another().sign_in(server)
    page = administrator.get("/sign-ins").text
    assert "Ada Lovelace" in page
    assert "The token is meant for another application." in page
    assert "/sign-in/callback/company" in page
    one = administrator.get(f"/sign-ins/{number_on(refused)}").text
    assert "aud" in one
    assert "It did not come to that" in one
    well = administrator.get("/sign-ins/2").text
    assert "ada@example.com came without email_verified." in well
    assert "not in the catalog: group:default/payments-core" in well


def test_looking_at_claims_is_audited(
    portal: Any, server: PythonProvider, administrator: Browser
) -> None:
    administrator.another().sign_in(server)
    administrator.get("/sign-ins/1")  # their own
    administrator.get("/sign-ins/2")
    with portal.runtime.database.read() as connection:
        found = entries(connection, action="portal.sign_in.read")
    assert [(item.actor, item.subject) for item in found] == [
        ("person:user:default/root", "sign-in:2")
    ]


def test_only_administrators_see_them(portal: Any, server: PythonProvider) -> None:
    browser = Browser(portal)
    assert browser.get("/sign-ins").status_code in (401, 303)
    browser.sign_in(server)
    for path in ("/sign-ins", "/sign-ins/1", "/sign-ins/try"):
        assert browser.get(path).status_code == 403
    assert browser.post("/sign-ins/try", provider="company", claims="{}").status_code == 403


def test_rules_are_tried_without_changing_anything(
    portal: Any, server: PythonProvider, administrator: Browser
) -> None:
    portal.catalog_add(USER.format(name="grace", email="grace@example.com"))
    claims = '{"sub": "9", "email": "grace@example.com", "email_verified": true, "groups": ["g"]}'
    page = administrator.post("/sign-ins/try", provider="company", claims=claims).text
    assert "This person is user:default/grace." in page
    other = administrator.post("/sign-ins/try", provider="company", claims='{"sub": "9"}').text
    assert "a User would be made from these claims" in other
    assert account(portal).ref == "user:default/root"
    assert len(attempts.latest(portal.runtime.database)) == 1


@pytest.mark.parametrize("claims", ["", "{", "[]", "7", '{"a": NaN', "[" * 60_000, "x" * 70_000])
def test_claims_that_are_none_are_told(administrator: Browser, claims: str) -> None:
    answer = administrator.post("/sign-ins/try", provider="company", claims=claims)
    assert answer.status_code == 422
    assert "Write a JSON object" in answer.text


def test_old_sign_ins_are_forgotten(portal: Any, server: PythonProvider, clock: Clock) -> None:
    Browser(portal).sign_in(server)
    clock.advance(timedelta(days=31))
    check_again(portal.host("portal"))
    assert attempts.latest(portal.runtime.database) == []


def test_commands_do_not_load_the_libraries() -> None:
    code = "import sys, callboard_web.cli, callboard_web.builtin, callboard_web.runtime;"
    code += "print([n for n in ('authlib', 'joserfc') if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_doctor_asks_the_providers(portal: Any, server: PythonProvider) -> None:
    def said() -> list[tuple[str, str]]:
        checks = provider_checks(portal.runtime)
        return [(found.status, found.title) for found in examine(checks)]

    assert said() == [
        ("ok", "Sign-in: the addresses for answers are known."),
        ("ok", "Provider company answers."),
    ]
    server.metadata["issuer"] = "https://another.example"
    assert ("bad", "Provider company cannot be used.") in said()
