"""Sessions through the public door: how they begin, what ends them, and what they cost."""

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from callboard import audit
from callboard.contributions import Event
from callboard.entities import EntityRef
from callboard.errors import NotAllowedError
from callboard.events import log
from callboard.testing import Clock
from callboard_web.app import create_app
from callboard_web.runtime import Runtime
from callboard_web.sessions import Method, SignedIn
from callboard_web.sessions.models import account, session
from callboard_web.sessions.store import with_account
from callboard_web.sessions.views import next_of
from callboard_web.testing import PortalUnderTest, sign_in_as

PEOPLE = """
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
kind: Group
metadata: {name: engines}
spec: {type: team, parent: company, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: company}
spec: {type: company, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: mill}
spec: {type: service, lifecycle: production, owner: engines}
"""
ADA = "user:default/ada"
LOCAL = "http://127.0.0.1:8000"
"""Where sessions are given out over plain http."""


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def portal_settings() -> Mapping[str, Any]:
    return {"access": {"anonymous": ""}, "sessions": {"idle": "1h", "absolute": "10h"}}


@pytest.fixture
def people(portal: PortalUnderTest) -> PortalUnderTest:
    portal.catalog_add(PEOPLE)
    return portal


@pytest.fixture
def browser(people: PortalUnderTest) -> TestClient:
    """A browser of somebody who has not signed in."""
    return new_browser(people.runtime)


def new_browser(runtime: Runtime, address: str = LOCAL, **headers: str) -> TestClient:
    app = create_app(runtime)
    return TestClient(app, base_url=address, client=("127.0.0.1", 50000), headers=headers)


def is_in(client: TestClient) -> bool:
    """Say whether a browser may read: what nobody may who has not signed in."""
    return client.get("/catalog", follow_redirects=False).status_code == 200


def token(client: TestClient) -> str:
    page = client.get("/sign-out").text
    return page.partition('name="csrf_token" value="')[2].partition('"')[0]


def post(client: TestClient, path: str, **fields: str) -> Any:
    data = {"csrf_token": token(client), **fields}
    return client.post(path, data=data, follow_redirects=False)


def entries(runtime: Runtime, action: str) -> list[audit.AuditEntry]:
    with runtime.database.read() as connection:
        return audit.entries(connection, action=action)


def told(runtime: Runtime, kind: str) -> list[Event]:
    with runtime.database.read() as connection:
        return log.read(connection, 0, [kind])


