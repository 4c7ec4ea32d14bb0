"""Kept answers: both ways to them give the same, none is older than the catalog or the policy."""

import asyncio
import gzip
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
import pytest
from api_portal import DATABASES
from starlette.testclient import TestClient
from token_visits import CATALOG, LOCAL, Visit, by, rewrite

from callboard.access import ALL, NONE
from callboard.access.settings import BindingSettings
from callboard.identity import SYSTEM
from callboard.testing import new_database
from callboard_catalog.rest import finished
from callboard_catalog.rest.finished import EntityBytes
from callboard_web import maintenance
from callboard_web.app import create_app
from callboard_web.catalog_api import reading
from callboard_web.catalog_api.kept import OVERHEAD, Kept, KeptAnswer, Question
from callboard_web.catalog_api.model import MOUNT
from callboard_web.catalog_api.shortcut import ShortWay
from callboard_web.testing import PortalUnderTest, portal_under_test, sign_in_as
from callboard_web.tokens import secret

OF_THE_MOMENT: Final = frozenset({"x-request-id", "server-timing", "ratelimit", "date"})
LONG_WAY: Final = {"content-length": "0"}
"""A header that leads a request past the short way, and changes nothing else."""

ONE: Final = "/entities/by-name/component/default/mill"
PATHS: Final = (
    ONE,
    "/entities/by-name/Component/default/Mill",
    "/entities/by-query?limit=2&filter=kind=component",
    "/entities/by-query?limit=1&fields=metadata.name&orderField=metadata.name",
    "/entities",
    "/entities?limit=1",
    "/entity-facets?facet=spec.type&facet=kind",
)
CODINGS: Final = ("", "gzip", "br, gzip;q=0.5", "identity")


@dataclass
class Ways:
    """A portal that is served, and which requests went the short way."""

    portal: PortalUnderTest
    client: TestClient
    short: list[bool] = field(default_factory=list)

    def get(self, path: str, *, short: bool, **headers: str) -> httpx2.Response:
        """Ask by one way; tell where it was the other."""
        self.short.clear()
        given = headers if short else {**headers, **LONG_WAY}
        answer = self.client.get(f"{MOUNT}{path}", headers=given)
        assert self.short == [short], f"{path} went the other way"
        return answer

    def long(self, path: str, **headers: str) -> httpx2.Response:
        return self.get(path, short=False, **headers)


@pytest.fixture(scope="module", params=DATABASES)
def portal(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PortalUnderTest]:
    """Give a portal in which nobody without a name sees anything but components."""
    settings: dict[str, Any] = {
        "access": {
            "anonymous": "",
            "administrators": ["user:default/root"],
            "bindings": [{"role": "viewer", "to": ["anonymous"], "on": {"kind": ["component"]}}],
        },
        "tokens": {"rate": 600, "burst": 300, "failures": 300},
    }
    with (
        new_database(request, request.param) as url,
        portal_under_test(
            tmp_path_factory.mktemp("kept") / "portal", plugins=[], templates={},
            settings={**settings, "database": {"url": url}}, clock=lambda: datetime.now(UTC),
        ) as made,
    ):  # fmt: skip
        made.catalog_add(CATALOG)
        made.runtime.services.access.store.add_binding(
            BindingSettings.model_validate(
                {"role": "viewer", "to": ["signed-in"], "effect": "deny", "on": {"kind": ["user"]}}
            )
        )
        yield made


@contextmanager
def served(portal: PortalUnderTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ways]:
    """Serve it as a server does, from its start to its end."""
    ways = Ways(portal, TestClient(create_app(portal.runtime), base_url=LOCAL))
    answered = ShortWay._answered

    async def noted(self: ShortWay, scope: Any, send: Any) -> bool:
        found = await answered(self, scope, send)
        ways.short.append(found)
        return found

    monkeypatch.setattr(ShortWay, "_answered", noted)
    with ways.client:
        ways.client.get("/healthz")
        ways.client.get("/api/whoami")  # whether it is closed is known from then on
        yield ways


@pytest.fixture
def ways(portal: PortalUnderTest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ways]:
    with served(portal, monkeypatch) as made:
        yield made


def told(answer: httpx2.Response) -> Mapping[str, str]:
    return {name: text for name, text in answer.headers.items() if name not in OF_THE_MOMENT}


