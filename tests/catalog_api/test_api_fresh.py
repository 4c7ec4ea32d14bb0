"""Answers that are made anew by the short way: one statement, and what the long way gives."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import pytest
from api_portal import DATABASES, ApiPortal, open_portal
from sqlalchemy import event
from starlette.routing import Match
from starlette.testclient import TestClient
from token_visits import LOCAL

from callboard.access.settings import BindingSettings
from callboard.database import line
from callboard_web.app import create_app
from callboard_web.catalog_api import fresh
from callboard_web.catalog_api.fresh import Fresh
from callboard_web.catalog_api.kept import Question
from callboard_web.catalog_api.model import MOUNT
from callboard_web.catalog_api.routes import PAIRS
from callboard_web.catalog_api.shortcut import ShortWay

OF_THE_MOMENT: Final = frozenset({"x-request-id", "server-timing"})
LONG_WAY: Final = {"content-length": "0"}
"""A header that leads a request past the short way, and changes nothing else."""

ONE: Final = "/entities/by-name/component/default/svc-one"
COMPONENTS: Final = "/entities/by-query?filter=kind=component"
PATHS: Final = (
    ONE,
    "/entities/by-name/Component/default/SVC-One",
    f"{COMPONENTS}&limit=2",
    f"{COMPONENTS}&limit=1&offset=1&fields=metadata.name,relations",
    f"{COMPONENTS},spec.owner=team-a",
    f"{COMPONENTS}&limit=2&orderField=spec.type,desc",
    f"{COMPONENTS}&filter=kind=api,metadata.tags=java&totalItems=exclude",
    f"{COMPONENTS}&fullTextFilterTerm=svc&fullTextFilterFields=metadata.name,metadata.title",
    "/entities?filter=kind=system&filter=kind=group",
    "/entities?filter=metadata.labels.example.com/tier=gold&fields=metadata.labels",
    "/entity-facets?facet=spec.type&facet=kind&filter=kind=component",
)
CODINGS: Final = ("identity", "gzip", "br, gzip;q=0.5")

WORN: Final = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: worn, namespace: other, tags: [fine]}
spec: {type: library, lifecycle: production, owner: team-a}
"""
LATE: Final = """
apiVersion: backstage.io/v1alpha1
kind: Resource
metadata: {name: NAME}
spec: {type: disk, owner: team-a}
"""

given = pytest.fixture(open_portal, scope="module", params=DATABASES, name="given")


@dataclass
class Ways:
    """A portal that is served and keeps nothing, and what each request asked of the database."""

    client: TestClient
    short: list[bool] = field(default_factory=list)
    glances: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)

    def get(self, path: str, **headers: str) -> httpx2.Response:
        for noted in (self.short, self.glances, self.statements):
            noted.clear()
        return self.client.get(f"{MOUNT}{path}", headers=headers)

    def long(self, path: str, **headers: str) -> httpx2.Response:
        answer = self.get(path, **headers, **LONG_WAY)
        assert self.short == [False]
        return answer

    @property
    def fresh(self) -> Fresh:
        app: Any = self.client.app
        found: Fresh = next(
            item.kwargs["fresh"] for item in app.user_middleware if item.cls is ShortWay
        )
        return found


