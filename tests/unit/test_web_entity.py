"""The page of an entity as its readers use it: what it says, what can be done there."""

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from starlette.testclient import TestClient

from callboard import jobs
from callboard.audit import entries
from callboard.testing import Clock
from callboard_web.testing import PortalUnderTest

TokenOf = Callable[[TestClient], str]

ORDERS = "/catalog/default/component/orders"
HOSTILE = '<script>alert(1)</script>"\\u202e\\u200b'
WHOLE = """
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: orders
  title: Orders
  tags: [a1, a2, a3, a4, a5, a6]
  labels: {example.com/cost-centre: "4711"}
  annotations:
    github.com/project-slug: shop/orders
    backstage.io/view-url: https://github.com/shop/orders/blob/main/catalog-info.yaml
  links:
    - {url: "https://one.example", title: One, icon: dashboard}
    - {url: "https://two.example", title: Two}
    - {url: "https://three.example", title: Three}
    - {url: "https://four.example", title: Four}
    - {url: "https://five.example/?a=1&b=2", title: Five}
    - {url: "javascript:alert(1)", title: Trap}
spec:
  type: service
  lifecycle: production
  owner: nobody-here
  providesApis: [order-api]
---
apiVersion: backstage.io/v1alpha1
kind: API
metadata: {name: order-api}
spec: {type: openapi, lifecycle: production, owner: team, definition: "x"}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: shop}
spec: {type: website, lifecycle: production, owner: team, consumesApis: [order-api]}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: team, title: The Team}
spec: {type: team, children: [below]}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: below}
spec: {type: team, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: chen}
spec: {memberOf: [team]}
---
apiVersion: backstage.io/v1alpha1
kind: Resource
metadata: {name: lonely}
spec: {type: database, owner: team}
---
apiVersion: backstage.io/v1alpha1
kind: System
metadata: {name: empty}
spec: {owner: team}
"""


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def shop(portal: PortalUnderTest) -> PortalUnderTest:
    portal.catalog_add(WHOLE)
    return portal


def section(page: str, name: str) -> str:
    found = re.search(rf'<section [^>]*id="card-{name}".*?</section>\n</div>|'
                      rf'<section [^>]*id="card-{name}".*', page, re.DOTALL)  # fmt: skip
    assert found, f"There is no card {name}."
    return found[0].partition('<section class="panel')[2].partition('<section class="panel')[0]


def post(shop: PortalUnderTest, path: str, token_of: TokenOf, **form: Any) -> Any:
    data = {"csrf_token": token_of(shop.client), **form}
    return shop.client.post(path, data=data, follow_redirects=False)


# Header


def test_links_are_all_there_and_none_runs_a_script(shop: PortalUnderTest) -> None:
    page = shop.client.get(ORDERS).text
    for name in ("One", "Two", "Three", "Four", "Five"):
        assert f"<span>{name}</span>" in page
    assert "1 more" in page
    assert "https://five.example/?a=1&amp;b=2" in page
    assert "Trap" not in page
    assert "javascript:" not in page


def test_an_owner_that_is_not_there_leads_to_who_names_it(shop: PortalUnderTest) -> None:
    page = shop.client.get(ORDERS).text
    facts = page.partition('<dl class="facts')[2].partition("</dl>")[0]
    assert 'href="/catalog/default/group/nobody-here"' in facts
    assert "not in the catalog" in facts
    missing = shop.client.get("/catalog/default/group/nobody-here")
    assert missing.status_code == 404
    assert "1 entity names it" in missing.text
    assert f'href="{ORDERS}"' in missing.text
    assert "name: nobody-here" in missing.text


def test_the_file_is_edited_where_its_host_is_known(shop: PortalUnderTest) -> None:
    page = shop.client.get(ORDERS).text
    assert 'href="https://github.com/shop/orders/blob/main/catalog-info.yaml"' in page
    assert 'href="https://github.com/shop/orders/edit/main/catalog-info.yaml"' in page


def test_a_star_is_set_and_taken_away_by_a_form(shop: PortalUnderTest, token_of: TokenOf) -> None:
    form = {"ref": "component:default/orders", "next": ORDERS}
    starred = post(shop, "/me/stars", token_of, on="1", **form)
    assert (starred.status_code, starred.headers["location"]) == (303, ORDERS)
    assert 'aria-pressed="true"' in shop.client.get(ORDERS).text
    assert post(shop, "/me/stars", token_of, on="1", **form).status_code == 303
    assert post(shop, "/me/stars", token_of, on="0", **form).status_code == 303
    assert 'aria-pressed="false"' in shop.client.get(ORDERS).text
    assert "aria-pressed" in TestClient(shop.client.app).get(ORDERS).text


def test_a_star_by_htmx_gives_the_button_anew(shop: PortalUnderTest, token_of: TokenOf) -> None:
    headers = {"hx-request": "true", "x-csrf-token": token_of(shop.client)}
    form = {"ref": "component:default/orders", "on": "1", "next": ORDERS}
    answer = shop.client.post("/me/stars", data=form, headers=headers)
    assert answer.status_code == 200
    assert 'aria-pressed="true"' in answer.text
    assert "<html" not in answer.text


