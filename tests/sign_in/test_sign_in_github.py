"""GitHub, by a server that answers in the shapes of its API."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from browsers import Browser, number_on
from python_provider import Answer, Asked, as_json, serving

from callboard.testing import Clock
from callboard_web.sessions.store import ACCOUNT, SESSION
from callboard_web.sign_in import attempts
from callboard_web.sign_in.recheck import check_again


@dataclass
class GitHub:
    """A GitHub Enterprise Server with one person. `token` is what it takes."""

    address: str
    token: str = "gho_16C7e42F292c6912E7710c838347Ae178B4a"
    emails: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {
                "email": "octocat@users.noreply.github.com",
                "primary": False,
                "verified": True,
                "visibility": None,
            },
            {
                "email": "octocat@example.com",
                "primary": True,
                "verified": True,
                "visibility": "public",
            },
        ]
    )
    organisations: list[str] = field(default_factory=lambda: ["acme"])
    asked: list[Asked] = field(default_factory=list)

    def handle(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        path, query = urlsplit(asked.path).path, parse_qs(urlsplit(asked.path).query)
        if path == "/login/oauth/access_token":
            return self._exchange(asked)
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            bad = {
                "message": "Bad credentials",
                "documentation_url": "https://docs.github.com/rest",
            }
            return as_json(bad, 401)
        page = int(query.get("page", ["1"])[0])
        if path == "/api/v3/user":
            return as_json(
                {
                    "login": "octocat", "id": 583231, "node_id": "MDQ6VXNlcjE=", "type": "User",
                    "avatar_url": "https://avatars.githubusercontent.com/u/583231",
                    "name": "monalisa octocat", "email": None, "site_admin": False,
                }
            )  # fmt: skip
        lists: dict[str, list[Any]] = {
            "/api/v3/user/emails": self.emails,
            "/api/v3/user/orgs": [
                {"login": name, "id": number} for number, name in enumerate(self.organisations)
            ],
            "/api/v3/user/teams": [
                {"name": "Core Team", "slug": "core-team", "organization": {"login": name}}
                for name in self.organisations
            ],
        }
        return as_json(lists[path][(page - 1) * 100 : page * 100])

    def _exchange(self, asked: Asked) -> Answer:
        # GitHub answers a wrong code with status 200 and an error.
        if asked.form.get("code") != "code-1" or not asked.form.get("code_verifier"):
            return as_json({"error": "bad_verification_code", "error_description": "…"})
        assert asked.form["client_secret"] == "the-secret"
        assert asked.headers["accept"] == "application/json"
        return as_json(
            {"access_token": self.token, "scope": "read:org,user:email", "token_type": "bearer"}
        )


@pytest.fixture
def server() -> Iterator[GitHub]:
    with serving(GitHub) as made:
        yield made


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def portal_settings(server: GitHub) -> Mapping[str, Any]:
    provider = {
        "name": "company", "type": "github", "issuer": server.address, "client_id": "Iv1.8a61f9b3",
        "client_secret": "the-secret", "allowed_groups": ["acme"],
    }  # fmt: skip
    return {"access": {"anonymous": ""}, "sign_in": {"providers": [provider]}}


@pytest.fixture
def browser(portal: Any) -> Browser:
    return Browser(portal)


def sign_in(browser: Browser, code: str = "code-1") -> Any:
    begun = browser.begin()
    assert begun.target.startswith(begun.target.partition("/login/")[0] + "/login/oauth/authorize?")
    assert begun.parameters["code_challenge_method"] == "S256"
    assert "nonce" not in begun.parameters
    return browser.answer(code=code, state=begun.parameters["state"])


def test_signing_in(portal: Any, browser: Browser, server: GitHub) -> None:
    assert sign_in(browser).status_code == 303
    assert browser.signed_in
    with portal.runtime.database.read() as connection:
        [account] = connection.execute(ACCOUNT.select()).all()
    assert account.subject == f"{server.address}|583231"
    assert account.title == "monalisa octocat"
    assert account.email == "octocat@example.com"
    assert account.names == ["acme", "acme/core-team"]
    assert account.ref == "user:default/octocat"


def test_the_person_of_the_catalog_is_found_by_annotation(portal: Any, browser: Browser) -> None:
    portal.catalog_add(
        "apiVersion: backstage.io/v1alpha1\nkind: User\n"
        "metadata: {name: mona, annotations: {github.com/user-login: Octocat}}\n"
        "spec: {memberOf: []}\n"
    )
    sign_in(browser)
    with portal.runtime.database.read() as connection:
        assert [row.ref for row in connection.execute(ACCOUNT.select())] == ["user:default/mona"]


def test_strangers_stay_outside(portal: Any, browser: Browser, server: GitHub) -> None:
    server.organisations = ["others"]
    answer = sign_in(browser)
    assert answer.status_code == 403
    kept = attempts.get(portal.runtime.database, number_on(answer))
    assert kept is not None
    assert kept.fault == "group"
    assert kept.claims["groups"] == ["others", "others/core-team"]
    assert server.token not in json.dumps(kept.claims)


def test_an_address_that_is_not_verified_is_not_kept(
    portal: Any, browser: Browser, server: GitHub
) -> None:
    server.emails[1]["verified"] = False
    sign_in(browser)
    with portal.runtime.database.read() as connection:
        assert [row.email for row in connection.execute(ACCOUNT.select())] == [""]


def test_a_wrong_code(portal: Any, browser: Browser) -> None:
    answer = sign_in(browser, "wrong")
    kept = attempts.get(portal.runtime.database, number_on(answer))
    assert kept is not None
    assert kept.fault == "exchange"


def test_many_organisations_are_read_page_by_page(
    portal: Any, browser: Browser, server: GitHub
) -> None:
    server.organisations = ["acme", *(f"org-{number}" for number in range(230))]
    sign_in(browser)
    with portal.runtime.database.read() as connection:
        [account] = connection.execute(ACCOUNT.select()).all()
    assert len(account.names) == 2 * 231


def test_who_leaves_the_organisation_is_signed_out(
    portal: Any, browser: Browser, server: GitHub, clock: Clock
) -> None:
    sign_in(browser)
    clock.advance(11 * 60)
    check_again(portal.host("portal"))
    assert browser.signed_in
    server.organisations = []
    clock.advance(11 * 60)
    check_again(portal.host("portal"))
    assert not browser.signed_in


def test_a_token_that_is_taken_back_ends_the_session(
    portal: Any, browser: Browser, server: GitHub, clock: Clock
) -> None:
    sign_in(browser)
    with portal.runtime.database.read() as connection:
        [session] = connection.execute(SESSION.select()).all()
    assert server.token not in session.refresh_token
    server.token = "another"
    clock.advance(11 * 60)
    check_again(portal.host("portal"))
    assert not browser.signed_in
