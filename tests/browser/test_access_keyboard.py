"""Access by the keyboard alone and with axe: why may I not, and giving a team a role."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from browsing import served_app, visiting
from journeys import Hands
from playwright.sync_api import Browser, Page, expect
from starlette.requests import HTTPConnection

from callboard.entities import EntityRef
from callboard.identity import Principal, Subject
from callboard_web.app import create_app
from callboard_web.runtime import Runtime

pytestmark = pytest.mark.browser

GRAVE = ("critical", "serious", "moderate")
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
LONG = "a-team-with-quite-a-long-name-that-nobody-could-pronounce-in-one-breath"
CATALOG = f"""
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {{name: payments, title: 支付组 Payments}}
spec: {{type: team, children: []}}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {{name: {LONG}}}
spec: {{type: team, children: []}}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {{name: eve}}
spec: {{profile: {{displayName: Eve}}, memberOf: [payments]}}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {{name: root}}
spec: {{profile: {{displayName: Root}}, memberOf: []}}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {{name: ledger, title: 账本 Ledger}}
spec: {{type: service, lifecycle: production, owner: {LONG}}}
"""
SETTINGS = f"""
access:
  administrators: ["user:root"]
  bindings:
    - {{role: maintainer, to: ["group:{LONG}", "service:{LONG}"], on: {{tag: [{LONG}]}}}}
    - {{role: developer, to: ["group:payments"], on: {{kind: [api]}}, effect: deny, note: No APIs.}}
    - {{role: no-such-role, to: [signed-in]}}
