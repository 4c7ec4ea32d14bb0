"""What a provider, a site or a person could try: each is refused, noted and audited."""

import json
import re
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from browsers import Browser, number_on
from cryptography.hazmat.primitives.asymmetric import rsa
from hostile_tokens import TOKENS, Change, with_claims, with_header
from python_provider import PythonProvider, as_json, half_hash, other_key, python_provider
from starlette.testclient import TestClient

from callboard.audit import entries
from callboard.testing import Clock
from callboard_web.sign_in import attempts, service, views
from callboard_web.sign_in.discovery import MOST_FORCED


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


def assert_refused(portal: Any, browser: Browser, answer: Any, fault: str) -> attempts.Attempt:
    """Nobody is signed in; the page has a number and no more; the reason is kept and audited."""
    assert answer.status_code == 403, answer.text
    assert not browser.signed_in
    assert "session" not in " ".join(answer.headers.get_list("set-cookie"))
    number = number_on(answer)
    kept = attempts.get(portal.runtime.database, number)
    assert kept is not None
    assert (kept.result, kept.fault) == ("failed", fault)
    assert "access-1" not in answer.text
    assert "Ada Lovelace" not in answer.text
    assert "eyJ" not in answer.text + json.dumps(kept.claims)
    with portal.runtime.database.read() as connection:
        [entry, *_] = entries(connection, action="portal.session.start")
    assert entry.result == "denied"
    assert entry.subject == f"sign-in:{number}"
    assert entry.after == {"method": kept.provider, "reason": fault}
    return kept


# State


def test_a_state_is_used_once(portal: Any, browser: Browser, server: PythonProvider) -> None:
    begun = browser.begin()
    server.nonce = begun.parameters["nonce"]
    state = begun.parameters["state"]
    assert browser.answer(code="code-1", state=state).status_code == 303
    again = browser.another()
    again.client.cookies = browser.client.cookies
    answer = browser.answer(code="code-1", state=state)
    assert answer.status_code == 403
    assert sum(asked.path == "/token" for asked in server.asked) == 1
    # The session of before goes on: somebody may only have gone back.
    assert browser.signed_in


@pytest.mark.parametrize("state", ["", "made-up", "x" * 5000, "\ud83d\x00"])
def test_a_foreign_state(portal: Any, browser: Browser, server: PythonProvider, state: str) -> None:
    browser.begin()
    state = state.encode("utf-8", "replace").decode()
    answer = browser.answer(code="code-1", state=state)
    assert_refused(portal, browser, answer, "state")
    assert not any(asked.path == "/token" for asked in server.asked)


def test_a_state_of_another_browser(portal: Any, browser: Browser, server: PythonProvider) -> None:
    """Login CSRF: an attacker's own code, sent to the victim as a link."""
    victim = browser.another()
    begun = browser.begin()
    server.nonce = begun.parameters["nonce"]
    state = begun.parameters["state"]
    assert_refused(portal, victim, victim.answer(code="code-1", state=state), "state")
    victim.begin()  # with a cookie of its own it is no better
    assert_refused(portal, victim, victim.answer(code="code-1", state=state), "state")
    # It has leaked, so that it is of no use to the first one either.
    assert_refused(portal, browser, browser.answer(code="code-1", state=state), "state")


def test_a_state_does_not_last(
    portal: Any, browser: Browser, server: PythonProvider, clock: Clock
) -> None:
    begun = browser.begin()
    server.nonce = begun.parameters["nonce"]
    clock.advance(601)
    answer = browser.answer(code="code-1", state=begun.parameters["state"])
    assert_refused(portal, browser, answer, "state")


