"""The home page: what waits, what is mine, how it is arranged, and what a failing plugin costs."""

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import event as happening
from starlette.testclient import TestClient

from callboard import hookimpl
from callboard.contributions import (
    CatalogColumn,
    Cell,
    ColumnContext,
    Fragment,
    HomeCard,
    PageContext,
    Waiting,
    WaitingItem,
)
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.plugins import PluginRecord
from callboard.testing import Clock, new_database
from callboard_catalog.service import CatalogService
from callboard_web.app import create_app
from callboard_web.home.arrangement import Arrangement
from callboard_web.personal import Personal
from callboard_web.runtime import Runtime

CATALOG = """
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: li.wei}
spec: {profile: {displayName: 李伟 Li Wei}, memberOf: [trade]}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: new.one}
spec: {profile: {displayName: New One}, memberOf: []}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: trade, title: Trade}
spec: {type: team, parent: bank, children: [bank]}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: bank, title: Bank}
spec: {type: department, parent: trade, children: [trade]}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: orders, title: "<b>Orders</b> \\u202e"}
spec: {type: service, lifecycle: production, owner: trade, dependsOn: [resource:gone]}
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: orders-api}
spec: {type: openapi, lifecycle: production, owner: bank, definition: "openapi: 3.1.0"}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: theirs}
spec: {type: service, lifecycle: production, owner: others}
"""


def component(number: int, owner: str = "trade") -> str:
    return (
        "---\napiVersion: backstage.io/v1alpha1\nkind: Component\n"
        f"metadata: {{name: part-{number:03}}}\n"
        f"spec: {{type: library, lifecycle: experimental, owner: {owner}}}\n"
    )