def same(first: httpx2.Response, second: httpx2.Response) -> None:
    assert first.status_code == second.status_code
    assert told(first) == told(second)
    assert first.content == second.content


@pytest.fixture(scope="module")
def tokens(portal: PortalUnderTest) -> Mapping[str, Mapping[str, str]]:
    """Give the headers of a person's token, and of one that is for less."""
    ada = Visit(portal, "user:default/ada")
    return {
        "nobody": {},
        "whole": by(ada.make()),
        "narrowed": by(ada.make(where="some", kind="group")),
    }


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("who", ["nobody", "whole"])
def test_both_ways_give_the_same(
    ways: Ways, tokens: Mapping[str, Mapping[str, str]], who: str, coding: str
) -> None:
    headers = {**tokens[who], **({"accept-encoding": coding} if coding else {})}
    headers.setdefault("accept-encoding", "identity")
    for path in PATHS:
        made = ways.long(path, **headers)
        assert made.status_code == 200, made.text
        kept = ways.long(path, **headers)
        short = ways.get(path, short=True, **headers)
        same(made, kept)
        same(kept, short)
        assert ("ratelimit-policy" in short.headers) == (who == "whole")
        assert short.headers["x-request-id"] != kept.headers["x-request-id"]
        assert short.headers["server-timing"].startswith("total;dur=")
        tag = short.headers["etag"]
        assert not tag.startswith("W/")
        known = {**headers, "if-none-match": f'"other", {tag}'}
        unchanged = ways.get(path, short=True, **known)
        assert (unchanged.status_code, unchanged.content) == (304, b"")
        same(ways.long(path, **known), unchanged)


def test_what_is_seen_differs_by_who_asks(
    ways: Ways, tokens: Mapping[str, Mapping[str, str]]
) -> None:
    found, tags = {}, set()
    for who in ("nobody", "whole"):
        ways.long("/entities", **tokens[who])
        answer = ways.get("/entities", short=True, **tokens[who])
        found[who] = {item["kind"] for item in answer.json()}
        tags.add(answer.headers["etag"])
    assert len(tags) == 2
    assert found["nobody"] == {"Component"}
    assert found["whole"] == {"Component", "Group"}


def test_a_session_goes_the_long_way(ways: Ways) -> None:
    ways.long("/entities")
    ways.get("/entities", short=True)
    sign_in_as(ways.client, "user:default/root")
    answer = ways.get("/entities", short=False)
    assert {item["kind"] for item in answer.json()} == {"Component", "Group", "User"}


def test_a_refused_token_is_refused_once(ways: Ways, portal: PortalUnderTest) -> None:
    ada = Visit(portal, "user:default/ada")
    headers = by(ada.make())
    ways.long(ONE, **headers)
    ways.get(ONE, short=True, **headers)
    machines = ways.client.app.state.machines  # type: ignore[attr-defined]
    text = secret.read(headers["authorization"].partition(" ")[2])
    assert text is not None
    assert machines.tokens.revoke(text.number, on_behalf_of=SYSTEM)
    for given in (headers, {"authorization": "Bearer cbd_nothing"}):
        before = machines.metrics._counts["refused"]
        answer = ways.get(ONE, short=False, **given)
        assert machines.metrics._counts["refused"] == before + 1
        assert answer.status_code == 401
        same(answer, ways.long(ONE, **given))


def test_a_token_in_the_address_is_refused(ways: Ways) -> None:
    token = secret.written(1, secret.new_secret())
    for query in ("?access_token=x", "?fields=kind&%61ccess_token=x", f"?fields={token}"):
        answer = ways.get(f"/entities{query}", short=False)
        assert answer.status_code == 400, answer.text


