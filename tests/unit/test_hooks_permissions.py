"""What contributions ask for: a plugin gives nothing to those who lack the permission it names."""

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from fastapi import APIRouter
from starlette.testclient import TestClient

from callboard import contributions as c
from callboard import hookimpl
from callboard.entities import EntityRef
from callboard.plugins import Guard, PluginRecord, Plugins, PluginState
from callboard_web.app import create_app
from callboard_web.runtime import Runtime

ALL = "guest.all.see"
PART = "guest.part.see"
WORD = "Guestword"

CATALOG = "---\n".join(
    f"apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {{name: {name}}}\n"
    "spec: {type: service, lifecycle: production, owner: team}\n"
    for name in ("mine", "theirs")
)


def loaded(**hooks: Any) -> PluginRecord:
    """Load a plugin named guest of these hooks, given as what they return."""
    module = ModuleType("guest")
    for name, given in hooks.items():
        vars(module)[f"callboard_{name}"] = _hook(name, given)
    plugins, record = Plugins(Guard()), PluginRecord(name="guest")
    plugins.load(record, lambda: module)
    plugins.finish()
    if record.state is PluginState.FAILED:
        assert plugins.contributions.home_cards == ()
    return record


def _hook(name: str, given: Any) -> Any:
    def hook() -> Any:
        return given

    hook.__name__ = f"callboard_{name}"
    return hookimpl(hook)


def fragment(context: c.PageContext) -> c.Fragment:
    return c.Fragment(source=f"<p>{WORD}</p>")


def card(permission: str) -> c.HomeCard:
    return c.HomeCard(name="card", title="Card", render=fragment, permission=permission)


def test_a_permission_that_nobody_declares_keeps_a_plugin_out() -> None:
    record = loaded(home_cards=[card("guest.thing.see")])
    assert record.state is PluginState.FAILED
    assert record.reason.startswith(
        "callboard_home_cards names the permission 'guest.thing.see', which nobody declares."
    )
    declared = c.Permission(name="guest.thing.see", title="See")
    again = loaded(home_cards=[card("guest.thing.see")], permissions=[declared])
    assert again.state is PluginState.LOADED


def test_a_plugin_declares_permissions_of_its_own_name_only() -> None:
    taken = c.Permission(name="portal.settings.read", title="Mine now", role="viewer")
    record = loaded(permissions=[taken])
    assert record.state is PluginState.FAILED
    assert "expected a name that begins with guest." in record.reason


def _router(host: Any) -> APIRouter:
    router = APIRouter()

    @router.get("/usual")
    def usual() -> str:
        return WORD

    @router.get("/all")
    @c.requires(ALL)
    def everything() -> str:
        return WORD

    @router.get("/parts/{name}")
    @c.requires(PART)
    def part(name: str) -> str:
        host.require(PART, EntityRef.of("component", "default", name))
        return WORD

    @router.get("/open")
    @c.open_to_everyone("It is of no use to anybody.")
    def everyone() -> str:
        return WORD

    return router


def _documents(host: Any) -> list[c.SearchDocument]:
    return [
        c.SearchDocument(
            key=name, title=f"{WORD} {name}", path=f"/guest/{name}",
            entity=EntityRef.of("component", "default", name),
        )
        for name in ("mine", "theirs")
    ]  # fmt: skip


class Guest:
    """A plugin with one of everything that is asked for a permission."""

    @hookimpl
    def callboard_permissions(self) -> list[c.Permission]:
        return [
            c.Permission(name=ALL, title="See all of it"),
            c.Permission(name=PART, title="See a part", role="developer", about="entity"),
        ]

    @hookimpl
    def callboard_navigation(self) -> list[c.NavItem]:
        return [c.NavItem(name="guest", title=f"{WORD} nav", path="/guest/all", permission=ALL)]

    @hookimpl
    def callboard_acts(self) -> list[c.Act]:
        return [c.Act(name="guest", title=f"{WORD} act", path="/guest/all", permission=ALL)]

    @hookimpl
    def callboard_pages(self) -> list[c.Page]:
        return [
            c.Page(name="all", title="All", path="all", render=fragment, permission=ALL),
            c.Page(name="part", title="Part", path="part", render=fragment, permission=PART),
        ]

    @hookimpl
    def callboard_routes(self) -> list[c.Routes]:
        return [c.Routes(router=_router)]

    @hookimpl
    def callboard_home_cards(self) -> list[c.HomeCard]:
        return [card(ALL)]

    @hookimpl
    def callboard_waiting(self) -> list[c.Waiting]:
        item = c.WaitingItem(status="warn", title=f"{WORD} waits", path="/")
        return [c.Waiting(name="w", title="W", read=lambda context: [item], permission=ALL)]

    @hookimpl
    def callboard_entity_cards(self) -> list[c.EntityCard]:
        return [c.EntityCard(name="c", title="C", render=fragment, permission=PART)]

    @hookimpl
    def callboard_entity_tabs(self) -> list[c.EntityTab]:
        return [c.EntityTab(name="guest", title=f"{WORD} tab", render=fragment, permission=PART)]

    @hookimpl
    def callboard_entity_badges(self) -> list[c.EntityBadge]:
        badge = c.Badge(status="ok", label=f"{WORD} badge")
        return [c.EntityBadge(name="b", render=lambda context: badge, permission=PART)]

    @hookimpl
    def callboard_catalog_columns(self) -> list[c.CatalogColumn]:
        return [
            c.CatalogColumn(
                name="column", title="Column", permission=PART,
                values=lambda context: {
                    entity.ref: c.Cell(text=f"{WORD} {entity.name}") for entity in context.entities
                },
            )
        ]  # fmt: skip

    @hookimpl
    def callboard_search_sources(self) -> list[c.SearchSource]:
        return [c.SearchSource(name="docs", title="Docs", read=_documents, permission=PART)]