class Guest:
    """A plugin with a part of everything that home shows; `broken` names those that raise."""

    def __init__(
        self, broken: frozenset[str] = frozenset(), more: Sequence[Any] = (), cell: Any = None
    ) -> None:
        self.broken = broken
        self.more = more
        self.cell = cell
        self.asked: list[str] = []

    def _part(self, name: str, answer: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def ask(context: Any) -> Any:
            self.asked.append(name)
            if name in self.broken:
                raise RuntimeError("secret reason")
            return answer(context)

        return ask

    @hookimpl
    def callboard_waiting(self) -> Iterable[Waiting]:
        def read(context: PageContext) -> list[WaitingItem]:
            title = f"Review for {len(context.mine)} <i>"
            return [
                WaitingItem(status="wait", title=title, path="/reviews/1", verb="Review"),
                WaitingItem(status="bad", title="Burning", path="javascript:alert(1)"),
                *self.more,
            ]

        return [Waiting(name="reviews", title="Reviews", read=self._part("waiting", read))]

    @hookimpl
    def callboard_catalog_columns(self) -> Iterable[CatalogColumn]:
        def values(context: ColumnContext) -> dict[EntityRef, Cell]:
            return {
                item.ref: self.cell or Cell(text=f"{len(context.entities)} rows")
                for item in context.entities
            }

        return [CatalogColumn(name="rows", title="Rows", values=self._part("column", values))]

    @hookimpl
    def callboard_home_cards(self) -> Iterable[HomeCard]:
        return [
            HomeCard(
                name=name, title=name.title(),
                render=self._part(name, lambda context: Fragment(source="A card.")),
            )
            for name in ("first", "second")
        ]  # fmt: skip


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def make(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Callable[..., TestClient]]:
    """Give the function that makes a portal with a catalog and a guest plugin."""
    made: list[Runtime] = []
    stack = ExitStack()

    def portal(guest: Guest | None = None, more: str = "", role: str = "viewer") -> TestClient:
        folder = tmp_path / f"portal-{len(made)}"
        folder.mkdir()
        (folder / "catalog-info.yaml").write_text(CATALOG + more, encoding="utf-8")
        url = stack.enter_context(new_database(request, request.param))
        config = folder / "callboard.yaml"
        config.write_text(
            f"access: {{anonymous: {role}}}\ndatabase: {{url: '{url}'}}\n"
            f"catalog: {{sources: [{{name: shop, type: folder, path: {folder}}},\n"
            f"                     {{name: gone, type: folder, path: {folder / 'gone'}}}]}}\n"
        )
        runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": ""})
        if guest:
            runtime.plugins.load(PluginRecord(name="guest", version="1"), lambda: guest)
            runtime.plugins.finish()
        runtime.upgrade()
        runtime.start(worker=False, serve=False)
        made.append(runtime)
        for source in ("shop", "gone"):
            runtime.engine.read(source)
        return TestClient(create_app(runtime))

    yield portal
    for runtime in made:
        runtime.stop()
    stack.close()


def send(
    client: TestClient, path: str, headers: dict[str, str] | None = None, **fields: str
) -> Any:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/navigation").text)
    assert found
    data = {"csrf_token": found[1], **fields}
    return client.post(path, data=data, headers=headers, follow_redirects=False)


def home(client: TestClient, path: str = "/") -> str:
    """Give the main part of the page, once what was done is told."""
    client.get("/")
    text: str = client.get(path).text
    return text.partition("<main")[2].partition("</main>")[0]


def be(client: TestClient, name: str) -> TestClient:
    assert send(client, "/me/who", ref=f"user:default/{name}").status_code == 303
    return client


def heading(page: str) -> str:
    return page.partition("<h1>")[2].partition("</h1>")[0]


# What it answers


def test_a_stranger_is_asked_who_they_are_and_shown_around(
    make: Callable[..., TestClient],
) -> None:
    page = home(make())
    assert heading(page) == "2 things need attention"
    assert "The source gone cannot be read" in page
    assert "relations lead nowhere" in page
    assert 'action="/me"' in page
    assert "the portal believes what you say" in page
    assert "Look around" in page
    assert "My services" not in page


def test_what_waits_is_the_first_answer_and_the_worst_first(
    make: Callable[..., TestClient],
) -> None:
    page = home(be(make(Guest()), "li.wei"))
    assert heading(page) == "3 things wait for you"
    places = [page.index(text) for text in ("Burning", "depends on", "Review for 3 &lt;i&gt;")]
    assert places == sorted(places)
    assert "javascript:" not in page
    assert "cannot be read" not in page  # for those who run the portal


def test_those_who_run_the_portal_are_told_of_its_sources(make: Callable[..., TestClient]) -> None:
    page = home(be(make(role="administrator"), "li.wei"))
    assert "The source gone cannot be read" in page


def test_one_kind_of_what_waits_alone(make: Callable[..., TestClient]) -> None:
    client = be(make(Guest()), "li.wei")
    page = home(client, "/?waiting=guest.reviews")
    assert "Burning" in page
    assert "resource:gone" not in page
    assert heading(page) == "3 things wait for you"
    assert "Burning" in home(client, "/?waiting=%22%3E%3Cscript%3E")


def test_services_stand_with_what_plugins_know_of_them(make: Callable[..., TestClient]) -> None:
    page = home(be(make(Guest()), "li.wei"))
    assert "&lt;b&gt;Orders&lt;/b&gt;" in page
    assert "<b>Orders" not in page
    assert "1 rows" in page
    assert "theirs" not in page
    assert 'href="/catalog?kind=api&amp;mine=1">API 1' in page
    assert 'href="/problems?owner=group%3Adefault/trade"' in page


def test_ten_services_then_the_way_to_all_of_them(make: Callable[..., TestClient]) -> None:
    more = "".join(component(number) for number in range(30))
    page = home(be(make(Guest(), more), "li.wei"))
    assert page.count("10 rows") == 10
    assert "All of my 31 services" in page
    assert 'href="/catalog?mine=1"' in page


def test_a_person_who_owns_nothing_is_shown_around(make: Callable[..., TestClient]) -> None:
    page = home(be(make(), "new.one"))
    assert heading(page) == "Nothing waits for you"
    assert "You and your teams own nothing in the catalog." in page
    assert "Look around" in page


def test_questions_to_the_database_do_not_grow_with_what_one_owns(
    make: Callable[..., TestClient],
) -> None:
    counts = []
    for number in (300, 600):
        client = be(make(Guest(), "".join(map(component, range(number)))), "li.wei")
        client.get("/")
        asked: list[str] = []
        engine = client.app.state.runtime.database.engine  # type: ignore[attr-defined]
        happening.listen(
            engine, "before_cursor_execute", lambda *given, asked=asked: asked.append(given[2])
        )
        counted = []
        for _ in range(5):
            asked.clear()
            client.get("/")
            # Whether policies changed is asked now and then, whoever reads what.
            counted.append(sum("access_state" not in statement for statement in asked))
        # Beside it others ask as well, such as what is to be sealed.
        counts.append(min(counted))
    assert counts[0] == counts[1]
    assert counts[0] < 35


# What fails


@pytest.mark.parametrize("part", ["waiting", "column", "first"])
def test_a_part_that_fails_costs_its_own_place(make: Callable[..., TestClient], part: str) -> None:
    client = be(make(Guest(frozenset({part}))), "li.wei")
    page = home(client)
    assert client.get("/").status_code == 200
    assert "secret reason" not in page
    assert 'class="note bad' in page
    assert ("Burning" in page) is (part != "waiting")
    assert ("1 rows" in page) is (part != "column")
    assert page.count("A card.") == (1 if part == "first" else 2)
    assert "&lt;b&gt;Orders&lt;/b&gt;" in page


NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - what a plugin may give by mistake


@pytest.mark.parametrize(
    "item",
    [
        WaitingItem(status="odd", title="Odd", path="/"),  # type: ignore[arg-type]
        WaitingItem(status="bad", title=7, path="/"),  # type: ignore[arg-type]
        WaitingItem(status="bad", title="Odd", path="/", at=NAIVE),
        "Odd",
    ],
)
def test_what_waits_and_cannot_be_shown_is_a_fault(
    make: Callable[..., TestClient], item: object
) -> None:
    page = home(be(make(Guest(more=[item])), "li.wei"))
    assert "The plugin guest failed." in page
    assert "Burning" not in page
    assert "&lt;b&gt;Orders&lt;/b&gt;" in page


@pytest.mark.parametrize("cell", [Cell(text=7), Cell(at=NAIVE), Cell(status=[])])  # type: ignore[arg-type]
def test_a_cell_that_cannot_be_shown_is_a_fault(
    make: Callable[..., TestClient], cell: object
) -> None:
    client = be(make(Guest(cell=cell)), "li.wei")
    page = home(client)
    assert "The column Rows of the plugin guest failed." in page
    assert "Burning" in page
    assert client.get("/catalog").status_code == 200


# Arranging it


def test_parts_are_hidden_and_cost_nothing_then(make: Callable[..., TestClient]) -> None:
    guest = Guest()
    client = be(make(guest), "li.wei")
    for key in ("services", "guest.first"):
        assert send(client, "/me/home", hide=key).status_code == 303
    client.get("/")
    guest.asked.clear()
    page = home(client)
    assert "My services" not in page
    assert "2 parts of this page are hidden." in page
    assert set(guest.asked) == {"waiting", "second"}
    send(client, "/me/home", show="services")
    assert "My services" in home(client)


def test_parts_are_moved(make: Callable[..., TestClient]) -> None:
    client = be(make(Guest()), "li.wei")
    send(client, "/me/home", up="services")
    send(client, "/me/home", down="guest.first")
    page = home(client)
    assert page.index("My services") < page.index("Waiting for you")
    assert page.index('id="card-guest-second"') < page.index('id="card-guest-first"')
    send(client, "/me/home", up="services")
    send(client, "/me/home", up="nothing-such")
    assert page.index("My services") < page.index("Waiting for you")


def test_a_move_in_place_is_said(make: Callable[..., TestClient]) -> None:
    client = be(make(), "li.wei")
    answer = send(client, "/me/home", headers={"hx-request": "true"}, down="starred")
    assert answer.text.startswith('<form id="arrangement"')
    assert "Starred is at place 2 of 4" in answer.headers["hx-trigger"]


def test_all_is_as_at_first_and_that_can_be_taken_back(make: Callable[..., TestClient]) -> None:
    client = be(make(), "li.wei")
    send(client, "/me/home", hide="starred")
    assert send(client, "/me/home", reset="1").status_code == 303
    page = client.get("/me/home").text
    kept = re.search(r'name="kept" value="([^"]+)"', page)
    assert kept
    assert "Starred" in home(client)
    send(client, "/me/home", kept=kept[1].replace("&#34;", '"'))
    assert "parts of this page" in home(client) or "part of this page" in home(client)


def test_a_reset_in_place_offers_to_take_it_back(make: Callable[..., TestClient]) -> None:
    client = make()
    send(client, "/me/home", hide="starred")
    answer = send(client, "/me/home", headers={"hx-request": "true"}, reset="1")
    assert answer.text.startswith('<form id="arrangement"')
    assert "piece-hidden" not in answer.text
    assert answer.headers["hx-trigger-after-swap"] == "flash"
    assert 'name="kept"' in client.get("/flash").text


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "[]",
        '{"order": 7, "hidden": [[]]}',
        "{" * 3000,
        "[" * 5000,
        "\0",
        '{"order": ["\\u0000"]}',
    ],
)
def test_what_cannot_be_an_arrangement_is_none(make: Callable[..., TestClient], kept: str) -> None:
    client = make()
    assert send(client, "/me/home", kept=kept).status_code == 303
    assert client.get("/").status_code == 200