catalog: {{sources: [{{name: shop, type: folder, path: shop}}]}}
"""
PAGES = (
    ("eve", "/me/access"),
    ("eve", "/me/access?show=no&entity=ledger"),
    ("eve", "/me/access?permission=catalog.entity.refresh&entity=ledger"),
    ("eve", "/me/access?permission=catalog.entity.refresh"),
    ("eve", "/me/access?permission=refresh&entity=ledger"),
    ("root", "/access"),
    ("root", "/access/role?name=developer"),
    ("root", "/access/bindings"),
    ("root", "/access/bindings?subject=zzz"),
    ("root", "/access/sources"),
    ("root", "/access/explain"),
    ("root", "/access/explain?subject=payments&permission=catalog.entity.refresh&entity=ledger"),
    ("root", "/access/explain?subject=p"),
    ("root", "/access/bindings/new?role=maintainer"),
    ("root", "/access/roles/new"),
)


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Runtime, str]]:
    """Serve a portal where the cookie `callboard_as` says who asks."""
    folder: Path = tmp_path_factory.mktemp("access")
    (folder / "shop").mkdir()
    (folder / "shop/catalog-info.yaml").write_text(CATALOG, encoding="utf-8")
    (folder / "callboard.yaml").write_text(SETTINGS, encoding="utf-8")
    runtime = Runtime.open(folder / "callboard.yaml", {"CALLBOARD_PLUGINS": ""})
    runtime.upgrade()
    runtime.start(worker=False, serve=True)
    runtime.engine.read("shop")
    app = create_app(runtime)

    def credential(connection: HTTPConnection) -> Subject:
        ref = EntityRef.of("user", "default", connection.cookies["callboard_as"])
        title, mine = app.state.portal.personal.above((ref,))
        principal = Principal(kind="person", name=str(ref), entity=ref)
        return Subject(principal=principal, title=title, mine=mine)

    app.state.portal.credentials.insert(0, credential)
    try:
        with served_app(app) as address:
            yield runtime, address
    finally:
        runtime.stop()


def kept(faults: list[str]) -> list[str]:
    """Leave out that a page which is left while it asks for something says that it gave up."""
    return [fault for fault in faults if "console: htmx:" not in fault]


def grave(page: Page) -> list[str]:
    found: dict[str, Any] = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{rule['id']}: {node['html'][:160]}"
        for rule in found["violations"]
        if rule["impact"] in GRAVE
        for node in rule["nodes"][:3]
    ]


@pytest.mark.parametrize(
    ("language", "theme", "width"),
    [("en", "light", 1440), ("zh-CN", "dark", 390), ("en", "dark", 320)],
)
def test_every_page_and_state_is_accessible(
    browser: Browser, portal: tuple[Runtime, str], language: str, theme: str, width: int
) -> None:
    wrong: list[str] = []
    viewport = {"width": width, "height": 900}
    for name in ("eve", "root"):
        cookies = {"language": language, "theme": theme, "as": name}
        with visiting(
            browser, portal[1], cookies=cookies, viewport=viewport, bypass_csp=True
        ) as visit:
            visit.context.add_init_script(AXE_SCRIPT)
            for path in [path for who, path in PAGES if who == name]:
                visit.page.goto(path)
                wrong += [f"{path}: {fault}" for fault in grave(visit.page)]
                if visit.page.evaluate(OVERFLOW) > 0:
                    wrong.append(f"{path} scrolls sideways at {width} px")
                if visit.page.locator("h1").count() != 1:
                    wrong.append(f"{path} has no single heading")
            wrong += visit.faults
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_why_may_i_not(browser: Browser, portal: tuple[Runtime, str], language: str) -> None:
    with visiting(browser, portal[1], cookies={"language": language, "as": "eve"}) as visit:
        page = visit.page
        hands = Hands(page, language, lambda: None)
        page.goto("/")
        hands.find(hands.say("what I may do", "我可以做什么"), "/me/access")
        hands.past_navigation()
        hands.tab_to(page.locator("#ask-permission"))
        hands.write("catalog.entity.refresh")
        hands.tab_to(page.locator("#ask-entity"))
        hands.write("ledger")
        hands.press("Enter")
        answer = page.locator("#answer")
        expect(answer.locator(".pill")).to_have_text(hands.say("Not allowed", "不允许"))
        expect(answer).to_contain_text(
            hands.say("Neither you nor your teams own it", "不归你和你的团队所有")
        )
        expect(answer).to_contain_text("Root")
        assert hands.steps <= 8
        assert kept(visit.faults) == []


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_team_gets_a_role(browser: Browser, portal: tuple[Runtime, str], language: str) -> None:
    runtime, address = portal
    with visiting(browser, address, cookies={"language": language, "as": "root"}) as visit:
        page = visit.page
        hands = Hands(page, language, lambda: None)
        page.goto("/")
        hands.find(hands.say("give a role", "授予角色"), "/access/bindings/new")
        hands.past_navigation()
        hands.tab_to(page.locator("#f-role"))
        hands.press("ArrowDown", "ArrowDown", "ArrowDown")
        hands.tab_to(page.locator("#f-more"))
        hands.write("payments")
        hands.press("Enter")  # adds, and comes back to the field
        expect(page.locator("input[name=to][value='group:default/payments']")).to_be_checked()
        expect(page.locator("#f-more")).to_be_focused()
        hands.tab_to(page.locator("button[value=save]"))
        hands.press("Enter")
        page.wait_for_url("**/access/bindings")
        expect(page.locator("#flash-text")).to_contain_text("支付组 Payments")
        assert hands.steps <= 18
        policy = runtime.services.access.policy
        (made,) = [item for item in policy.bindings if item.number]
        assert (made.role, set(made.subjects)) == ("maintainer", {"group:default/payments"})
        # It is taken back by the keyboard as well.
        hands.tab_to(page.locator(".toast form button"), key="Shift+Tab")
        hands.press("Enter")
        expect(page.locator("#flash-text")).to_contain_text(
            hands.say("It is as it was before.", "已恢复原状。")
        )
        assert not [item for item in runtime.services.access.policy.bindings if item.number]
        assert kept(visit.faults) == []


def test_without_script(browser: Browser, portal: tuple[Runtime, str]) -> None:
    runtime, address = portal
    options = {"java_script_enabled": False, "cookies": {"as": "root"}}
    with visiting(browser, address, **options) as visit:
        page = visit.page
        page.goto("/access/bindings/new?role=viewer")
        page.fill("#f-more", "eve")
        page.check("input[value=deny]")
        page.click("button[value=save]")
        expect(page.locator("h1")).to_have_text("Forbid it?")
        page.click("button[name=confirmed]")
        expect(page.locator("tbody tr", has_text="Forbids")).to_have_count(2)
        page.locator("a[href^='/access/bindings/'].btn-s").click()
        page.click("button.btn-d")
        expect(page.locator("h1")).to_have_text("Remove this binding?")
        page.click("button[name=confirmed]")
        expect(page.locator("tbody tr", has_text="Forbids")).to_have_count(1)
    assert not [item for item in runtime.services.access.policy.bindings if item.number]