def test_what_is_begun_is_random_and_bound(browser: Browser, portal: Any) -> None:
    first, second = browser.begin().parameters, browser.begin().parameters
    for name in ("state", "nonce", "code_challenge"):
        assert first[name] != second[name]
        assert len(first[name]) >= 43
    assert first["code_challenge_method"] == "S256"
    assert first["redirect_uri"] == "http://127.0.0.1/sign-in/callback/company"
    [cookie] = [
        text
        for text in browser.begin().page.headers.get_list("set-cookie")
        if text.startswith("callboard_sign_in=")
    ]
    assert {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=600"} <= set(cookie.split("; "))
    # Neither is kept as it is.
    with portal.runtime.database.read() as connection:
        rows = connection.exec_driver_sql("SELECT * FROM portal_sign_in_pending").all()
    assert first["state"] not in str(rows)


def test_few_are_under_way_in_one_browser(browser: Browser, portal: Any) -> None:
    for _ in range(15):
        browser.begin()
    with portal.runtime.database.read() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM portal_sign_in_pending").scalar()
    assert count == 10


# Tokens


@pytest.mark.parametrize("case", TOKENS)
def test_a_token_that_is_wrong(
    portal: Any, browser: Browser, server: PythonProvider, case: str
) -> None:
    change, fault = TOKENS[case]
    begun = browser.begin()
    server.nonce = begun.parameters["nonce"]
    change(server)
    answer = browser.answer(code="code-1", state=begun.parameters["state"])
    assert_refused(portal, browser, answer, fault)


@pytest.mark.parametrize(
    "change",
    [
        with_claims(exp=-59), with_claims(iat=59), with_claims(nbf=59),
        with_claims(aud=["callboard"]),
        with_claims(aud=["callboard", "another"], azp="callboard"),
        with_claims(at_hash=half_hash("access-1")), with_header(typ="JWT"),
        with_header(x5t="x", extra="y"),
    ],
)  # fmt: skip
def test_a_token_that_is_only_unusual(
    browser: Browser, server: PythonProvider, change: Change
) -> None:
    begun = browser.begin()
    server.nonce = begun.parameters["nonce"]
    change(server)
    answer = browser.answer(code="code-1", state=begun.parameters["state"])
    assert answer.status_code == 303, answer.text


@pytest.mark.parametrize(("kind", "algorithm"), [("EC", "ES256"), ("OKP", "EdDSA")])
def test_other_signatures(
    browser: Browser, server: PythonProvider, kind: str, algorithm: str
) -> None:
    server.key, server.algorithm = other_key(kind, "two"), algorithm
    assert browser.sign_in(server).status_code == 303


def test_a_token_without_a_number_of_its_key(browser: Browser, server: PythonProvider) -> None:
    begun = browser.begin()
    server.nonce = begun.parameters["nonce"]
    server.id_token = server.sign(server.standard_claims(), kid=None)
    answer = browser.answer(code="code-1", state=begun.parameters["state"])
    assert answer.status_code == 303


def test_a_token_without_a_number_among_several_keys(
    portal: Any, browser: Browser, server: PythonProvider
) -> None:
    begun = browser.begin()
    server.nonce = begun.parameters["nonce"]
    server.published = [server.key, other_key("RSA", "two")]
    server.id_token = server.sign(server.standard_claims(), kid=None)
    answer = browser.answer(code="code-1", state=begun.parameters["state"])
    assert_refused(portal, browser, answer, "kid")


def test_unknown_keys_do_not_make_the_portal_hammer_the_provider(
    browser: Browser, server: PythonProvider
) -> None:
    published = server.key
    for number in range(10):
        server.key = other_key("EC", f"unknown-{number}")
        server.algorithm, server.published = "ES256", [published]
        assert browser.sign_in(server).status_code == 403
    assert sum(asked.path == "/jwks" for asked in server.asked) == 1 + MOST_FORCED


def test_a_small_key_is_none(portal: Any, browser: Browser, server: PythonProvider) -> None:
    small = (
        rsa.generate_private_key(public_exponent=65537, key_size=1024).public_key().public_numbers()
    )

    def number(value: int) -> str:
        size = (value.bit_length() + 7) // 8
        return urlsafe_b64encode(value.to_bytes(size, "big")).rstrip(b"=").decode()

    weak = {"kty": "RSA", "kid": "one", "n": number(small.n), "e": number(small.e)}
    server.answers["/jwks"] = lambda asked: as_json({"keys": [weak]})
    assert_refused(portal, browser, browser.sign_in(server), "kid")


# Mix-up (RFC 9207, RFC 9700 section 4.4)


def test_a_code_of_one_provider_at_the_address_of_another(
    portal: Any, browser: Browser, server: PythonProvider, other: PythonProvider
) -> None:
    begun = browser.begin("company")
    server.nonce = begun.parameters["nonce"]
    answer = browser.answer("other", code="code-1", state=begun.parameters["state"])
    assert_refused(portal, browser, answer, "mix-up")
    assert not any(asked.path == "/token" for asked in (*server.asked, *other.asked))


def test_an_answer_that_names_another_issuer(
    portal: Any, browser: Browser, server: PythonProvider, other: PythonProvider
) -> None:
    begun = browser.begin("company")
    answer = browser.answer(
        "company", code="code-1", state=begun.parameters["state"], iss=other.issuer
    )
    assert_refused(portal, browser, answer, "mix-up")
    assert not any(asked.path == "/token" for asked in server.asked)


def test_a_provider_that_names_itself_must_do_so_always(
    portal: Any, browser: Browser, server: PythonProvider
) -> None:
    server.metadata["authorization_response_iss_parameter_supported"] = True
    assert_refused(portal, browser, browser.sign_in(server), "mix-up")
    begun = browser.begin()
    server.nonce = begun.parameters["nonce"]
    state = begun.parameters["state"]
    answer = browser.answer(code="code-1", state=state, iss=server.issuer)
    assert answer.status_code == 303


def test_each_provider_has_an_address_of_its_own(browser: Browser) -> None:
    addresses = {browser.begin(name).parameters["redirect_uri"] for name in ("company", "other")}
    assert len(addresses) == 2


# What is wanted, and whose session it is


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example",
        "/%0d%0aSet-Cookie: a=b", "javascript:alert(1)", "/\r\nx: y", "http:evil.example",
        "/\t/evil.example", "/ /evil.example",
    ],
)  # fmt: skip
def test_signing_in_leads_into_the_portal_only(
    browser: Browser, server: PythonProvider, wanted: str
) -> None:
    location = browser.sign_in(server, wanted=wanted).headers["location"]
    assert re.match(r"/(?![/\\])", location)
    assert not re.search(r"[\x00-\x20\\]", location)