@contextmanager
def noted(given: ApiPortal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ways]:
    app = create_app(given.portal.runtime)
    app.state.kept.most = 0
    ways = Ways(TestClient(app, base_url=LOCAL))
    answered, glance = ShortWay._answered, ways.fresh.glance

    async def told(self: ShortWay, scope: Any, send: Any) -> bool:
        found = await answered(self, scope, send)
        ways.short.append(found)
        return found

    def counted(name: str) -> Any:
        ask = getattr(glance, name)

        def asked(*given: Any) -> Any:
            ways.glances.append(name)
            return ask(*given)

        return asked

    def executed(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        ways.statements.append(statement)

    monkeypatch.setattr(ShortWay, "_answered", told)
    for name in ("look", "ask"):
        monkeypatch.setattr(glance, name, counted(name))
    engine = given.portal.runtime.database.engine
    event.listen(engine, "before_cursor_execute", executed)
    try:
        with ways.client:
            ways.client.get("/api/whoami")  # whether it is closed is known from then on
            yield ways
    finally:
        event.remove(engine, "before_cursor_execute", executed)


@pytest.fixture
def ways(given: ApiPortal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ways]:
    with noted(given, monkeypatch) as made:
        yield made


def told(answer: httpx2.Response) -> Mapping[str, str]:
    return {name: text for name, text in answer.headers.items() if name not in OF_THE_MOMENT}


def same(first: httpx2.Response, second: httpx2.Response) -> None:
    assert first.status_code == second.status_code
    assert told(first) == told(second)
    assert first.content == second.content


@pytest.mark.parametrize("path", PATHS)
def test_it_is_one_statement_and_the_answer_of_the_long_way(ways: Ways, path: str) -> None:
    for coding in CODINGS:
        made = ways.long(path, **{"accept-encoding": coding})
        assert made.status_code == 200, made.text
        ways.get(path)
        answer = ways.get(path, **{"accept-encoding": coding})
        same(made, answer)
        assert ways.short == [True]
        assert ways.glances == ["look" if "facets" in path else "ask"]
        assert ways.statements == []


@pytest.mark.parametrize(
    ("path", "most"),
    [
        (ONE, 6),
        (f"{COMPONENTS}&limit=2", 5),
        (f"{COMPONENTS}&limit=2&orderField=metadata.name,asc", 6),
        ("/entity-facets?facet=spec.type", 4),
    ],
)
def test_the_long_way_is_of_few_statements(ways: Ways, path: str, most: int) -> None:
    ways.long(path)
    ways.long(path)
    assert 0 < len(ways.statements) <= most, ways.statements


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/entities/by-name/component/default/nobody", 404),
        ("/entities/by-name/component/default/a%00b", 404),
        (f"/entities/by-name/component/default/{'a' * 300}", 404),
        ("/entities/by-name/component/default/%ff", 400),
        ("/entities/by-query?limit=x", 400),
        ("/entities/by-query?what=1", 400),
        ("/entities/by-query?cursor=x", 400),
        ("/entity-facets", 400),
    ],
)
def test_what_is_wrong_is_told_by_the_long_way(ways: Ways, path: str, status: int) -> None:
    ways.long(ONE)
    answer = ways.get(path)
    assert ways.short == [False]
    assert answer.status_code == status, answer.text
    long = ways.long(path)
    assert (long.status_code, long.json()["error"]) == (status, answer.json()["error"])


def test_a_cursor_goes_on(ways: Ways) -> None:
    path, names = f"{COMPONENTS}&limit=1&fields=metadata.name", []
    cursor = ""
    while True:
        at = f"/entities/by-query?limit=1&fields=metadata.name&cursor={cursor}" if cursor else path
        made = ways.long(at)
        same(made, ways.get(at))
        assert ways.short == [True]
        page = made.json()
        names += [item["metadata"]["name"] for item in page["items"]]
        cursor = page["pageInfo"].get("nextCursor", "")
        if not cursor:
            break
    assert sorted(names) == ["Svc-One", "svc-two", "web-app"]


def test_a_long_list_goes_the_long_way(ways: Ways, monkeypatch: pytest.MonkeyPatch) -> None:
    made = ways.long(COMPONENTS)
    monkeypatch.setattr(fresh, "MOST", 2)
    same(made, ways.get(COMPONENTS))
    assert ways.short == [False]
    ways.get(f"{COMPONENTS}&limit=2")
    assert ways.short == [True]


def test_nothing_is_older_than_the_catalog(ways: Ways, given: ApiPortal) -> None:
    every = f"{COMPONENTS}&filter=kind=resource&fields=metadata.name&limit=50"
    facet = "/entity-facets?facet=kind"
    for at in range(4):
        for path in (every, facet):
            ways.long(path)
            before = ways.get(path)
            assert ways.short == [True]
        given.portal.catalog_add(LATE.replace("NAME", f"late-{at}"))
        assert f"late-{at}" in ways.get(every).text
        after = ways.get(facet)
        assert after.content != before.content
        assert {"value": "Resource", "count": at + 1} in after.json()["facets"]["kind"]