def test_a_new_part_comes_at_the_end_and_a_gone_one_is_remembered() -> None:
    arrangement = Arrangement.of({"order": ["seen", "gone.card"], "hidden": ["gone.card"]})

    pieces = arrangement.pieces(())
    side = [piece.key for piece in pieces if piece.area == "side"]
    assert side == ["seen", "starred", "activity", "contents"]
    moved = arrangement.moved(pieces, "starred", -1)
    assert [key for key in moved.order if key in side][:2] == ["starred", "seen"]
    assert "gone.card" in moved.order


# Two at once


def test_what_two_pages_of_one_person_keep_at_once_is_all_kept(
    database: Database, clock: Clock
) -> None:
    personal = Personal(database, CatalogService(database), clock)
    ref = EntityRef.parse("component:default/orders")
    faults: list[BaseException] = []

    def use(number: int) -> None:
        try:
            personal.visited("visitor:a", "/catalog", "Cat\0alog", ref)
            personal.arrange("visitor:a", {"order": [str(number)]})
            personal.star("visitor:a", ref, True)
        except BaseException as fault:
            faults.append(fault)

    threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    (visit,) = personal.visits("visitor:a")
    assert (visit.count, visit.title) == (8, "Catalog")
    assert personal.stars("visitor:a") == [ref]


def test_groups_that_form_a_circle_are_all_mine(make: Callable[..., TestClient]) -> None:
    client = make()
    personal: Personal = client.app.state.portal.personal  # type: ignore[attr-defined]
    mine = personal.mine(EntityRef.parse("user:default/li.wei"))
    assert [ref.name for ref in mine] == ["li.wei", "trade", "bank"]