def test_a_star_needs_an_entity_and_leads_nowhere_else(
    shop: PortalUnderTest, token_of: TokenOf
) -> None:
    gone = post(shop, "/me/stars", token_of, ref="component:default/nope", on="1")
    assert gone.status_code == 404
    assert post(shop, "/me/stars", token_of, ref="a b", on="1").status_code == 400
    form = {"ref": "component:default/orders", "on": "1", "next": "//evil.example"}
    assert post(shop, "/me/stars", token_of, **form).headers["location"] == "/"
    assert shop.client.post("/me/stars", data=form).status_code == 403


def test_refresh_reads_the_source_and_tells_how_it_went(
    shop: PortalUnderTest, token_of: TokenOf, clock: Clock
) -> None:
    clock.advance(60)
    asked = post(shop, f"{ORDERS}/refresh", token_of)
    assert asked.status_code == 303
    address = asked.headers["location"]
    assert "Reading" in shop.client.get(address).text
    with shop.runtime.database.read() as connection:
        entry = entries(connection, action="catalog.entity.refresh")[0]
        assert jobs.runs(connection, name="refresh", key="test")[0].state == "waiting"
    assert entry.subject == "component:default/orders"
    shop.run_jobs()
    assert "Read, nothing new" in shop.client.get(address).text
    status = shop.client.get(
        f"{ORDERS}/refresh", params={"run": address.partition("run=")[2]},
        headers={"hx-request": "true"},
    )  # fmt: skip
    assert "Read, nothing new" in status.text
    assert "hx-trigger" not in status.text
    assert "Reading" not in shop.client.get(f"{ORDERS}?run=99999").text
    assert shop.client.get(f"{ORDERS}?run=x'").status_code == 200


def test_a_refresh_that_changes_the_entity_says_so(
    shop: PortalUnderTest, token_of: TokenOf
) -> None:
    asked = post(shop, f"{ORDERS}/refresh", token_of)
    file = next(shop.runtime.base.rglob("0001.yaml"))
    file.write_text(WHOLE.replace("title: Orders", "title: All Orders"), encoding="utf-8")
    shop.run_jobs()
    page = shop.client.get(asked.headers["location"]).text
    assert "Read, changed" in page
    assert "All Orders" in page


# Cards


def test_cards_say_who_uses_what(shop: PortalUnderTest) -> None:
    used = section(shop.client.get(ORDERS).text, "portal-dependents")
    assert "Consumers of its APIs" in used
    assert 'href="/catalog/default/component/shop"' in used
    api = section(shop.client.get("/catalog/default/api/order-api").text, "portal-used-by")
    assert api.index("Provided by") < api.index("orders") < api.index("Consumed by")
    lonely = shop.client.get("/catalog/default/resource/lonely").text
    assert "Nothing in the catalog says that it needs this." in lonely
    team = shop.client.get("/catalog/default/group/team").text
    assert 'href="/catalog/default/user/chen"' in section(team, "portal-members")
    assert 'href="/catalog/default/group/below"' in section(team, "portal-members")
    assert "lonely" in section(team, "portal-owned")
    user = section(shop.client.get("/catalog/default/user/chen").text, "portal-teams")
    assert "The Team" in user


def test_about_has_annotations_in_words(shop: PortalUnderTest) -> None:
    about = section(shop.client.get(ORDERS).text, "portal-about")
    assert "GitHub project" in about
    assert "Cost centre" in about
    assert "4711" in about
    assert "view-url" not in about


def test_a_page_asks_for_each_thing_once(shop: PortalUnderTest) -> None:
    from sqlalchemy import event

    asked: list[tuple[str, str]] = []

    def note(*given: Any) -> None:
        asked.append((given[2], repr(given[3])))

    shop.client.get(ORDERS)
    engine = shop.runtime.database.engine
    event.listen(engine, "before_cursor_execute", note)
    shop.client.get(ORDERS)
    event.remove(engine, "before_cursor_execute", note)
    twice = {statement for statement in asked if asked.count(statement) > 1}
    assert asked
    assert twice == set()


def test_the_number_of_queries_does_not_grow_with_relations(shop: PortalUnderTest) -> None:
    from sqlalchemy import event

    def count(path: str) -> int:
        shop.client.get(path)
        statements: list[str] = []

        def note(*given: Any) -> None:
            statements.append(given[2])

        engine = shop.runtime.database.engine
        event.listen(engine, "before_cursor_execute", note)
        shop.client.get(path)
        event.remove(engine, "before_cursor_execute", note)
        return len(statements)

    few = count("/catalog/default/system/empty")
    shop.catalog_add(
        "---\n".join(
            f"apiVersion: backstage.io/v1alpha1\nkind: Component\nmetadata: {{name: c{n}}}\n"
            "spec: {type: service, lifecycle: production, owner: team, system: empty}\n"
            for n in range(40)
        )
    )
    assert count("/catalog/default/system/empty") <= few + 3