def test_a_session_is_new_at_every_sign_in(browser: Browser, server: PythonProvider) -> None:
    planted = "A" * 43
    browser.client.cookies.set("callboard_session", planted)
    browser.sign_in(server)
    first = browser.client.cookies.get("callboard_session", domain="127.0.0.1")
    assert first != planted
    browser.sign_in(server)
    second = browser.client.cookies.get("callboard_session", domain="127.0.0.1")
    assert len({planted, first, second}) == 3
    old = browser.another()
    old.client.cookies.set("callboard_session", str(first))
    assert not old.signed_in


def test_nobody_can_begin_it_for_somebody_else(portal: Any, browser: Browser) -> None:
    answer = browser.client.post("/sign-in/with/company", data={"next": "/"})
    assert answer.status_code == 403
    token = browser.token()
    answer = browser.client.post(
        "/sign-in/with/company", data={"csrf_token": token},
        headers={"origin": "https://evil.example"},
    )  # fmt: skip
    assert answer.status_code == 403
    assert browser.client.get("/sign-in/with/company").status_code == 405
    with portal.runtime.database.read() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM portal_sign_in_pending").scalar()
    assert count == 0


def test_a_flood_of_answers_is_cut_off(portal: Any, browser: Browser) -> None:
    statuses = [browser.answer(code="x", state=str(number)).status_code for number in range(40)]
    assert statuses[0] == 403
    assert statuses[-1] == 429
    with portal.runtime.database.read() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM portal_sign_in").scalar()
    assert count == statuses.count(403) <= 30


def test_a_flood_of_beginnings_is_cut_off(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MOST_BEGUN", 5)
    token = browser.token()
    statuses = [
        browser.client.post("/sign-in/with/company", data={"csrf_token": token}).status_code
        for _ in range(7)
    ]
    assert statuses == [200] * 5 + [429] * 2


def test_the_address_of_the_portal_is_not_taken_from_a_request(
    browser: Browser, server: PythonProvider
) -> None:
    stranger = TestClient(browser.app, base_url="https://evil.example")
    page = stranger.get("/sign-in").text
    token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
    answer = stranger.post("/sign-in/with/company", data={"csrf_token": token})
    assert answer.status_code == 400
    assert "portal.base_url" in answer.text
    assert not server.asked


# Providers that do not do as they should


def _fails(asked: object) -> Any:
    return 500, {}, b"oops"


def _garbage(asked: object) -> Any:
    return 200, {"content-type": "application/json"}, b"\x00\xff garbage"


def _huge(asked: object) -> Any:
    return 200, {"content-type": "application/json"}, b" " * (3 * 1024 * 1024)


def _nested(asked: object) -> Any:
    return 200, {"content-type": "application/json"}, b"[" * 100_000


def _redirects(asked: object) -> Any:
    return 302, {"location": "http://127.0.0.1:1/metadata"}, b""


def _list(asked: object) -> Any:
    return as_json([])


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/userinfo"])
@pytest.mark.parametrize("answers", [_fails, _garbage, _huge, _nested, _redirects, _list])
def test_a_provider_that_answers_badly(
    portal: Any, browser: Browser, server: PythonProvider, path: str, answers: Any
) -> None:
    server.answers[path] = answers
    begun = browser.begin()
    if path.startswith("/.well"):
        assert_refused(portal, browser, begun.page, "unreachable")
        return
    server.nonce = begun.parameters["nonce"]
    answer = browser.answer(code="code-1", state=begun.parameters["state"])
    assert_refused(portal, browser, answer, "unreachable")


@pytest.mark.parametrize("answers", [_fails, _garbage, _huge, _nested, _redirects, _list])
def test_a_token_endpoint_that_answers_badly(
    portal: Any, browser: Browser, server: PythonProvider, answers: Any
) -> None:
    server.answers["/token"] = answers
    answer = browser.sign_in(server)
    kept = attempts.get(portal.runtime.database, number_on(answer))
    assert kept is not None
    assert_refused(portal, browser, answer, kept.fault)
    assert kept.fault in ("unreachable", "exchange")


def test_a_provider_that_is_slow(
    portal: Any, browser: Browser, server: PythonProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "TIMEOUT", timedelta(milliseconds=300))
    released = threading.Event()

    def slow(asked: object) -> Any:
        released.wait(20)
        return as_json({})

    server.answers["/.well-known/openid-configuration"] = slow
    begin = time.monotonic()
    try:
        answer = browser.begin().page
        assert time.monotonic() - begin < 15
    finally:
        released.set()
    assert_refused(portal, browser, answer, "unreachable")


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"issuer": None},
        {"authorization_endpoint": "http://evil.example/authorize"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"token_endpoint": None},
        {"token_endpoint": ["https://evil.example"]},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": "https://id.example/\r\nx: y"},
        {"authorization_endpoint": "https://id.example/\u202e"},
        {"userinfo_endpoint": "https://name:word@evil.example/"},
    ],
)
def test_a_provider_that_describes_itself_badly(
    portal: Any, browser: Browser, server: PythonProvider, metadata: dict[str, Any]
) -> None:
    server.metadata.update(metadata)
    assert_refused(portal, browser, browser.begin().page, "discovery")