def test_a_change_before_the_read_is_seen(
    ways: Ways, given: ApiPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/entities/by-query?filter=kind=resource&limit=90"
    given.portal.catalog_add(LATE.replace("NAME", "in-time"))
    ways.long(path)
    ways.get(path)
    assert ways.short == [True]
    ended = Fresh._ended
    changed: list[bool] = []

    async def late(self: Fresh, planned: Any) -> Any:
        if not changed:
            changed.append(True)
            text = LATE.replace("NAME", "just-now")
            worker = threading.Thread(target=given.portal.catalog_add, args=(text,))
            worker.start()
            worker.join()
        return await ended(self, planned)

    monkeypatch.setattr(Fresh, "_ended", late)
    assert "just-now" in ways.get(path).text
    assert changed == [True]


def test_nothing_is_older_than_the_policy(ways: Ways, given: ApiPortal) -> None:
    ways.long(ONE)
    ways.get(ONE)
    assert ways.short == [True]
    store = given.portal.runtime.services.access.store
    denied = store.add_binding(
        BindingSettings.model_validate({"role": "viewer", "to": ["anonymous"], "effect": "deny"})
    )
    try:
        for path in (ONE, COMPONENTS, "/entity-facets?facet=kind"):
            assert ways.get(path).status_code == 401
    finally:
        store.remove_binding(denied.number, denied.version)
    ways.long(ONE)
    assert ways.get(ONE).status_code == 200
    assert ways.short == [True]


def test_who_sees_a_part_goes_the_long_way(ways: Ways, given: ApiPortal) -> None:
    store = given.portal.runtime.services.access.store
    denied = store.add_binding(
        BindingSettings.model_validate(
            {"role": "viewer", "to": ["anonymous"], "effect": "deny", "on": {"kind": ["group"]}}
        )
    )
    try:
        for path in ("/entities/by-name/group/default/team-a", "/entities?filter=kind=group"):
            ways.long(ONE)
            answer = ways.get(path)
            assert ways.short == [False]
            assert b"team-a" not in answer.content or answer.status_code == 404
    finally:
        store.remove_binding(denied.number, denied.version)


def test_faults_are_told_by_the_long_way(ways: Ways, given: ApiPortal) -> None:
    path = "/entities/by-name/component/other/worn"
    given.portal.catalog_add(WORN)
    ways.long(path)
    ways.get(path)
    assert ways.short == [True]
    file = given.portal.runtime.base / "catalog" / f"{given.portal._added:04}.yaml"
    file.write_text(WORN.replace("[fine]", '["Not a tag"]'), encoding="utf-8")
    given.portal.runtime.engine.read("test")
    try:
        made = ways.long(path)
        assert made.json()["status"]["items"]
        same(made, ways.get(path))
        assert ways.short == [False]
    finally:
        file.write_text(WORN, encoding="utf-8")
        given.portal.runtime.engine.read("test")


def test_each_place_is_the_route_that_the_long_way_takes(ways: Ways) -> None:
    routes = [route for _, route in PAIRS]
    for path in PATHS:
        whole = f"{MOUNT}{path.partition('?')[0]}"
        scope = {"type": "http", "path": whole, "method": "GET", "headers": []}
        first = next(item for item in routes if item.matches(scope)[0] is Match.FULL)
        place = ways.fresh.place(Question("GET", whole, b""))
        assert place is not None
        assert place.route is first
        assert place.parameters == first.matches(scope)[1]["path_params"]


# SQLite has no lock that keeps readers out.
@pytest.mark.parametrize(
    "given", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
def test_a_read_that_hangs_holds_up_nothing_else(
    ways: Ways, given: ApiPortal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line, "LONGEST", 0.2)
    ways.long(ONE)
    ways.get(ONE)
    assert ways.short == [True]
    answers = []
    with given.portal.runtime.database.engine.connect() as connection:
        connection.exec_driver_sql("LOCK TABLE entity IN ACCESS EXCLUSIVE MODE")
        waiting = threading.Thread(target=lambda: answers.append(ways.client.get(f"{MOUNT}{ONE}")))
        waiting.start()
        for _ in range(20):
            assert ways.client.get("/healthz").status_code == 200
        assert not answers
        connection.rollback()
    waiting.join(20)
    assert answers[0].status_code == 200