def test_rows_have_no_holes(shop: PortalUnderTest) -> None:
    page = shop.client.get(ORDERS).text
    widths = [int(found) for found in re.findall(r'<section class="panel c(\d+) m\d+"', page)]
    row = 0
    for width in widths:
        row += width
        assert row <= 12
        row %= 12
    assert row == 0


# History


def test_history_says_in_words_what_changed(shop: PortalUnderTest) -> None:
    file = next(shop.runtime.base.rglob("0001.yaml"))
    changed = WHOLE.replace("owner: nobody-here", "owner: team").replace(
        "tags: [a1, a2", "tags: [a2, new"
    )
    file.write_text(changed, encoding="utf-8")
    shop.runtime.engine.read("test")
    page = shop.client.get(f"{ORDERS}/history").text
    assert "Owner from nobody-here to team" in page
    assert "Tags added: new" in page
    assert "Tags removed: a1" in page
    assert re.search(r'<div class="a">.*owner: team', page)
    assert re.search(r'<div class="d">.*owner: nobody-here', page)
    assert 'History <span class="cnt">1</span>' in page
    number = re.search(r'id="change-(\d+)"', page)
    assert number
    assert "owner: team" in shop.client.get(f"{ORDERS}/history/{number[1]}").text
    assert shop.client.get(f"{ORDERS}/history/{int(number[1]) + 1}").status_code == 404
    assert shop.client.get(f"{ORDERS}/history/x").status_code == 404
    chinese = shop.client.get(f"{ORDERS}/history", headers={"accept-language": "zh-CN"}).text
    assert "负责人由 nobody-here 改为 team" in chinese


def test_without_a_change_the_history_says_so(shop: PortalUnderTest) -> None:
    assert "No change yet" in shop.client.get(f"{ORDERS}/history").text


def test_what_is_gone_says_when_and_keeps_its_history(shop: PortalUnderTest) -> None:
    file = next(shop.runtime.base.rglob("0001.yaml"))
    documents = WHOLE.split("---\n")
    file.write_text("---\n".join(documents[2:]), encoding="utf-8")
    shop.runtime.engine.read("test")
    page = shop.client.get("/catalog/default/api/order-api")
    assert page.status_code == 410
    assert "It is not in the catalog any more." in page.text
    assert "0001.yaml" in page.text
    assert 'href="/catalog/default/component/shop"' in page.text
    assert "Taken out of the catalog" in page.text
    assert "definition: x" in page.text
    assert shop.client.get("/catalog/default/api/order-api/history").status_code == 410
    assert shop.client.get("/catalog/default/api/order-api/raw/download").status_code == 404


# Raw


def test_raw_has_numbered_lines(shop: PortalUnderTest) -> None:
    page = shop.client.get(f"{ORDERS}/raw").text
    assert re.search(r'<div id="L1">.*<b>apiVersion</b>: backstage.io/v1alpha1', page)
    assert "<b>kind</b>: Component" in page
    as_json = shop.client.get(f"{ORDERS}/raw?format=json").text
    assert "<b>&#34;kind&#34;</b>: &#34;Component&#34;" in as_json


# Problems


def test_the_lines_of_a_problem_are_shown(client: TestClient) -> None:
    page = client.get("/sources/shop").text
    found = re.search(r'href="(/problems/lines\?[^"]+)"', page)
    assert found
    address = found[1].replace("&amp;", "&")
    shown = client.get(address)
    assert shown.status_code == 200
    assert "name: broken" in shown.text
    piece = client.get(address, headers={"hx-request": "true"}).text
    assert "<html" not in piece
    assert "name: broken" in piece


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"source": "shop", "path": "../callboard.yaml", "line": "1"}, 404),
        ({"source": "shop", "path": "/etc/passwd", "line": "1"}, 404),
        ({"source": "nope", "path": "catalog-info.yaml", "line": "1"}, 404),
        ({"source": "shop", "path": "catalog-info.yaml", "line": "x"}, 400),
        ({"source": "shop\0", "path": "a\0", "line": "1"}, 404),
    ],
)
def test_only_files_that_were_read_are_shown(
    client: TestClient, query: Mapping[str, str], status: int
) -> None:
    assert client.get("/problems/lines", params=dict(query)).status_code == status


# Hostile content


def test_hostile_content_stays_text(portal: PortalUnderTest) -> None:
    portal.catalog_add(
        f"""
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: bad
  title: "{HOSTILE.replace('"', chr(92) + '"')}"
  description: "{HOSTILE.replace('"', chr(92) + '"')}"
  annotations: {{example.com/x: "{HOSTILE.replace('"', chr(92) + '"')}"}}
  links: [{{url: "https://e.example/\\"onclick=x", title: "</a><b>"}}]
spec: {{type: "<i>", lifecycle: "</td>", owner: team}}
"""
    )
    for tab in ("", "/raw", "/raw?format=json", "/history", "/badge", "/relations"):
        page = portal.client.get(f"/catalog/default/component/bad{tab}")
        assert page.status_code == 200, tab
        body = page.text.partition("<main")[2]
        assert "<script>alert" not in body
        assert "</a><b>" not in body
        assert 'x"onclick' not in body