def test_one_who_has_not_signed_in_is_led_there_and_back(browser: TestClient) -> None:
    answer = browser.get("/catalog?kind=api&q=a%20b", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/sign-in?next=/catalog%3Fkind%3Dapi%26q%3Da%2520b"
    page = browser.get(answer.headers["location"])
    assert page.status_code == 200
    sign_in_as(browser, ADA)
    assert "Ada Lovelace" in browser.get("/catalog?kind=api&q=a%20b").text


def test_a_session_says_who_asks(browser: TestClient, people: PortalUnderTest) -> None:
    number = sign_in_as(browser, ADA, roles=("auditor",))
    portal = browser.app.state.portal  # type: ignore[attr-defined]
    with people.runtime.database.read() as connection:
        row = connection.execute(with_account().where(session.c.id == number)).one()
    subject = portal.sessions.person(row)
    refs = ("user:default/ada", "group:default/engines", "group:default/company")
    assert str(subject.principal) == "person:user:default/ada"
    assert subject.mine == tuple(map(EntityRef.parse, refs))
    assert subject.roles == ("auditor",)
    assert subject.title == "Ada Lovelace"


def test_a_session_is_kept_as_a_hash(browser: TestClient, people: PortalUnderTest) -> None:
    sign_in_as(browser, ADA)
    secret = browser.cookies["callboard_session"]
    assert len(secret) == 43
    with people.runtime.database.read() as connection:
        rows = [dict(row._mapping) for row in connection.execute(select(session))]
    assert len(rows) == 1
    assert secret not in str(rows)
    assert re.fullmatch("[0-9a-f]{64}", rows[0]["secret"])


# How a session begins


def test_a_new_sign_in_changes_the_secret_and_ends_the_old_session(
    browser: TestClient, people: PortalUnderTest
) -> None:
    sign_in_as(browser, ADA)
    old = browser.cookies["callboard_session"]
    sign_in_as(browser, "user:default/grace")
    assert browser.cookies["callboard_session"] != old
    thief = new_browser(people.runtime)
    thief.cookies.set("callboard_session", old)
    assert not is_in(thief)
    (ended,) = entries(people.runtime, "portal.session.end")
    assert ended.before["why"] == "replaced"


def test_a_secret_planted_before_signing_in_is_worth_nothing(
    browser: TestClient, people: PortalUnderTest
) -> None:
    planted = "A" * 43
    browser.cookies.set("callboard_session", planted)
    sign_in_as(browser, ADA)
    thief = new_browser(people.runtime)
    thief.cookies.set("callboard_session", planted)
    assert not is_in(thief)
    assert browser.cookies["callboard_session"] != planted


@pytest.mark.parametrize("value", ["", "short", "A" * 44, "A" * 42 + "=", "é" * 43, "A" * 9000])
def test_what_was_never_a_secret_is_nobody_s(browser: TestClient, value: str) -> None:
    headers = {b"cookie": f"callboard_session={value}".encode()}
    answer = browser.get("/catalog", headers=headers, follow_redirects=False)
    assert answer.status_code == 303


def test_over_https_the_cookie_is_bound_to_the_host(people: PortalUnderTest) -> None:
    many = [EntityRef("group", "default", f"group-{number:04}") for number in range(500)]
    app = create_app(people.runtime)
    client = TestClient(app, base_url="https://callboard.example.com")

    async def begin(request: Request) -> Response:
        response = Response()
        signed_in = SignedIn(
            method="company", subject="a", title="A", groups=tuple(many), names=("b" * 9000,)
        )
        await asyncio.to_thread(app.state.portal.sessions.sign_in, request, response, signed_in)
        return response

    app.router.routes.insert(0, Route("/begin", begin))
    (cookie,) = client.get("/begin").headers.get_list("set-cookie")
    parts = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert parts == {"httponly", "secure", "samesite=lax", "path=/"}
    assert cookie.startswith("__Host-callboard_session=")
    assert len(cookie) < 150


def test_over_plain_http_from_elsewhere_no_session_is_given_out(people: PortalUnderTest) -> None:
    client = new_browser(people.runtime, "http://callboard.example.com")
    with pytest.raises(NotAllowedError, match="https"):
        sign_in_as(client, ADA)
    assert "Signing in needs https" in client.get("/sign-in").text


def test_what_a_visitor_kept_becomes_the_persons(people: PortalUnderTest) -> None:
    personal = create_app(people.runtime).state.portal.personal
    browser = new_browser(people.runtime)
    visitors = browser.app.state.portal.visitors  # type: ignore[attr-defined]
    given = Response()
    key = visitors.welcome(given, secure=False)
    browser.cookies.set(
        "callboard_visitor", given.headers["set-cookie"].partition(";")[0].partition("=")[2]
    )
    mill, me = EntityRef("component", "default", "mill"), f"person:{ADA}"
    personal.star(key, mill, True)
    personal.arrange(key, {"order": ["starred"]})
    sign_in_as(browser, ADA)
    assert list(personal.stars(me)) == [mill]
    assert personal.person(me).home == {"order": ["starred"]}
    assert list(personal.stars(key)) == []


def test_what_a_person_has_is_not_written_over(people: PortalUnderTest) -> None:
    personal = create_app(people.runtime).state.portal.personal
    mill, other = (EntityRef("component", "default", name) for name in ("mill", "other"))
    me = f"person:{ADA}"
    personal.star(me, mill, True)
    personal.arrange(me, {"order": ["mine"]})
    personal.star("visitor:x", other, True)
    personal.arrange("visitor:x", {"order": ["theirs"]})
    with people.runtime.database.write() as connection:
        personal.adopt(connection, "visitor:x", me)
    assert list(personal.stars(me)) == [mill]
    assert personal.person(me).home == {"order": ["mine"]}
    assert list(personal.stars("visitor:x")) == [other]


# How a session ends


def test_signing_out_ends_the_session_on_the_server(
    browser: TestClient, people: PortalUnderTest
) -> None:
    sign_in_as(browser, ADA)
    secret = browser.cookies["callboard_session"]
    answer = post(browser, "/sign-out")
    assert (answer.status_code, answer.headers["location"]) == (303, "/sign-out")
    assert 'callboard_session=""' in answer.headers["set-cookie"]
    # What the next person at this browser would find: kept pages, drafts, recent searches.
    assert answer.headers["clear-site-data"] == '"cache", "storage"'
    assert "You are signed out" in browser.get("/sign-out").text
    thief = new_browser(people.runtime)
    thief.cookies.set("callboard_session", secret)
    assert not is_in(thief)
    (ended,) = entries(people.runtime, "portal.session.end")
    assert (ended.actor, ended.before["why"]) == (f"person:{ADA}", "signed-out")
    assert told(people.runtime, "portal.session.ended")


def test_signing_out_and_ending_sessions_need_the_token_of_a_form(browser: TestClient) -> None:
    sign_in_as(browser, ADA)
    for path in ("/sign-out", "/me/sessions/end", "/me/sessions/1/end", "/me/session"):
        assert browser.post(path, data={"csrf_token": "x"}).status_code == 403
        assert browser.post(path, headers={"origin": "https://evil.example"}).status_code == 403
    assert is_in(browser)


def test_revocation_counts_in_every_process_at_once(
    browser: TestClient, people: PortalUnderTest
) -> None:
    number = sign_in_as(browser, ADA)
    other = new_browser(people.runtime)
    other.cookies.update(browser.cookies)
    assert is_in(browser)
    assert is_in(other)
    other.app.state.portal.sessions.end(number, "ended")  # type: ignore[attr-defined]
    assert not is_in(browser)
    assert not is_in(other)


def test_an_idle_session_ends_and_a_used_one_goes_on(
    browser: TestClient, people: PortalUnderTest, clock: Clock
) -> None:
    sign_in_as(browser, ADA)
    for _ in range(4):
        clock.advance(timedelta(minutes=50))
        assert is_in(browser)
    clock.advance(timedelta(minutes=61))
    assert not is_in(browser)
    assert "Your session has ended" in browser.get("/sign-in").text


def test_pages_that_renew_themselves_keep_no_session_open(
    browser: TestClient, clock: Clock
) -> None:
    sign_in_as(browser, ADA)
    for _ in range(3):
        clock.advance(timedelta(minutes=15))
        assert browser.get("/live/changes").status_code == 200
        assert browser.get("/catalog", headers={"x-live": "1"}).status_code == 200
        assert browser.get("/me/session").json()["left"] <= 45 * 60
    clock.advance(timedelta(minutes=16))
    assert not is_in(browser)


def test_no_session_outlives_its_absolute_limit(browser: TestClient, clock: Clock) -> None:
    sign_in_as(browser, ADA)
    for _ in range(11):
        clock.advance(timedelta(minutes=54))
        assert is_in(browser)
    assert browser.get("/me/session").json() == {"left": 360, "most": 360}
    clock.advance(timedelta(minutes=7))
    assert not is_in(browser)


def test_staying_makes_the_session_last_again(browser: TestClient, clock: Clock) -> None:
    sign_in_as(browser, ADA)
    clock.advance(timedelta(minutes=59))
    assert browser.get("/me/session").json()["left"] == 60
    assert post(browser, "/me/session").json()["left"] == 3600
    assert browser.get("/me/session").json()["left"] == 3600


def test_that_a_session_is_used_is_written_once_a_minute(
    browser: TestClient, people: PortalUnderTest, clock: Clock
) -> None:
    def seen() -> Any:
        with people.runtime.database.read() as connection:
            return connection.scalar(select(session.c.seen_at))

    sign_in_as(browser, ADA)
    begun = seen()
    clock.advance(59)
    is_in(browser)
    assert seen() == begun
    clock.advance(2)
    is_in(browser)
    assert seen() == clock()


def test_an_account_that_is_deactivated_is_out_and_stays_out(
    browser: TestClient, people: PortalUnderTest
) -> None:
    sign_in_as(browser, ADA)
    admin = new_browser(people.runtime)
    sign_in_as(admin, "user:default/grace", roles=("administrator",))
    page = admin.get("/sessions").text
    path = re.search(r'action="(/sessions/accounts/\d+)"', page)
    assert path
    assert post(admin, path[1], active="0").status_code == 303
    assert not is_in(browser)
    with pytest.raises(NotAllowedError, match="deactivated"):
        sign_in_as(browser, ADA)
    refused = entries(people.runtime, "portal.session.start")[0]
    assert (refused.result, refused.after["reason"]) == ("failed", "deactivated")
    assert post(admin, path[1], active="1").status_code == 303
    sign_in_as(browser, ADA)
    assert is_in(browser)


def test_one_whose_user_left_the_catalog_is_out_in_bounded_time(
    people: PortalUnderTest, clock: Clock
) -> None:
    browser = new_browser(people.runtime)
    sign_in_as(browser, "user:default/ghost")
    sign_in_as(other := new_browser(people.runtime), ADA)
    people.run_jobs()
    assert is_in(browser)  # a User that is made at the first sign-in may take a moment
    clock.advance(timedelta(minutes=15))
    people.run_jobs()
    assert not is_in(browser)
    assert is_in(other)
    (ended,) = entries(people.runtime, "portal.session.end")
    assert ended.before["why"] == "gone"


def test_sessions_that_ran_out_are_deleted(
    browser: TestClient, people: PortalUnderTest, clock: Clock
) -> None:
    sign_in_as(browser, ADA)
    clock.advance(timedelta(hours=2))
    people.run_jobs()
    with people.runtime.database.read() as connection:
        assert connection.execute(select(session.c.id)).all() == []
        assert len(connection.execute(select(account.c.id)).all()) == 1
    assert entries(people.runtime, "portal.session.end") == []


# Providers


def company(subject: str, **more: Any) -> SignedIn:
    return SignedIn(method="company", subject=subject, title=subject, **more)


def begin(client: TestClient, signed_in: SignedIn) -> int:
    """Sign a browser in as a provider does."""
    sessions = client.app.state.portal.sessions  # type: ignore[attr-defined]
    agent = client.headers["user-agent"]
    scope = {
        "type": "http", "method": "POST", "path": "/", "query_string": b"", "scheme": "http",
        "headers": [(b"host", b"127.0.0.1"), (b"user-agent", agent.encode())],
    }  # fmt: skip
    response = Response()
    number: int = sessions.sign_in(Request(scope), response, signed_in)
    client.cookies.set(
        "callboard_session", response.headers["set-cookie"].partition(";")[0].partition("=")[2]
    )
    return number


def test_tokens_of_providers_are_kept_encrypted(
    browser: TestClient, people: PortalUnderTest, clock: Clock
) -> None:
    signed_in = company("iss|ada", refresh_token="refresh-me", id_token="who-i-am")
    number = begin(browser, signed_in)
    with people.runtime.database.read() as connection:
        row = str(connection.execute(select(session)).one())
    assert "refresh-me" not in row
    assert "who-i-am" not in row
    sessions = browser.app.state.portal.sessions  # type: ignore[attr-defined]
    clock.advance(600)
    (due,) = sessions.due_for_check("company", clock())
    assert (due.session, due.refresh_token) == (number, "refresh-me")
    sessions.update(due.account, company("iss|ada", refresh_token="next"), session=number)
    assert sessions.due_for_check("company", clock()) == []
    clock.advance(1)
    assert sessions.due_for_check("company", clock())[0].refresh_token == "next"
    assert sessions.end(number, "signed-out").id_token == "who-i-am"


def test_a_changed_group_counts_at_the_next_request_and_is_audited(
    browser: TestClient, people: PortalUnderTest
) -> None:
    begin(browser, company("iss|x", names=("developers",)))
    sessions = browser.app.state.portal.sessions  # type: ignore[attr-defined]
    (found,) = sessions.open()
    sessions.update(found.account, company("iss|x", names=("auditors",), roles=("auditor",)))
    (entry,) = entries(people.runtime, "portal.account.update")
    assert (entry.before["names"], entry.after["names"]) == (["developers"], ["auditors"])
    with people.runtime.database.read() as connection:
        row = connection.execute(with_account()).one()
    assert sessions.person(row).names == ("provider-group:auditors",)
    assert sessions.person(row).roles == ("auditor",)


def test_a_provider_ends_its_own_sessions_only(people: PortalUnderTest) -> None:
    browsers = [new_browser(people.runtime) for _ in range(4)]
    begin(browsers[0], company("iss|a", provider_session="one"))
    begin(browsers[1], company("iss|a", provider_session="two"))
    begin(browsers[2], company("iss|b", provider_session="three"))
    begin(browsers[3], SignedIn(method="other", subject="iss|a", title="x", provider_session="one"))
    sessions = browsers[0].app.state.portal.sessions  # type: ignore[attr-defined]
    assert sessions.end_of_provider("company") == 0
    assert sessions.end_of_provider("company", subject="iss|b", provider_session="one") == 0
    assert sessions.end_of_provider("company", provider_session="one") == 1
    assert [is_in(client) for client in browsers] == [False, True, True, True]
    assert sessions.end_of_provider("company", subject="iss|a") == 1
    assert [is_in(client) for client in browsers] == [False, False, True, True]


# The pages of sessions


def test_my_sessions_can_be_ended_one_by_one_and_together(people: PortalUnderTest) -> None:
    agents = ("Mozilla/5.0 (Windows NT 10.0) Firefox/140.0", "curl/8.5.0", "Weird/1.0")
    clients = [new_browser(people.runtime, **{"user-agent": agent}) for agent in agents]
    numbers = [begin(client, company("iss|a")) for client in clients]
    page = clients[0].get("/me/sessions").text
    assert "Firefox on Windows" in page
    assert page.count("This one") == 1
    assert post(clients[0], f"/me/sessions/{numbers[1]}/end").status_code == 303
    assert [is_in(client) for client in clients] == [True, False, True]
    assert post(clients[0], "/me/sessions/end").status_code == 303
    assert [is_in(client) for client in clients] == [True, False, False]


def test_nobody_ends_the_session_of_another(people: PortalUnderTest) -> None:
    ada, grace = new_browser(people.runtime), new_browser(people.runtime)
    number = sign_in_as(ada, ADA)
    sign_in_as(grace, "user:default/grace")
    assert post(grace, f"/me/sessions/{number}/end").status_code == 404
    assert post(grace, f"/sessions/{number}/end").status_code == 403
    assert grace.get("/sessions").status_code == 403
    assert is_in(ada)


def test_an_administrator_sees_and_ends_sessions_and_that_is_written_down(
    people: PortalUnderTest,
) -> None:
    ada, admin = new_browser(people.runtime), new_browser(people.runtime)
    number = sign_in_as(ada, ADA)
    sign_in_as(admin, "user:default/grace", roles=("administrator",))
    page = admin.get("/sessions?q=ada").text
    assert ">ada<" in page
    (looked,) = entries(people.runtime, "portal.session.read")
    assert looked.actor == "person:user:default/grace"
    assert looked.after == {"people": [f"person:{ADA}"]}
    assert post(admin, f"/sessions/{number}/end").status_code == 303
    assert not is_in(ada)
    assert entries(people.runtime, "portal.session.end")[0].actor == looked.actor


# Answers to those who must sign in


def test_htmx_is_told_to_sign_in_and_keeps_what_was_written(browser: TestClient) -> None:
    current = {"hx-request": "true", "hx-current-url": f"{LOCAL}/catalog?kind=api"}
    got = browser.get("/catalog", headers=current)
    assert got.status_code == 401
    assert got.headers["hx-redirect"] == "/sign-in?next=/catalog%3Fkind%3Dapi"
    form = {**current, "x-csrf-token": token(browser)}
    sent = browser.post("/me/stars", headers=form)
    assert sent.status_code == 401
    assert "hx-redirect" not in sent.headers
    assert sent.headers["hx-retarget"] == "#again"
    renewed = browser.get("/catalog", headers={**current, "x-live": "1"})
    assert "hx-redirect" not in renewed.headers


def test_htmx_is_never_led_to_another_site(browser: TestClient) -> None:
    headers = {"hx-request": "true", "hx-current-url": "https://evil.example//evil.example/x"}
    got = browser.get("/catalog", headers=headers)
    assert got.headers["hx-redirect"] == "/sign-in?next=/"


def test_a_form_sent_too_late_can_be_sent_again(browser: TestClient) -> None:
    fields = {"ref": 'component:default/"><mill', "on": "1"}
    answer = post(browser, "/me/stars", **fields)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert 'action="/me/stars"' in answer.text
    assert 'name="on" value="1"' in answer.text
    assert '"><mill' not in answer.text
    assert answer.text.count('name="csrf_token"') == 2


def test_the_api_and_programs_are_told_in_their_own_form(browser: TestClient) -> None:
    api = browser.get("/api/catalog/sources", follow_redirects=False)
    assert api.status_code == 401
    assert api.headers["www-authenticate"] == 'Bearer realm="callboard"'
    assert api.json()["error"]["name"] == "AuthenticationError"
    stream = browser.get("/live", headers={"accept": "text/event-stream"}, follow_redirects=False)
    assert stream.status_code == 401
    picture = browser.get("/catalog", headers={"sec-fetch-mode": "no-cors"}, follow_redirects=False)
    assert picture.status_code == 401


HOSTILE = (
    "//evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "https:/x",
    "/%2f%2fevil.example", "/%2Fevil.example", "/%5cevil.example", "javascript:alert(1)",
    "/\tx", "/\n/evil.example", "/\r\nset-cookie: a=b", "%2f%2fevil.example", "/\x00", " /x",
    "///evil.example", "/%09/evil.example", "/%0d%0aset-cookie:a", "/a\\b", "data:text/html,x",
    "evil.example", "?next=//evil.example", "/" + "a" * 5000, "/%252f%255c\\evil.example",
)  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_signing_in_leads_into_the_portal_only(path: str) -> None:
    assert next_of(path) == "/"


@pytest.mark.parametrize("path", ["/", "/catalog?q=a%2F%2Fb#x", "/docs/a//b", "/me#preferences"])
def test_signing_in_leads_back(path: str) -> None:
    assert next_of(path) == path


def test_signing_in_leads_not_to_itself() -> None:
    assert next_of("/sign-in?next=/catalog") == "/"
    assert next_of("/sign-out") == "/"


def test_where_there_is_no_way_to_sign_in_the_page_says_what_to_configure(
    browser: TestClient,
) -> None:
    page = browser.get("/sign-in").text
    assert "There is no way to sign in yet" in page
    assert "providers:" in page


def test_the_page_for_signing_in_is_there_in_chinese_and_leads_nowhere_else(
    browser: TestClient,
) -> None:
    browser.cookies.set("callboard_language", "zh-CN")
    answer = browser.get("/sign-in?next=//evil.example")
    assert "登录" in answer.text
    assert not re.search(r'(href|action|value)="//evil', answer.text)
    assert answer.headers["cache-control"] == "no-store"


def test_forms_may_lead_to_the_providers_only(browser: TestClient) -> None:
    portal = browser.app.state.portal  # type: ignore[attr-defined]
    origins = ("https://id.example.com", "https://x; script-src *")
    portal.sign_in_methods.append(
        Method(name="company", title="Company", path="/sign-in/with/company", origins=origins)
    )
    answer = browser.get("/sign-in?next=/catalog")
    policy = answer.headers["content-security-policy"]
    assert "form-action 'self' https://id.example.com;" in policy
    assert "script-src *" not in policy
    assert 'action="/sign-in/with/company"' in answer.text
    assert 'name="next" value="/catalog"' in answer.text