def test_too_many_requests_of_a_token(
    portal: PortalUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = by(Visit(portal, "user:default/ada").make())
    with served(portal, monkeypatch) as ways:
        ways.long(ONE, **headers)
        buckets = ways.client.app.state.machines.buckets  # type: ignore[attr-defined]
        left = int(
            ways.get(ONE, short=True, **headers).headers["ratelimit"].split("r=")[1].split(";")[0]
        )
        (key,) = buckets._buckets
        buckets._buckets[key].level -= left
        answer = ways.get(ONE, short=False, **headers)
        assert answer.status_code == 429
        assert "retry-after" in answer.headers


def test_a_closed_portal_is_closed_by_both_ways(ways: Ways, portal: PortalUnderTest) -> None:
    ways.long(ONE)
    ways.get(ONE, short=True)
    watch = next(
        item.kwargs["watch"]
        for item in ways.client.app.user_middleware  # type: ignore[attr-defined]
        if item.cls is ShortWay
    )
    now = datetime.now(UTC)
    maintenance.switch(portal.runtime.database, on=True, actor=SYSTEM, at=now)
    try:
        watch.look()
        answer = ways.get(ONE, short=False)
        assert (answer.status_code, answer.json()["error"]["name"]) == (503, "MaintenanceError")
    finally:
        maintenance.switch(portal.runtime.database, on=False, actor=SYSTEM, at=now)
    watch.look()
    assert ways.get(ONE, short=True).status_code == 200


def test_no_answer_is_older_than_the_catalog(ways: Ways, portal: PortalUnderTest) -> None:
    try:
        tags = set()
        for at in range(10):
            rewrite(portal, CATALOG.replace("name: mill}", f"name: mill, title: Number {at}}}"))
            changed = ways.get(ONE, short=False)
            assert changed.json()["metadata"]["title"] == f"Number {at}"
            assert ways.get(ONE, short=True).content == changed.content
            tags.add(changed.headers["etag"])
        assert len(tags) == 10
    finally:
        rewrite(portal, CATALOG)


def test_no_answer_is_older_than_the_policy(ways: Ways, portal: PortalUnderTest) -> None:
    ways.long(ONE)
    ways.get(ONE, short=True)
    store = portal.runtime.services.access.store
    denied = store.add_binding(
        BindingSettings.model_validate({"role": "viewer", "to": ["anonymous"], "effect": "deny"})
    )
    try:
        assert ways.get(ONE, short=False).status_code == 401
    finally:
        store.remove_binding(denied.number, denied.version)
    ways.long(ONE)
    assert ways.get(ONE, short=True).status_code == 200


def test_tags_are_the_same_in_every_process(
    ways: Ways, portal: PortalUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    tag = ways.long(ONE).headers["etag"]
    with served(portal, monkeypatch) as other:
        answer = other.long(ONE, **{"if-none-match": tag})
        assert (answer.status_code, answer.headers["etag"]) == (304, tag)
        # Not even made: it is not kept there.
        assert not other.client.app.state.kept.holds(Question("GET", MOUNT + ONE, b""))  # type: ignore[attr-defined]


def test_a_streamed_answer_is_kept_if_nothing_changed(
    ways: Ways, portal: PortalUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ways.long("/entities?filter=kind=component")
    monkeypatch.setattr(reading, "WHOLE", 0)
    path = "/entities?filter=kind=component&filter=kind=system"
    first = ways.long(path, **{"accept-encoding": "identity"})
    assert "content-length" not in first.headers
    assert first.content == whole.content
    kept = ways.get(path, short=True, **{"accept-encoding": "identity"})
    assert kept.content == whole.content
    assert kept.headers["etag"] == first.headers["etag"]
    # While it is sent, the catalog changes: then it is not kept.
    path += "&filter=kind=domain"
    changed = threading.Event()
    stream = EntityBytes.stream

    def changing(self: Any, *given: Any) -> Any:
        found = stream(self, *given)
        rewrite(portal, CATALOG.replace("name: loom}", "name: loom, title: Loom}"))
        changed.set()
        return found

    monkeypatch.setattr(EntityBytes, "stream", changing)
    try:
        assert ways.long(path).content == whole.content
        assert changed.is_set()
        monkeypatch.setattr(EntityBytes, "stream", stream)
        assert b"Loom" in ways.get(path, short=False).content
    finally:
        rewrite(portal, CATALOG)


def test_a_client_that_goes_away_holds_nothing(
    ways: Ways, portal: PortalUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "WHOLE", 0)
    monkeypatch.setattr(finished, "BATCH", 1)
    app: Any = ways.client.app
    sent: list[Any] = []
    scope = {
        "type": "http", "method": "GET", "path": f"{MOUNT}/entities", "query_string": b"offset=0",
        "headers": [(b"content-length", b"0")], "scheme": "http", "server": ("test", 80),
        "client": ("127.0.0.1", 1), "raw_path": b"", "root_path": "", "http_version": "1.1",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
    }  # fmt: skip

    async def ask() -> None:
        gone = asyncio.Event()

        async def receive() -> Any:
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)
            if message["type"] == "http.response.body":
                gone.set()
                await asyncio.sleep(60)  # it takes no more

        await app(scope, receive, send)
        # At once: not when the loop or the collector of garbage comes to it.
        assert not app.state.kept._collecting.locked()
        assert finished.EntityStream._places._value == finished.MOST_STEADY

    asyncio.run(ask())
    assert sent[0]["status"] == 200


def test_posted_questions_are_kept_with_their_body(ways: Ways) -> None:
    sign_in_as(ways.client, "user:default/root")
    page = ways.client.get("/navigation").text
    csrf = {"x-csrf-token": page.partition('name="csrf_token" value="')[2].partition('"')[0]}
    address = f"{MOUNT}/entities/by-query"
    kept = ways.client.app.state.kept  # type: ignore[attr-defined]
    found = []
    for body in ({"limit": 1}, {"limit": 2}, {"limit": 1}):
        answer = ways.client.post(address, json=body, headers=csrf)
        assert answer.status_code == 200, answer.text
        found.append(answer)
    assert [len(item.json()["items"]) for item in found] == [1, 2, 1]
    same(found[0], found[2])
    assert sum(asked.method == "POST" for _, asked in kept._answers) == 2
    wrong = ways.client.post(
        address, content=b'{"limit": 1}', headers={**csrf, "content-type": "text/plain"}
    )
    assert wrong.status_code in (400, 415)


# SQLite has no lock that keeps readers out.
@pytest.mark.parametrize(
    "portal", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)
def test_a_database_that_hangs_holds_up_nothing_else(ways: Ways, portal: PortalUnderTest) -> None:
    database = portal.runtime.database
    ways.long(ONE)
    ways.get(ONE, short=True)
    answers = []
    with database.engine.connect() as connection:
        connection.exec_driver_sql("LOCK TABLE access_state IN ACCESS EXCLUSIVE MODE")
        waiting = threading.Thread(target=lambda: answers.append(ways.client.get(f"{MOUNT}{ONE}")))
        waiting.start()
        for _ in range(20):
            assert ways.client.get("/healthz").status_code == 200
        assert not answers
        connection.rollback()
    waiting.join(20)
    assert answers[0].status_code == 200


# The store by itself


def answer_of(size: int) -> KeptAnswer:
    return KeptAnswer(tag="t", headers=[], forms={"": (b"x" * (size - OVERHEAD),)})


def begun(most: int) -> Kept:
    kept = Kept(most, "secret")
    kept.generation = 1
    return kept


def asked(number: int) -> Question:
    return Question("GET", f"/{number}", b"")


def test_the_least_used_is_left_out_first() -> None:
    kept = begun(10_000)
    for number in range(4):
        kept.keep(1, ALL, asked(number), answer_of(3_000))
        kept.find(1, ALL, asked(0))
    there = [number for number in range(4) if kept.find(1, ALL, asked(number))]
    assert there == [0, 2, 3]
    assert kept.holds(asked(0))
    assert not kept.holds(asked(1))


def test_memory_is_bounded_whatever_is_asked() -> None:
    kept = begun(100_000)
    for number in range(1_000):
        kept.keep(1, NONE if number % 3 else ALL, asked(number % 50), answer_of(1_500 + number))
        assert kept._size == sum(item.size for item in kept._answers.values()) <= 100_000
    kept.keep(1, ALL, asked(0), answer_of(60_000))
    found = kept.find(1, ALL, asked(0))
    assert found is None or found.size < 60_000


def test_nothing_is_kept_of_another_generation_or_without_memory() -> None:
    kept = begun(10_000)
    kept.keep(0, ALL, asked(1), answer_of(2_000))
    kept.keep(2, ALL, asked(1), answer_of(2_000))
    assert not kept.holds(asked(1))
    none = begun(0)
    none.keep(1, ALL, asked(1), answer_of(2_000))
    assert not none.holds(asked(1))


def test_forms_are_compressed_and_counted() -> None:
    kept = begun(100_000)
    plain = answer_of(40_000)
    kept.keep(1, ALL, asked(1), plain)
    made = kept.compressed(1, ALL, asked(1), plain, "gzip")
    assert gzip.decompress(b"".join(made.forms["gzip"])) == plain.forms[""][0]
    assert kept.find(1, ALL, asked(1)) is made
    assert kept._size == made.size > plain.size
