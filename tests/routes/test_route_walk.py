"""No page and no endpoint is outside the permissions: every route is walked in every role.

What is expected comes from the permission that a route declares. A new route that declares none
keeps the portal from starting; one with parameters that has no sample fails here.
"""

import asyncio
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
from route_samples import CANARY, ENTITY, HIDDEN, NUMBER, SAMPLES, Sample, World, token, world
from starlette.routing import Match
from starlette.testclient import TestClient

from callboard.access.service import READ
from callboard.audit import entries
from callboard.entities import EntityRef
from callboard.identity import acting_for
from callboard_web.csrf import SIGNED
from callboard_web.identity.middleware import identify
from callboard_web.routing import GuardedRoute, guarded, prepared
from callboard_web.views import live

NOBODY: Final = ""
ROLES: Final = (NOBODY, "vera", "olga", "otto", "root")
"""Nobody known, a viewer, who owns the ledger, one of another team, an administrator."""

REFUSED: Final = (401, 403)

LEAVING: Final = ("/sign-out", "/me/session", "/sessions", "/sign-in", "/static", "/flash")
"""Beginnings of the paths that may end the session that one walks with; and what follows them."""

PUBLIC: Final = {
    "/static/{path:path}": "files of the portal",
    "/favicon.ico": "files of the portal",
    "/healthz": "load balancers",
    "/readyz": "load balancers",
    "/navigation": "language before signing in",
    "/preferences": "language before signing in",
    "/flash": "what the browser was told",
    "/hooks/{plugin}/{name}": "signed deliveries",
    "/sign-in": "signing in",
    "/sign-in/done": "signing in",
    "/sign-in/demo": "signing in",
    "/sign-in/local": "signing in",
    "/sign-in/with/{provider}": "signing in",
    "/sign-in/callback/{provider}": "signing in",
    "/sign-out": "one's own session",
    "/sign-out/frontchannel/{provider}": "providers end sessions",
    "/sign-out/backchannel/{provider}": "providers end sessions, signed",
    "/me/session": "one's own session",
    "/me/sessions": "one's own session",
    "/me/sessions/end": "one's own session",
    "/me/sessions/{number:int}/end": "one's own session",
    "/me/access": "one's own access",
    "/api/access/decision": "one's own access",
    "/api/access/decisions": "one's own access",
    "/api/access/permissions": "one's own access",
    "/api/whoami": "who asks, and nothing else",
    "/api/token": "one's own token",
    "/api/catalog/openapi.json": "how to ask",
    "/api/plugins/docs/diagrams/{digest}/{name}.js": "a file, for a frame without cookies",
}
"""All that is open to everyone. A route that is added here needs a reason that holds."""

OPENED_BY_SETTINGS: Final = {
    "/metrics": "public_metrics",
    "/badges/{namespace}/{kind}/{name}.svg": "public_badges",
    "/badges/{namespace}/{kind}/{name}/problems.svg": "public_badges",
    "/badges/sources/{name}.svg": "public_badges",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("walk")) as found:
        yield found


def every(made: World) -> list[tuple[str, GuardedRoute]]:
    """Give every route of the portal, once for each method."""
    found = []
    for route in made.app.router.routes:
        assert isinstance(route, GuardedRoute), f"{route!r} says not who may use it"
        found += [(method, route) for method in sorted((route.methods or set()) - {"HEAD"})]
    return found


def needs_sample(method: str, route: GuardedRoute) -> bool:
    return "{" in route.path and f"{method} {route.path}" not in SAMPLES


def asked(made: World) -> list[tuple[str, GuardedRoute]]:
    """Give those that can be asked; a test tells of the others."""
    return [pair for pair in every(made) if not needs_sample(*pair)]


def sample_of(method: str, route: GuardedRoute) -> Sample:
    return SAMPLES.get(f"{method} {route.path}") or Sample()