def opened(folder: Path, *, role: str, extra: str = "") -> Runtime:
    (folder / "catalog-info.yaml").write_text(CATALOG)
    config = folder / "callboard.yaml"
    config.write_text(
        f"access: {{anonymous: {role}{extra}}}\n"
        f"catalog: {{sources: [{{name: shop, type: folder, path: {folder}}}]}}\n"
    )
    runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": ""})
    runtime.plugins.load(PluginRecord(name="guest", version="1"), Guest)
    runtime.plugins.finish()
    runtime.upgrade()
    runtime.start(worker=False, serve=False)
    runtime.engine.read("shop")
    runtime.jobs.submit(None, "catalog", "index", {})
    runtime.jobs.run_once()
    return runtime


@pytest.fixture
def viewer(tmp_path: Path) -> Iterator[TestClient]:
    """A portal whose visitors view everything, and may see the part of one entity."""
    binding = "{role: developer, to: [everyone], on: {entity: ['component:default/mine']}}"
    runtime = opened(tmp_path, role="viewer", extra=f", bindings: [{binding}]")
    yield TestClient(create_app(runtime))
    runtime.stop()


@pytest.fixture
def administrator(tmp_path: Path) -> Iterator[TestClient]:
    runtime = opened(tmp_path, role="administrator")
    yield TestClient(create_app(runtime))
    runtime.stop()


PLACES = {
    "/": 3,  # the link, the card, what waits
    "/search/palette?q=guestword": 4,  # the page, the act, two documents
    "/catalog/default/component/mine": 3,  # the card, the tab, the badge
    "/catalog/default/component/theirs": 3,
    "/catalog": 2,
    "/search?q=guestword": 2,
    "/guest/all": 1,
    "/guest/part": 1,
    "/api/plugins/guest/all": 1,
    "/api/plugins/guest/parts/mine": 1,
    "/api/plugins/guest/parts/theirs": 1,
    "/api/plugins/guest/usual": 1,
    "/api/plugins/guest/open": 1,
}
"""How much of the plugin those who may see everything find at least."""


def test_who_may_see_everything_sees_it(administrator: TestClient) -> None:
    for path, least in PLACES.items():
        answer = administrator.get(path)
        assert answer.status_code == 200, path
        assert answer.text.replace("\ue000", "").count(WORD) >= least, path


def test_who_may_see_a_part_sees_that(viewer: TestClient) -> None:
    def found(path: str) -> str:
        return viewer.get(path).text.replace("<mark>", "").replace("</mark>", "")

    assert WORD not in found("/").replace(f"{WORD} tab", "")
    palette = found("/search/palette?q=guestword")
    assert f"{WORD} mine" in palette
    assert not any(f"{WORD} {name}" in palette for name in ("theirs", "nav", "act"))
    for name in ("badge", "tab"):
        assert f"{WORD} {name}" in found("/catalog/default/component/mine")
    assert WORD not in found("/catalog/default/component/theirs")
    assert f"{WORD} mine" in found("/catalog")
    assert f"{WORD} theirs" not in found("/catalog")
    results = found("/search?q=guestword")
    assert f"{WORD} mine" in results
    assert f"{WORD} theirs" not in results


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/guest/all", 401),
        ("/guest/part", 200),
        ("/catalog/default/component/mine/guest", 200),
        ("/catalog/default/component/theirs/guest", 401),
        ("/api/plugins/guest/all", 401),
        ("/api/plugins/guest/parts/mine", 200),
        ("/api/plugins/guest/parts/theirs", 401),
        ("/api/plugins/guest/usual", 200),
        ("/api/plugins/guest/open", 200),
    ],
)
def test_addresses_are_asked_for_their_permission(
    viewer: TestClient, path: str, status: int
) -> None:
    answer = viewer.get(path, headers={"accept": "application/json"})
    assert answer.status_code == status
    assert (WORD in answer.text) is (status == 200)


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        (lambda router: router.mount("/open", create_app), "expected only routes of router.get"),
        (
            lambda router: router.get("/x")(c.requires("guest.unknown.see")(lambda: "")),
            "names the permission 'guest.unknown.see', which nobody declares",
        ),
    ],
)
def test_routes_that_could_not_be_asked_keep_a_plugin_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, route: Any, reason: str
) -> None:
    def make(host: Any) -> APIRouter:
        router = APIRouter()
        route(router)
        return router

    monkeypatch.setitem(globals(), "_router", make)
    runtime = opened(tmp_path, role="administrator")
    client = TestClient(create_app(runtime))
    assert reason in runtime.plugins.records["guest"].reason
    assert client.get("/guest/all").status_code == 404
    runtime.stop()
