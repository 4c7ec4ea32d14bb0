"""Every count told to one who sees a part: that of a catalog which holds only what they see.

The same catalog is made twice, once whole and once without what is hidden from the reader. All that
counts must answer alike, on pages and in the API.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from hashlib import sha1
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
from location_servers import WebServer, web_server
from starlette.testclient import TestClient

from callboard.entities import EntityRef
from callboard.testing import Clock
from callboard_catalog.pushing import Push, read_entities
from callboard_catalog.pushing.service import Asker
from callboard_catalog.testing import descriptor
from callboard_web.testing import PortalUnderTest, portal_under_test, sign_in_as

Documents = Mapping[str, Sequence[str]]
HIDDEN: Final = "hidden"
STARTED: Final = "2026-03-02T08:00:00Z"


def shown(name: str, kind: str = "Component", **spec: Any) -> str:
    return descriptor(name, kind, spec={"owner": "team", **spec}, tags=["plain"])


def secret(name: str, kind: str = "Component", **spec: Any) -> str:
    """Give a descriptor of something that the reader may not see."""
    given = {"owner": "guards", "dependsOn": ["component:orders"], **spec}
    return descriptor(name, kind, spec=given, tags=[HIDDEN])


FIRST: Documents = {
    "team": [descriptor("team", "Group", tags=["plain"])],
    "guards": [descriptor("guards", "Group", tags=[HIDDEN])],
    "guest": [descriptor("guest", "User", spec={"memberOf": ["team"], "profile": {}})],
    "mia": [descriptor("mia", "User", spec={"memberOf": ["team"], "profile": {}})],
    "keeper": [
        descriptor("keeper", "User", spec={"memberOf": ["guards"], "profile": {}}, tags=[HIDDEN])
    ],
    "orders": [shown("orders", dependsOn=["component:missing"], system="shop")],
    "store": [shown("store", system="shop")],
    "leaves": [shown("leaves")],
    "changes": [shown("changes", lifecycle="experimental")],
    "torn": [shown("torn")],
    "doomed": [shown("doomed")],
    "shop": [shown("shop", "System")],
    "cellar": [secret("cellar", "System")],
    "vaults": [secret(f"vault-{number}", system="cellar") for number in range(6)],
    "engine": [secret("engine", system="shop", type="database", dependsOn=["component:nowhere"])],
    "secret-leaves": [secret("secret-leaves")],
    "secret-changes": [secret("secret-changes", lifecycle="experimental")],
    "secret-torn": [secret("secret-torn")],
    "secret-doomed": [secret("secret-doomed")],
}
SECOND: Documents = {
    **{name: texts for name, texts in FIRST.items() if "leaves" not in name},
    "changes": [shown("changes", lifecycle="production")],
    "torn": [shown("torn").replace('"type":"service"', '"type":""')],
    "claim": [shown("store", type="library")],
    "comes": [shown("comes")],
    "secret-changes": [secret("secret-changes", lifecycle="production")],
    "secret-torn": [secret("secret-torn").replace('"type":"service"', '"type":""')],
    "secret-claim": [secret("engine", type="library")],
    "secret-comes": [secret("secret-comes")],
}


def is_hidden(text: str) -> bool:
    return f'"{HIDDEN}"' in text


class World:
    """A portal with everything in it, or with only what the guest may see."""

    def __init__(self, portal: PortalUnderTest, clock: Clock, *, whole: bool) -> None:
        self.portal, self.clock, self.whole = portal, clock, whole

    def fill(self, web: WebServer, urls: Mapping[str, str]) -> None:
        self._write(FIRST)
        self._push("pipeline", [shown("pushed"), shown("pushed-too"), secret("pushed-away")])
        self._push("secret-pipeline", [secret("pushed-too-far")])
        for name, url in urls.items():
            if self.whole or name != HIDDEN:
                self.portal.runtime.locations.add("url", url)
        self.clock.advance(timedelta(hours=1))
        self._write(SECOND)
        self._push("pipeline", [shown("pushed", type="library"), secret("pushed-away", type="x")])
        self.portal.runtime.engine.read("registered")
        self.clock.advance(timedelta(hours=1))
        for name in ("doomed", "secret-doomed"):
            self.portal.runtime.engine.deletions.delete_entity(
                EntityRef.parse(f"component:default/{name}")
            )
        for _ in range(20):
            if not self.portal.run_jobs():
                break

    def _write(self, documents: Documents) -> None:
        folder: Path = self.portal._catalog
        for file in folder.glob("*.yaml"):
            file.unlink()
        for name, texts in documents.items():
            kept = [text for text in texts if self.whole or not is_hidden(text)]
            if kept:
                (folder / f"{name}.yaml").write_text("---\n".join(kept), encoding="utf-8")
        self.portal.runtime.engine.read("test")

    def _push(self, source: str, texts: Sequence[str]) -> None:
        # Sources are of the portal, not of entities: who sees them sees them all.
        kept = [orjson.loads(text) for text in texts if self.whole or not is_hidden(text)]
        push = Push(source=source, mode="full", documents=read_entities(kept))
        by = Asker(by="system:pipeline", owner="system:pipeline")
        self.portal.runtime.engine.pusher.push(push, by)

    def browser(self, who: str) -> TestClient:
        client = TestClient(self.portal.client.app, base_url="https://testserver")
        sign_in_as(client, f"user:default/{who}")
        return client


def settings(url: str) -> dict[str, Any]:
    digest = sha1(f"url:{url}".encode(), usedforsecurity=False).hexdigest()
    away = {
        "role": "administrator",
        "effect": "deny",
        "to": ["user:default/guest", "user:default/mia"],
    }
    return {
        "http": {"allow_private": True, "retries": 0},
        "usage": {"enabled": True},
        "portal": {"kept_answers": 0},
        "access": {
            "anonymous": "",
            "defaults": False,
            "bindings": [
                {"role": "viewer", "to": ["user:default/guest", "user:default/mia"]},
                {"role": "maintainer", "to": ["user:default/mia"]},
                {**away, "on": {"tag": [HIDDEN]}},
                {**away, "on": {"entity": [f"location:default/generated-{digest}"]}},
            ],
        },
    }  # fmt: skip


@contextmanager
def opened(
    folder: Path, urls: Mapping[str, str], web: WebServer, *, whole: bool
) -> Iterator[World]:
    clock = Clock(datetime.fromisoformat(STARTED))
    with portal_under_test(
        folder, plugins=[], settings=settings(urls[HIDDEN]), clock=clock, templates={}
    ) as portal:
        world = World(portal, clock, whole=whole)
        world.fill(web, urls)
        yield world


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, World]]:
    folder = tmp_path_factory.mktemp("counts")
    with web_server() as web:
        urls = {
            "plain": web.put("/plain.yaml", shown("registered")),
            HIDDEN: web.put("/hidden.yaml", secret("registered-away")),
        }
        with (
            opened(folder / "whole", urls, web, whole=True) as whole,
            opened(folder / "part", urls, web, whole=False) as part,
        ):
            yield whole, part


QUERY: Final = "/api/catalog/entities/by-query"
AT: Final = "/api/catalog/at/2026-03-02T08:30:00Z"
FACETS: Final = "/api/catalog/entity-facets?" + "&".join(
    f"facet={name}"
    for name in (
        "kind", "spec.type", "spec.owner", "spec.system", "metadata.tags", "spec.lifecycle",
        "metadata.name", "relations.dependsOn",
    )
)  # fmt: skip
JSON: Final = (
    f"{QUERY}?limit=0",
    f"{QUERY}?limit=2&fields=metadata.name",
    f"{QUERY}?limit=100&fields=metadata.name",
    f"{QUERY}?filter=kind=component&fields=metadata.name",
    f"{QUERY}?filter=relations.dependencyOf&fields=metadata.name",
    f"{QUERY}?filter=spec.owner=guards&fields=metadata.name",
    f"{QUERY}?fullTextFilterTerm=secret&fields=metadata.name",
    "/api/catalog/entities?fields=metadata.name",
    FACETS,
    "/api/catalog/locations",
    "/api/catalog/sources",
    "/api/catalog/problems",
    "/api/catalog/problems?kind=conflict",
    "/api/catalog/problems?kind=rejected",
    "/api/catalog/problems?kind=dangling",
    "/api/catalog/deleted",
    "/api/catalog/deleted?limit=1",
    "/api/catalog/history",
    "/api/catalog/history?action=removed",
    f"{AT}/entities",
    f"{AT}/entities?limit=2",
    f"{AT}/differences?difference=came",
    f"{AT}/differences?difference=changed",
    f"{AT}/differences?difference=left",
    "/api/catalog/push-sources",
    "/api/deliveries",
    "/api/me/problems",
    "/api/usage",
    "/api/usage?show=never",
)
POSTED: Final[Mapping[str, Any]] = {
    "/api/catalog/locations/by-query": {},
    QUERY: {"query": {"kind": "component"}, "limit": 1, "fields": ["metadata.name"]},
    "/api/catalog/entity-facets": {"facets": ["metadata.tags", "spec.system"]},
}
PAGES: Final = (
    "/",
    "/catalog?kind=all",
    "/catalog",
    "/catalog?kind=all&more=owner",
    "/catalog?kind=system",
    "/catalog/past?at=2026-03-02T08:30",
    "/search?q=secret",
    "/search?q=team",
    "/search?q=kind:component",
    "/sources",
    "/sources/test",
    "/problems",
    "/deleted",
    "/locations",
    "/teams",
    "/people",
    "/systems",
    "/ownership",
    "/tags",
    "/types",
    "/activity",
    "/me",
    "/me/problems",
    "/usage",
    "/usage?show=never",
    "/deliveries",
    "/catalog/default/component/orders",
    "/catalog/default/component/orders/relations",
    "/catalog/default/system/shop",
    "/catalog/default/group/team",
)
READERS: Final = ("guest", "mia")
"""Who may see a part of the entities; and who runs the portal, and still sees no more of them."""

_OWN: Final = frozenset(
    ("id", "uid", "etag", "nextCursor", "prevCursor", "key", "head", "address", "annotations")
)


def plain(value: Any) -> Any:
    """Give an answer without what is by chance: numbers of rows, cursors, times of reads."""
    if isinstance(value, Mapping) and value.get("path") == "/metadata/etag":
        return "…"
    if isinstance(value, Mapping):
        return {key: "…" if key in _OWN else plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def words(page: str) -> str:
    """Give the words of a page."""
    text = page.partition("<main")[2].partition("</main>")[0]
    text = re.sub(r"(?s)<(script|style|svg)\b.*?</\1>", " ", text)
    text = text.replace("/whole/catalog", "/part/catalog")
    text = re.sub(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{7,64}\b", "…", text)  # states of sources
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text)).strip()


@pytest.mark.parametrize("who", READERS)
@pytest.mark.parametrize("path", JSON)
def test_the_api_counts_what_is_seen(worlds: tuple[World, World], who: str, path: str) -> None:
    whole, part = (world.browser(who).get(path) for world in worlds)
    assert whole.status_code == part.status_code
    assert plain(whole.json()) == plain(part.json())


@pytest.mark.parametrize("who", READERS)
@pytest.mark.parametrize("path", POSTED)
def test_what_is_posted_counts_likewise(worlds: tuple[World, World], who: str, path: str) -> None:
    answers = []
    for world in worlds:
        client = world.browser(who)
        token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/navigation").text)
        assert token
        answer = client.post(path, json=POSTED[path], headers={"x-csrf-token": token[1]})
        answers.append((answer.status_code, plain(answer.json())))
    assert answers[0] == answers[1]


@pytest.mark.parametrize("who", READERS)
@pytest.mark.parametrize("path", PAGES)
def test_pages_count_what_is_seen(worlds: tuple[World, World], who: str, path: str) -> None:
    whole, part = (world.browser(who).get(path) for world in worlds)
    assert whole.status_code == part.status_code
    assert words(whole.text) == words(part.text)


def test_the_reader_sees_a_third(worlds: tuple[World, World]) -> None:
    whole, _part = worlds
    seen = whole.browser("guest").get(f"{QUERY}?limit=0").json()["totalItems"]
    everything = sum(whole.portal.runtime.catalog.counts().values())
    assert 0 < seen <= everything * 0.6
