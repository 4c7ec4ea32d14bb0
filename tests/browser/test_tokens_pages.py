"""Tokens by the keyboard alone, without JavaScript and with axe, in both languages."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from browsing import served_app, visiting
from journeys import Hands
from playwright.sync_api import Browser, Page, expect
from starlette.testclient import TestClient

from callboard.access.settings import SelectorSettings
from callboard_web.app import create_app
from callboard_web.runtime import Runtime
from callboard_web.testing import sign_in_as
from callboard_web.tokens import secret
from callboard_web.tokens.machines import Machines
from callboard_web.tokens.service import Owner, Wish

pytestmark = pytest.mark.browser

GRAVE = ("critical", "serious", "moderate")
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
LONG = "a-name-that-is-quite-long-and-that-nobody-could-say-in-a-breath"
CATALOG = """
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: payments, title: 支付组 Payments}
spec: {type: team, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: root}
spec: {profile: {displayName: Root}, memberOf: [payments]}
"""
SETTINGS = """
access: {administrators: ["user:root"]}
catalog: {sources: [{name: shop, type: folder, path: shop}]}
"""
PAGES = (
    "/me/tokens", "/me/tokens/new", "/me/tokens/1/rotate", "/tokens", "/tokens?state=revoked",
    "/service-accounts", "/service-accounts/new", "/service-accounts/deployer",
    "/service-accounts/deployer/edit", "/service-accounts/deployer/tokens/new",
)  # fmt: skip


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Serve a portal with tokens; give its address, and the session of an administrator."""
    folder: Path = tmp_path_factory.mktemp("tokens")
    (folder / "shop").mkdir()
    (folder / "shop/catalog-info.yaml").write_text(CATALOG, encoding="utf-8")
    (folder / "callboard.yaml").write_text(SETTINGS, encoding="utf-8")
    runtime = Runtime.open(folder / "callboard.yaml", {"CALLBOARD_PLUGINS": ""})
    runtime.upgrade()
    runtime.start(worker=False, serve=True)
    runtime.engine.read("shop")
    app = create_app(runtime)
    try:
        with served_app(app) as address:
            client = TestClient(app, base_url=address)
            sign_in_as(client, "user:root")
            fill(app.state.machines, runtime)
            yield address, client.cookies["callboard_session"]
    finally:
        runtime.stop()


def fill(machines: Machines, runtime: Runtime) -> None:
    machines.accounts.make("deployer", "Deploys what was released.", None)
    account = machines.accounts.get("deployer")
    mine = Owner(name="person:user:default/root", account=1)
    theirs = Owner(name=account.bound_as, service_account=account.id)
    for owner, name, days in ((mine, LONG, 90), (theirs, "nightly", 0), (theirs, "gone", 30)):
        wish = Wish(
            name=name, purpose=LONG, permissions=("catalog.entity.read", "portal.job.read"),
            selector=SelectorSettings(tag=[LONG]), expires_at=runtime.now() + timedelta(days=days),
        )  # fmt: skip
        machines.tokens.make(owner, wish)
    machines.tokens.revoke(3)


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
def test_every_page_is_accessible(
    browser: Browser, portal: tuple[str, str], language: str, theme: str, width: int
) -> None:
    wrong: list[str] = []
    cookies = {"language": language, "theme": theme, "session": portal[1]}
    viewport = {"width": width, "height": 900}
    with visiting(browser, portal[0], cookies=cookies, viewport=viewport, bypass_csp=True) as visit:
        visit.context.add_init_script(AXE_SCRIPT)
        for path in PAGES:
            visit.page.goto(path)
            wrong += [f"{path}: {fault}" for fault in grave(visit.page)]
            if visit.page.evaluate(OVERFLOW) > 0:
                wrong.append(f"{path} scrolls sideways at {width} px")
            if visit.page.locator("h1").count() != 1:
                wrong.append(f"{path} has no single heading")
        wrong += visit.faults
    assert wrong == [], "\n".join(wrong)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_token_is_made_and_revoked_by_the_keyboard(
    browser: Browser, portal: tuple[str, str], language: str
) -> None:
    cookies = {"language": language, "session": portal[1]}
    with visiting(browser, portal[0], cookies=cookies) as visit:
        page = visit.page
        hands = Hands(page, language, lambda: None)
        page.goto("/")
        hands.find(hands.say("my tokens", "我的令牌"), "/me/tokens")
        hands.past_navigation()
        hands.tab_to(page.locator("main a[href='/me/tokens/new']"))
        hands.press("Enter")
        page.wait_for_url("**/me/tokens/new")
        hands.past_navigation()
        hands.tab_to(page.locator("#f-name"))
        hands.write(f"by-hand-{language}")
        hands.tab_to(page.locator("input[value='catalog.entity.read']"))
        hands.press("Space")
        hands.tab_to(page.locator("main form.form-w button[type=submit]"))
        hands.press("Enter")
        text = page.locator("#token-text")
        expect(text).to_be_visible()
        assert re.fullmatch(secret.PATTERN, text.input_value())
        page.goto("/me/tokens")
        expect(page.locator("main")).to_contain_text(f"by-hand-{language}")
        row = page.locator("tr", has_text=f"by-hand-{language}")
        hands.past_navigation()
        hands.tab_to(row.locator("form button"))
        hands.press("Enter")
        dialog = page.locator("#confirm")
        expect(dialog).to_contain_text(f"by-hand-{language}")
        hands.tab_to(dialog.locator("button[name=confirmed]"))
        hands.press("Enter")
        expect(page.locator("#flash-text")).to_contain_text(f"by-hand-{language}")
        expect(row).to_contain_text(hands.say("Revoked", "已吊销"))
        # The palette leaves a page while it still asks, which the browser tells.
        assert [fault for fault in visit.faults if "tokens" in fault] == []


def test_a_token_is_made_without_javascript(browser: Browser, portal: tuple[str, str]) -> None:
    cookies = {"language": "en", "session": portal[1]}
    with visiting(browser, portal[0], cookies=cookies, java_script_enabled=False) as visit:
        page = visit.page
        page.goto("/me/tokens/new")
        page.fill("#f-name", "plain")
        page.check("input[value='catalog.entity.read']")
        page.check("input[value='chosen']")
        page.fill("#f-system", "checkout")
        page.click("main form.form-w button[type=submit]")
        expect(page.locator("#token-text")).to_have_value(re.compile(secret.PATTERN))
        expect(page.locator("main [data-copy]")).to_be_hidden()
        page.goto("/me/tokens")
        page.locator("tr", has_text="plain").locator("form button").click()
        page.click("button[name=confirmed]")
        expect(page.locator("tr", has_text="plain")).to_contain_text("Revoked")