def test_a_provider_that_fails_is_left_alone_for_a_moment(
    browser: Browser, server: PythonProvider, clock: Clock
) -> None:
    server.answers["/.well-known/openid-configuration"] = _fails
    for _ in range(5):
        assert browser.begin().page.status_code == 403
    assert len(server.asked) == 1
    server.answers.clear()
    clock.advance(6)
    assert browser.begin().page.status_code == 200


def test_endpoints_inside_the_network_are_not_asked(
    portal: Any, browser: Browser, server: PythonProvider
) -> None:
    """The provider's own hosts may be asked; it cannot lead the portal to others inside."""
    server.metadata["token_endpoint"] = "https://169.254.169.254/latest/meta-data"
    assert_refused(portal, browser, browser.sign_in(server), "unreachable")


@pytest.mark.parametrize(
    "error", ["access_denied", "<script>alert(1)</script>", "x" * 5000, "login_required"]
)
def test_a_refusal_of_the_provider(
    portal: Any, browser: Browser, server: PythonProvider, error: str
) -> None:
    begun = browser.begin()
    answer = browser.answer(
        error=error, error_description="<b>secret</b>", state=begun.parameters["state"]
    )
    assert_refused(portal, browser, answer, "refused")
    assert "<script>alert" not in answer.text
    assert "secret" not in answer.text


# Claims


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "Ada\u202egnp.exe\u2066",
    "A\u200bd\u200ba\ufeff",
    "Ada\r\nX: y",
    "{{ 7 * 7 }}",
    "x" * 20_000,
)


@pytest.mark.parametrize("text", HOSTILE)
def test_claims_are_shown_as_text(
    portal: Any, browser: Browser, server: PythonProvider, text: str
) -> None:
    server.claims = {
        "name": text, "preferred_username": text, "email": f"{text}@example.com",
        "email_verified": True, "picture": f"javascript:{text}", "groups": [text, f"/a/{text}"],
        text[:100]: {"deep": [text]},
    }  # fmt: skip
    assert browser.sign_in(server).status_code == 303
    portal.run_jobs()
    for path in ("/me", "/me/sessions", "/people", "/sign-ins"):
        page = browser.get(path).text
        assert "<script>alert" not in page
        assert "<img src=x" not in page
        assert not re.search(
            r"[\u200b\u202a-\u202e\u2066-\u2069\ufeff]", page.replace("\u200b", "")
        )
    found = attempts.latest(portal.runtime.database, limit=1)[0]
    assert not re.search(r"[\x00-\x1f\u200b\u202a-\u202e\u2066-\u2069\ufeff]", found.title)
    assert 0 < len(found.title) <= 200


def test_very_many_groups(portal: Any, browser: Browser, server: PythonProvider) -> None:
    server.claims = {"groups": [f"/group/{number}" for number in range(5_000)]}
    answer = browser.sign_in(server)
    assert answer.status_code == 303
    assert sum(map(len, answer.headers.get_list("set-cookie"))) < 1_000


def test_claims_with_zero_characters(portal: Any, browser: Browser, server: PythonProvider) -> None:
    server.claims = {"name": "A\0da", "email": "a\0@example.com", "groups": ["x\0y", None, 7, {}]}
    assert browser.sign_in(server).status_code == 303


def test_no_other_path_is_let_by_without_a_token(browser: Browser) -> None:
    for path in ("/sign-out/frontchannel/company", "/sign-out", "/sign-in/with/company"):
        assert browser.client.post(path).status_code in (403, 405)