def address(path: str, params: dict[str, str]) -> str:
    """Fill the parameters of a route's path."""
    return re.sub(r"{(\w+)(?::\w+)?}", lambda match: params[match[1]], path)


def send(
    client: TestClient, method: str, path: str, sample: Sample, *, forgery: bool = False
) -> Any:
    query = f"?{sample.query}" if sample.query else ""
    if method == "GET":
        return client.get(f"{path}{query}")
    if sample.json is not None:
        shown = {} if forgery else {"x-csrf-token": token(client)}
        return client.request(method, f"{path}{query}", json=sample.json, headers=shown)
    proof = {} if forgery else {"csrf_token": token(client)}
    if method == "POST":
        return client.post(f"{path}{query}", data={**sample.form, **proof})
    headers = {} if forgery else {"x-csrf-token": token(client)}
    return client.request(method, f"{path}{query}", headers=headers)


def may(made: World, who: str, permission: str, ref: EntityRef | None = None) -> bool:
    services = made.runtime.services
    with acting_for(made.subject(who)):
        return services.permits(permission, ref)


def entity_of(params: dict[str, str]) -> EntityRef | None:
    if {"namespace", "kind", "name"} <= params.keys():
        return EntityRef.of(params["kind"], params["namespace"], params["name"])
    return None


def is_refused(answer: Any) -> bool:
    """Say whether an answer is a refusal, or leads to the sign-in."""
    return answer.status_code in REFUSED or leads_to_sign_in(answer)


def leads_to_sign_in(answer: Any) -> bool:
    return bool(answer.headers.get("location", "").startswith("/sign-in?"))


def tells_of_hidden(answer: Any, sample: Sample) -> bool:
    """Say whether an answer has a name or title of what is hidden; files have what is in them."""
    return CANARY in answer.text if sample.quotes else CANARY.lower() in answer.text.lower()


def test_every_route_with_parameters_has_a_sample(made: World) -> None:
    found = {f"{method} {route.path}" for method, route in every(made)}
    without = {
        f"{method} {route.path}" for method, route in every(made) if needs_sample(method, route)
    }
    assert not without, "give them one in route_samples.py"
    assert SAMPLES.keys() <= found, "these are gone"


def test_what_is_open_to_everyone_is_listed_with_its_reason(made: World) -> None:
    routes = [route for _method, route in every(made)]
    without = {route.path: route.why for route in routes if not route.permission}
    assert without.keys() == PUBLIC.keys()
    assert all(without.values())
    opened = {route.path: route.unless for route in routes if route.unless}
    assert opened == OPENED_BY_SETTINGS


def test_every_permission_is_declared_and_asked_about_what_it_is_about(made: World) -> None:
    declared = made.runtime.services.access.permissions
    for _method, route in every(made):
        if route.permission:
            assert route.permission in declared, route.path
            assert route.about == declared[route.permission].about, route.path


def test_a_route_that_says_not_who_may_use_it_keeps_the_portal_from_starting(made: World) -> None:
    from starlette.routing import Route

    with pytest.raises(TypeError, match="says not who may use it"):
        prepared([Route("/open", lambda request: None)], made.runtime.database)
    with pytest.raises(TypeError, match="expected a function"):
        prepared([guarded("/open", made, READ)], made.runtime.database)  # type: ignore[arg-type]


