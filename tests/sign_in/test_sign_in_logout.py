"""Logout by the provider: its tokens and its frames end the session they name, and no other."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from browsers import Browser
from python_provider import PythonProvider, python_provider

from callboard.testing import Clock
from callboard_web.sign_in import attempts


@pytest.fixture
def server(clock: Clock) -> Iterator[PythonProvider]:
    with python_provider(lambda: clock().timestamp()) as made:
        yield made


@pytest.fixture
def other(clock: Clock) -> Iterator[PythonProvider]:
    with python_provider(lambda: clock().timestamp()) as made:
        yield made


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def portal_settings(server: PythonProvider, other: PythonProvider) -> Mapping[str, Any]:
    providers = [
        {
            "name": name, "issuer": provider.issuer, "client_id": provider.client_id,
            "client_secret": provider.client_secret,
        }
        for name, provider in (("company", server), ("other", other))
    ]  # fmt: skip
    return {"access": {"anonymous": ""}, "sign_in": {"providers": providers}}


@pytest.fixture
def browser(portal: Any) -> Browser:
    return Browser(portal)


def logout_token(server: PythonProvider, **changed: Any) -> str:
    now = int(server.now())
    header = changed.pop("header", {"typ": "logout+jwt"})
    claims = {
        "iss": server.issuer, "aud": server.client_id, "iat": now, "exp": now + 120,
        "jti": "number-1", "sub": "7", "sid": "session-1",
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}}, **changed,
    }  # fmt: skip
    return server.sign(claims, **header)


@pytest.fixture
def signed_in(browser: Browser, server: PythonProvider) -> Browser:
    server.claims = {"sid": "session-1"}
    assert browser.sign_in(server).status_code == 303
    assert browser.signed_in
    return browser


def tell(browser: Browser, token: str, provider: str = "company") -> int:
    answer = browser.another().client.post(
        f"/sign-out/backchannel/{provider}", data={"logout_token": token}
    )
    assert answer.headers["cache-control"] == "no-store"
    assert not answer.headers.get_list("set-cookie")
    return int(answer.status_code)


@pytest.mark.parametrize(
    "changed", [{}, {"sid": None}, {"sub": None}, {"header": {"typ": "JWT"}}, {"exp": None}]
)
def test_a_logout_token_ends_the_session(
    signed_in: Browser, server: PythonProvider, changed: dict[str, Any]
) -> None:
    assert tell(signed_in, logout_token(server, **changed)) == 200
    assert not signed_in.signed_in


def test_a_logout_token_of_another_session_ends_none(
    signed_in: Browser, server: PythonProvider
) -> None:
    assert tell(signed_in, logout_token(server, sid="session-2")) == 200
    assert signed_in.signed_in


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://evil.example"}, {"aud": "another"}, {"aud": None}, {"iat": None},
        {"iat": 0}, {"exp": 1}, {"events": None}, {"events": {}}, {"events": {"x": {}}},
        {"events": []}, {"jti": None}, {"nonce": "any"}, {"sub": None, "sid": None},
        {"header": {"typ": "at+jwt"}}, {"header": {"alg": "RS256", "kid": "unknown"}},
    ],
)  # fmt: skip
def test_a_logout_token_that_is_wrong(
    portal: Any, signed_in: Browser, server: PythonProvider, changed: dict[str, Any]
) -> None:
    assert tell(signed_in, logout_token(server, **changed)) == 400
    assert signed_in.signed_in
    assert attempts.latest(portal.runtime.database, limit=1)[0].result == "failed"


def test_a_logout_token_is_obeyed_once(signed_in: Browser, server: PythonProvider) -> None:
    token = logout_token(server)
    assert tell(signed_in, token) == 200
    assert signed_in.sign_in(server).status_code == 303
    assert tell(signed_in, token) == 400
    assert signed_in.signed_in


def test_an_id_token_is_no_logout_token(signed_in: Browser, server: PythonProvider) -> None:
    assert tell(signed_in, server.sign(server.standard_claims())) == 400
    assert tell(signed_in, "") == 400
    assert tell(signed_in, "x" * 1000) == 400
    assert tell(signed_in, logout_token(server), "other") == 400
    assert signed_in.signed_in


def test_a_frame_of_the_provider_signs_out(signed_in: Browser, server: PythonProvider) -> None:
    frame = signed_in.another()
    path = "/sign-out/frontchannel/company"
    wrong = frame.get(path, params={"iss": "https://evil.example", "sid": "session-1"})
    assert wrong.status_code == 200
    assert frame.get(path, params={"iss": server.issuer}).status_code == 200
    assert signed_in.signed_in
    answer = frame.get(path, params={"iss": server.issuer, "sid": "session-1"})
    assert f"frame-ancestors {server.address}" in answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in frame.get("/sign-in").headers["content-security-policy"]
    assert not signed_in.signed_in
