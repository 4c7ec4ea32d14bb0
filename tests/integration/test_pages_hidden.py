"""Every page and answer as one who may see a part of the catalog, and as one who sees all of it."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from httpx2 import Response
from starlette.requests import HTTPConnection
from starlette.testclient import TestClient

from callboard.entities import EntityRef
from callboard.identity import Principal, Subject
from callboard.plugins import Guard
from callboard.testing import PostgresServer
from callboard_catalog.testing import descriptor
from callboard_web.app import create_app
from callboard_web.portal import Portal
from callboard_web.routing import GuardedRoute
from callboard_web.runtime import Runtime

SECRET = "Arcanum"
BASE = "/catalog/default"


def person(name: str, *, roles: tuple[str, ...] = (), names: tuple[str, ...] = ()) -> Subject:
    ref = EntityRef.of("user", "default", name)
    principal = Principal(kind="person", name=str(ref), entity=ref)
    return Subject(principal=principal, title=name, mine=(ref,), roles=roles, names=names)


SUBJECTS = {
    "chief": person("chief", roles=("administrator",)),
    "guest": person("guest", names=("service:guest",)),
}
ACCESS = {
    "defaults": False,
    "bindings": [
        {"role": "viewer", "to": ["service:guest"]},
        {"role": "maintainer", "to": ["service:guest"]},
        {"role": "viewer", "to": ["service:guest"], "on": {"tag": ["arcanum"]}, "effect": "deny"},
    ],
}


def hidden(name: str, kind: str = "Component", **spec: object) -> str:
    return descriptor(
        name, kind, spec=spec, title=f"{SECRET} {name}", description=f"{SECRET} words",
        tags=["arcanum"],
    )  # fmt: skip


def shown(name: str, kind: str = "Component", **spec: object) -> str:
    return descriptor(name, kind, spec=spec, title=f"Plain {name}", tags=["plain"])


CATALOG = [
    shown("guest", "User", memberOf=["team", "guards"]),
    shown("chief", "User", memberOf=["team"]),
    shown("team", "Group"),
    shown("orders", dependsOn=["resource:vault", "component:missing"], system="shop"),
    shown("store", owner="guards", system="cellar", providesApis=["secret-api"]),
    shown("shop", "System", owner="team", domain="trade"),
    shown("trade", "Domain", owner="team"),
    hidden("guards", "Group", parent="team"),
    hidden("keeper", "User", memberOf=["guards", "team"]),
    hidden("vault", "Resource", type="database", owner="guards", dependsOn=["component:lost"]),
    hidden("cellar", "System", owner="guards", domain="trade"),
    hidden("engine", owner="team", dependsOn=["component:orders"], system="shop"),
    hidden("deep", "Domain", owner="nobody-known"),
    hidden(
        "secret-api", "API", type="openapi", owner="guards", lifecycle="production",
        definition=f'openapi: 3.1.0\ninfo: {{title: "{SECRET} interface", version: "1"}}\n'
        f'paths: {{/arcanum-orders: {{get: {{summary: "{SECRET} call", responses: {{}}}}}}}}\n',
    ),
    hidden("gone", owner="team"),
]  # fmt: skip


@pytest.fixture(scope="module", params=["sqlite", pytest.param("pg", marks=pytest.mark.postgres)])
def runtime(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runtime]:
    folder = tmp_path_factory.mktemp("hidden")
    url = f"sqlite:///{folder / 'portal.sqlite3'}"
    if request.param == "pg":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.url(server.create(request.getfixturevalue("schema_branches")))
    source = {"name": "shop", "type": "folder", "path": str(folder / "shop")}
    settings = {"database": {"url": url}, "access": ACCESS, "catalog": {"sources": [source]}}
    (folder / "callboard.yaml").write_text(yaml.safe_dump(settings))
    (folder / "shop").mkdir()
    runtime = Runtime.open(folder / "callboard.yaml", {"CALLBOARD_PLUGINS": "apis docs scm_git"})
    runtime.plugins.guard = Guard(time_limit=timedelta(seconds=20), now=runtime.now)
    runtime.upgrade()
    runtime.start(worker=False, serve=False)
    _read(runtime, folder / "shop", CATALOG)
    _read(runtime, folder / "shop", [text.replace("words", "letters") for text in CATALOG[:-1]])
    for plugin, job in (("apis", "refresh"), ("catalog", "index")):
        runtime.jobs.submit(None, plugin, job)
    for _ in range(10):
        if not runtime.jobs.run_once():
            break
    yield runtime
    runtime.stop()


def _read(runtime: Runtime, folder: Path, documents: list[str]) -> None:
    (folder / "catalog-info.yaml").write_text("---\n".join(documents))
    result = runtime.engine.read("shop")
    assert not result.error
    for _ in range(10):
        if not runtime.jobs.run_once():
            break


class Visitor:
    """A browser of one of them."""

    def __init__(self, runtime: Runtime, name: str) -> None:
        app = create_app(runtime)
        portal: Portal = app.state.portal

        def credential(connection: HTTPConnection) -> Subject | None:
            return SUBJECTS[name]

        portal.credentials.insert(0, credential)
        self.portal = portal
        self.client = TestClient(app)

    def get(self, path: str) -> Response:
        return self.client.get(path, follow_redirects=True)


@pytest.fixture(scope="module")
def chief(runtime: Runtime) -> Visitor:
    return Visitor(runtime, "chief")


@pytest.fixture(scope="module")
def guest(runtime: Runtime) -> Visitor:
    return Visitor(runtime, "guest")


TOLD = (
    "/catalog?kind=all",
    "/catalog?kind=all&sort=owner",
    "/catalog?kind=all&q=arcanum",
    "/catalog?owner=group:default/guards",
    "/catalog?kind=all&more=owner&find=arcanum",
    "/catalog/export/csv?kind=all",
    "/catalog/export/json?kind=all",
    f"{BASE}/component/orders",
    f"{BASE}/component/orders/relations?depth=3",
    f"{BASE}/component/store",
    f"{BASE}/component/store/relations?depth=all",
    f"{BASE}/system/shop",
    f"{BASE}/system/shop/inside",
    f"{BASE}/domain/trade",
    f"{BASE}/domain/trade/inside",
    f"{BASE}/group/team",
    f"{BASE}/user/guest",
    "/search?q=arcanum",
    "/search?q=vault",
    "/search?q=kind:user",
    "/search/palette?q=arcanum",
    "/search/palette?q=owner:guards",
    "/search/palette?q=engine",
    "/search/palette?q=owner:gua",
    "/teams",
    "/teams?view=table",
    "/people",
    "/systems",
    "/systems?view=map",
    "/ownership",
    "/ownership?gap=unknown",
    "/activity",
    "/problems",
    "/api/catalog/problems",
    "/owners?find=arcanum",
    "/tags",
    "/apis/",
    "/apis/compare",
)
"""What tells the chief of what is hidden from the guest."""

ALWAYS = (
    "/",
    "/me",
    "/docs/",
    "/sources",
    "/sources/shop",
    "/api/catalog/sources",
    "/types",
    "/me/home",
)
UNNAMED = ("component/engine", "user/keeper", "domain/deep", "component/gone")
NAMED = ("resource/vault", "group/guards", "system/cellar", "api/secret-api")
"""What is hidden, that nothing shown names and that something does."""


@pytest.mark.parametrize("path", TOLD)
def test_pages_tell_what_is_seen(chief: Visitor, guest: Visitor, path: str) -> None:
    if path.startswith("/owners"):
        path = "/catalog?kind=all&more=system&find=arcanum"
    told, answer = chief.get(path), guest.get(path)
    assert told.status_code == 200, told.text[:500]
    assert SECRET.lower() in _content(told, path), path
    assert answer.status_code == 200, answer.text[:500]
    assert SECRET.lower() not in _content(answer, path), path


@pytest.mark.parametrize("path", ALWAYS)
def test_other_pages_tell_nothing(guest: Visitor, path: str) -> None:
    answer = guest.get(path)
    assert answer.status_code == 200
    assert SECRET.lower() not in answer.text.lower()


def _content(answer: Response, path: str) -> str:
    """Give an answer in lower case, without what was asked for, which pages say again."""
    text = answer.text
    if "html" in answer.headers["content-type"]:
        text = re.sub(r'(?:href|value|action|content|hx-[a-z]+|data-[a-z-]+)="[^"]*"', "", text)
    asked = path.partition("?")[2].lower()
    text = text.lower()
    if SECRET.lower() in asked:
        # Titles begin with it in a capital, and something follows.
        return "".join(
            re.findall(
                r"arcanum[^a-z]{0,12}(?:<[^>]*>)*[^a-z]{0,3}(?:guards|keeper|vault|"
                r"cellar|engine|deep|secret|gone|words|letters|interface|call)",
                text,
            )
        )
    return text


@pytest.mark.parametrize("name", UNNAMED)
@pytest.mark.parametrize(
    "rest",
    ["", "/relations", "/raw", "/raw/download", "/history", "/badge", "/cards/portal.about",
     "/refresh", "/apis", "/docs", "/inside", "/nothing"],
)  # fmt: skip
def test_what_is_hidden_answers_like_what_is_not_there(
    guest: Visitor, chief: Visitor, name: str, rest: str
) -> None:
    nothing = re.sub(r"/[^/]*$", "/no-such", name)
    answer, other = guest.get(f"{BASE}/{name}{rest}"), guest.get(f"{BASE}/{nothing}{rest}")
    assert answer.status_code == other.status_code == 404
    assert _words(answer, name) == _words(other, nothing)
    if not rest and name != "component/gone":
        assert chief.get(f"{BASE}/{name}").status_code == 200


def _words(answer: Response, name: str) -> str:
    """Give the words of a page without its name, and what it is made of each time anew."""
    text = answer.text.split("<main", 1)[-1].split("</main", 1)[0]
    text = re.sub(r"(?s)<input[^>]*>|[0-9a-f]{8,}", "", text)
    # What is alike is looked for by the name: it is not the same for another one.
    text = re.sub(r'(?s)<section class="panel[^"]*">.*?</section>', "", text)
    return " ".join(text.replace(name.partition("/")[2], "NAME").split())


@pytest.mark.parametrize("name", NAMED)
def test_what_is_hidden_and_named_answers_as_if_it_were_missing(
    guest: Visitor, chief: Visitor, name: str
) -> None:
    """What its page says is what the page of one says that is named and nowhere."""
    answer, other = guest.get(f"{BASE}/{name}"), guest.get(f"{BASE}/component/missing")
    assert answer.status_code == other.status_code == 404
    for page in (answer, other):
        assert re.search("Plain (orders|store)", page.text)
        assert SECRET not in page.text
    assert guest.get(f"{BASE}/{name}/raw/download").status_code == 404
    assert SECRET in chief.get(f"{BASE}/{name}").text


def test_stars_need_something_to_star(guest: Visitor, chief: Visitor) -> None:
    def star(visitor: Visitor, name: str) -> int:
        page = visitor.get("/navigation").text
        token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        fields = {"csrf_token": token, "on": "1", "ref": f"component:{name}"}
        return visitor.client.post("/me/stars", data=fields, follow_redirects=False).status_code

    assert star(guest, "engine") == star(guest, "no-such") == 404
    assert star(chief, "engine") == 303


def test_what_became_hidden_leaves_the_list_of_what_was_seen(
    runtime: Runtime, guest: Visitor
) -> None:
    from callboard.identity import acting_for

    personal = guest.portal.personal
    for kind, name in (("component", "engine"), ("component", "orders")):
        ref = EntityRef.of(kind, "default", name)
        personal.visited("key", ref.path(), f"Title of {name}", ref)
        personal.visited("key", ref.path(), f"Title of {name}", ref)
    with acting_for(SUBJECTS["guest"]):
        assert [visit.title for visit in personal.visits("key", limit=1)] == ["Title of orders"]
        assert len(personal.visits("key", frequent=True)) == 1
    with acting_for(SUBJECTS["chief"]):
        assert len(personal.visits("key")) == 2


def test_changes_are_told_of_what_is_seen(guest: Visitor, chief: Visitor) -> None:
    told = chief.get("/live/changes?after=1").json()["change"]
    heard = guest.get("/live/changes?after=1").json()["change"]
    assert "component:default/engine" in told["subjects"]
    assert "component:default/orders" in heard["subjects"]
    assert not {"component:default/engine", "component:default/gone"} & set(heard["subjects"])


def test_answers_are_not_shared_between_those_who_ask(guest: Visitor, chief: Visitor) -> None:
    told = chief.get("/catalog?kind=all")
    tag = told.headers["etag"]
    answer = guest.client.get("/catalog?kind=all", headers={"if-none-match": tag})
    assert answer.status_code == 200
    assert {"cookie", "authorization"} <= {
        part.strip().lower() for part in answer.headers["vary"].split(",")
    }
    for path in (
        "/catalog?kind=all",
        "/catalog/export/csv?kind=all",
        "/api/catalog/problems",
    ):
        assert "public" not in guest.get(path).headers.get("cache-control", "")


def test_no_route_tells_of_it(guest: Visitor) -> None:
    """Walk all routes that are read, with what is hidden in every place of their addresses."""
    walked = 0
    for route in guest.client.app.routes:  # type: ignore[attr-defined]
        if not isinstance(route, GuardedRoute) or "GET" not in (route.methods or ()):
            continue
        path = re.sub(
            r"{(\w+)(?::\w+)?}",
            lambda match: {"namespace": "default", "kind": "component", "name": "engine",
                           "number": "1", "tab": "raw", "key": "portal.about"}.get(match[1], "x"),
            route.path,
        )  # fmt: skip
        if path == "/live":
            continue
        answer = guest.client.get(path)
        walked += 1
        assert SECRET not in answer.text, path
    assert walked > 40