@pytest.mark.parametrize("who", ROLES)
def test_every_route_answers_those_who_may_and_nobody_else(made: World, who: str) -> None:
    wrong = []
    client = made.browser(who)
    for method, route in asked(made):
        sample = sample_of(method, route)
        if route.path.startswith(LEAVING):
            client = made.browser(who)
        more = sample.make(made, client) if sample.make else {}
        params = {**sample.params, **more}
        allowed = not route.permission or may(made, who, route.permission, entity_of(params))
        if sample.endless and allowed:
            continue
        answer = send(client, method, address(route.path, params), sample)
        told = f"{method} {route.path}: {answer.status_code}"
        if who != "root" and tells_of_hidden(answer, sample):
            wrong.append(f"{told} tells of what is hidden")
        if sample.own and not who:
            if not is_refused(answer):
                wrong.append(f"{told}, though it is not known whose it is")
        elif not allowed:
            if not is_refused(answer) or (who and answer.status_code != 403):
                wrong.append(f"{told}, expected a refusal")
        elif answer.status_code not in sample.answers or leads_to_sign_in(answer):
            wrong.append(f"{told}, expected {sample.answers} {answer.headers.get('location', '')}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("who", ["vera", "olga", "otto"])
def test_what_is_hidden_is_as_if_it_were_not_there(made: World, who: str) -> None:
    client = made.browser(who)
    wrong = []
    for method, route in asked(made):
        sample = sample_of(method, route)
        if entity_of(dict(sample.params)) is None:
            continue
        there, nowhere = (
            send(client, method, address(route.path, {**sample.params, "name": name}), sample)
            for name in (HIDDEN, "nothing-there")
        )
        if there.status_code != nowhere.status_code or there.status_code not in (403, 404):
            wrong.append(f"{method} {route.path}: {there.status_code}, {nowhere.status_code}")
        if CANARY in there.text:
            wrong.append(f"{method} {route.path} tells the title of what is hidden")
    assert not wrong, "\n".join(wrong)


def test_what_is_owned_by_others_is_not_acted_on(made: World) -> None:
    path = "/catalog/default/component/{}/refresh"
    outcomes = {
        (who, name): send(made.browser(who), "POST", path.format(name), Sample()).status_code
        for who in ("vera", "olga", "otto", "root")
        for name in ("ledger", "finder")
    }
    allowed = {("olga", "ledger"), ("otto", "finder"), ("root", "ledger"), ("root", "finder")}
    assert {pair for pair, status in outcomes.items() if status == 303} == allowed
    assert {status for pair, status in outcomes.items() if pair not in allowed} == {403}


def test_no_unsafe_request_is_taken_without_a_token_of_the_portal(made: World) -> None:
    client = made.browser("root")
    client.get("/navigation")
    wrong = []
    for method, route in asked(made):
        if method == "GET" or route.path.startswith(SIGNED):
            continue
        sample = sample_of(method, route)
        params = {**ENTITY, **NUMBER, **sample.params}
        answer = send(client, method, address(route.path, params), sample, forgery=True)
        if answer.status_code != 403 or "too old to send from" not in answer.text:
            wrong.append(f"{method} {route.path}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("who", [NOBODY, "root"])
def test_a_wrong_token_is_refused_and_not_taken_for_nobody(made: World, who: str) -> None:
    cookies = made.browser(who).cookies
    wrong = []
    for number, (method, route) in enumerate(asked(made)):
        if route.path.startswith(("/static/", "/healthz", "/readyz", "/favicon.ico", "/hooks/")):
            continue  # who asks is not looked at
        path = address(route.path, {**ENTITY, **NUMBER, **sample_of(method, route).params})
        # From an address of its own: who brings many wrong ones is told to wait.
        client = made.browser(address=f"10.0.0.{number % 250}")
        client.cookies = cookies
        answer = client.request(method, path, headers={"authorization": "Bearer cbd_wrong"})
        if answer.status_code != 401 or "bearer" not in answer.headers["www-authenticate"].lower():
            wrong.append(f"{method} {route.path}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE", "PROPFIND"])
def test_other_methods_are_not_taken(made: World, method: str) -> None:
    client = made.browser("root")
    headers = {"x-csrf-token": token(client)}
    for _method, route in asked(made):
        path = address(route.path, {**ENTITY, **NUMBER, **sample_of(_method, route).params})
        if not is_taken(made, method, path):
            assert client.request(method, path, headers=headers).status_code in (404, 405), path


def is_taken(made: World, method: str, path: str) -> bool:
    """Say whether some route takes this: names in paths fit those of other routes as well."""
    scope = {"type": "http", "path": path, "method": method, "headers": []}
    return any(route.matches(scope)[0] is Match.FULL for route in made.app.router.routes)


def test_head_is_refused_as_get_is(made: World) -> None:
    for who in (NOBODY, "vera"):
        client = made.browser(who)
        for path in ("/jobs", "/settings", "/plugins", "/health", "/metrics"):
            assert client.head(path).status_code == client.get(path).status_code != 200


def test_nothing_is_kept_for_others(made: World) -> None:
    client, other = made.browser("root"), made.browser("vera")
    wrong = []
    for method, route in asked(made):
        sample = sample_of(method, route)
        if method != "GET" or sample.endless or not route.permission or route.unless:
            continue
        more = sample.make(made, client) if sample.make else {}
        path = address(route.path, {**sample.params, **more})
        answer = send(client, method, path, sample)
        kept = answer.headers["cache-control"]
        if not ("private" in kept or "no-store" in kept) or "public" in kept:
            wrong.append(f"{path}: {kept}")
        tag = answer.headers.get("etag")
        if tag and not may(made, "vera", route.permission, entity_of({**sample.params})):
            answer = other.get(path, headers={"if-none-match": tag})
            if answer.status_code != 403:
                wrong.append(f"{path}: {answer.status_code} for a tag of somebody else's")
    assert not wrong, "\n".join(wrong)
    hidden = f"/catalog/default/component/{HIDDEN}"
    assert client.get(hidden).status_code == 200
    tag = client.get("/catalog").headers["etag"]
    assert other.get("/catalog", headers={"if-none-match": tag}).status_code == 200
    assert "Cookie" in client.get("/catalog").headers["vary"]
    assert "Authorization" in client.get("/catalog").headers["vary"]


def test_of_many_entities_those_are_told_that_are_refused(made: World) -> None:
    client = made.browser("otto")
    form = {"act": "refresh", "query": "", "csrf_token": token(client)}
    both = {**form, "ref": ["component:default/ledger", "component:default/finder"]}
    asked_first = client.post("/catalog/select", data=both)
    assert asked_first.status_code == 200
    assert "You may not have the source of 1 of them read: ledger." in asked_first.text
    assert client.post("/catalog/select", data={**both, "confirmed": "1"}).status_code == 303
    alone = {**form, "ref": ["component:default/ledger"], "confirmed": "1"}
    refused = client.post("/catalog/select", data=alone)
    assert refused.status_code == 403
    assert "catalog.entity.refresh" in refused.text
    everything = client.post("/catalog/select", data={**form, "query": "kind=all", "all": "1"})
    assert everything.status_code == 200
    assert CANARY.lower() not in everything.text.lower()


def test_what_is_refused_is_recorded(made: World) -> None:
    client = made.browser("otto")
    made.runtime.services.audit.settle(everything=True)
    client.get("/settings")
    send(client, "POST", "/catalog/default/component/ledger/refresh", Sample())
    client.post("/me/zone", data={"zone": "UTC"})
    made.browser().post("/me/zone")
    with made.runtime.database.read() as connection:
        found = {
            (item.actor, item.action, item.subject)
            for item in entries(connection, limit=200)
            if item.result == "denied"
        }
    otto = "person:user:default/otto"
    assert (otto, "portal.settings.read", "/settings") in found
    assert (otto, "catalog.entity.refresh", "component:default/ledger") in found
    assert (otto, "portal.request.send", "/me/zone") in found
    assert ("anonymous:anonymous", "portal.request.send", "/me/zone") in found


def test_a_session_that_ends_closes_its_stream(
    made: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "CHECKED", 0.0)
    monkeypatch.setattr(live, "BEAT", 0.01)
    portal = made.app.state.portal
    connection = made.connection("vera")
    subject = identify(connection, portal.credentials)
    connection.scope["state"]["subject"] = subject

    async def listen() -> int:
        told = live.Told(made.runtime)
        stream = live.stream_of(
            made.runtime.events.subscribe(), told, lambda: portal.is_same(connection)
        )
        for _ in range(3):
            assert "event: beat" in await anext(stream)
        await asyncio.to_thread(portal.sessions.end, subject.session, "ended")
        async with asyncio.timeout(10):
            return len([message async for message in stream])

    assert asyncio.run(listen()) <= 1
    assert made.runtime.events.subscribers == 0


# What pages offer


class Forms(HTMLParser):
    """Collects the forms of a page: the address, and the fields with the buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self._form: tuple[str, dict[str, str]] | None = None
        self._select = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "form":
            fields: dict[str, str] = {}
            self._form = (given.get("action", ""), fields)
            if given.get("method", "").lower() == "post":
                self.found.append(self._form)
        if self._form is None or "disabled" in given:
            return
        name = given.get("name", "") or self._select
        if tag in ("input", "textarea") and name:
            if given.get("type") in ("checkbox", "radio") and "checked" not in given:
                return
            self._form[1][name] = given.get("value", "")
        elif tag == "select":
            self._select = given.get("name", "")
        elif tag == "option" and self._select:
            self._form[1].setdefault(self._select, given.get("value", ""))
        elif tag == "button" and name:
            self._form[1].setdefault(name, given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""


def route_of(made: World, method: str, path: str) -> tuple[GuardedRoute, dict[str, str]]:
    scope = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    for route in made.app.router.routes:
        match, found = route.matches(scope)
        if match is Match.FULL:
            assert isinstance(route, GuardedRoute)
            return route, {name: str(value) for name, value in found["path_params"].items()}
    raise AssertionError(f"no route takes {method} {path}")


def offered(made: World, client: TestClient) -> dict[tuple[str, frozenset[str]], dict[str, str]]:
    """Give each form that a role finds on the pages it may open, by address and fields."""
    found: dict[tuple[str, frozenset[str]], dict[str, str]] = {}
    for method, route in asked(made):
        sample = sample_of(method, route)
        if method != "GET" or sample.endless or route.path.startswith("/api/"):
            continue
        more = sample.make(made, client) if sample.make else {}
        path = address(route.path, {**sample.params, **more})
        answer = send(client, method, path, sample)
        if answer.status_code != 200 or "html" not in answer.headers.get("content-type", ""):
            continue
        forms = Forms()
        forms.feed(answer.text)
        for action, fields in forms.found:
            target = urlsplit(action).path or path
            found.setdefault((target, frozenset(fields)), fields)
    return found


def press(client: TestClient, target: str, fields: dict[str, str]) -> Any:
    return client.post(target, data={**fields, "csrf_token": token(client)})


@pytest.mark.parametrize("who", ["vera", "olga", "otto", "root"])
def test_nothing_that_is_offered_is_refused(made: World, who: str) -> None:
    client = made.browser(who)
    forms = offered(made, client)
    assert len(forms) > 5
    wrong = []
    pressed = set()
    for (target, names), fields in forms.items():
        route, params = route_of(made, "POST", target)
        act = (route.path, entity_of(params), names)
        if act in pressed or route.path.startswith(LEAVING):
            continue  # once is enough; and nothing would be left to walk with
        pressed.add(act)
        answer = press(client, target, fields)
        if is_refused(answer):
            wrong.append(f"{target} {fields}: {answer.status_code}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_nothing_that_is_not_offered_is_done(made: World) -> None:
    every = offered(made, made.browser("root"))
    for who in ("vera", "olga", "otto"):
        client = made.browser(who)
        own = offered(made, client)
        wrong = []
        for (target, names), fields in every.items():
            route, params = route_of(made, "POST", target)
            entity = entity_of(params)
            if (target, names) in own or not route.permission:
                continue
            if not may(made, who, route.permission, entity):
                answer = press(client, target, fields)
                if answer.status_code not in (403, 404):
                    wrong.append(f"{who}: {target} {fields}: {answer.status_code}")
        assert not wrong, "\n".join(wrong)
