"""Signing in and out in Chromium, by keyboard and pointer; sessions that end while one works."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import demo_portal, served, visiting
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import delete, func, select, update

from callboard_web.runtime import Runtime
from callboard_web.sessions.models import session

pytestmark = pytest.mark.browser

ENTITY = "/catalog/default/component/order-service"
WORDS = {
    "en": ("Continue as", "Sign out", "You are signed out", "This one", "Sessions"),
    "zh-CN": ("以", "退出登录", "你已退出登录", "当前", "会话"),
}
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """The demo as it is, with its people to sign in as."""
    with demo_portal(tmp_path_factory.mktemp("signing"), signs_in=True) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def place(portal: Runtime) -> Iterator[str]:
    with served(portal) as address:
        yield address


def sign_in(page: Page, path: str = "/", row: int = 0) -> None:
    page.goto(f"/sign-in/demo?next={path}")
    page.locator("ul.rows").first.locator("button").nth(row).click()
    page.wait_for_url(f"**{path}")


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_in_and_out_by_keyboard(browser: Browser, place: str, language: str) -> None:
    begin, out, told, _, _ = WORDS[language]
    with visiting(browser, place, cookies={"language": language}) as visit:
        page = visit.page
        page.goto("/catalog?q=order")
        assert "/sign-in/demo?next=" in page.url
        for _ in range(12):
            page.keyboard.press("Tab")
            if begin in (page.locator(":focus").get_attribute("aria-label") or ""):
                break
        page.keyboard.press("Enter")
        page.wait_for_url("**/catalog?q=order")
        page.locator("#you > summary").focus()
        page.keyboard.press("Enter")
        menu = page.locator("#you .pop")
        expect(menu).to_be_visible()
        page.keyboard.press("Escape")
        expect(menu).to_be_hidden()
        expect(page.locator("#you > summary")).to_be_focused()
        page.keyboard.press("Enter")
        for _ in range(8):
            page.keyboard.press("Tab")
            if page.locator(":focus").inner_text().strip() == out:
                break
        page.keyboard.press("Enter")
        expect(page.locator("h1")).to_have_text(told)
        page.go_back()
        page.wait_for_url("**/sign-in/demo**")
        assert visit.faults == []


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("width", [1440, 390, 320])
def test_the_pages_fit_and_can_be_used_by_everyone(
    browser: Browser, place: str, language: str, width: int
) -> None:
    cookies = {"language": language, "theme": "dark" if width == 390 else "light"}
    size = {"width": width, "height": 900}
    with visiting(browser, place, cookies=cookies, viewport=size) as visit:
        page = visit.page
        for path in ("/sign-in", "/sign-in/demo", "/sign-out", "/sign-in/done"):
            page.goto(path)
            check(page)
        sign_in(page, "/me/sessions", row=4)
        check(page)
        for path in ("/sessions", "/sign-in", "/sign-out", "/sign-in/done", "/me"):
            page.goto(path)
            check(page)
        page.goto("/")
        page.locator("#you > summary").click()
        check(page)
        assert visit.faults == []


def check(page: Page) -> None:
    expect(page.locator("h1")).to_have_count(1)
    assert page.evaluate(WIDER) <= 0, page.url
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}
    found = Axe().run(page, options=options).response["violations"]
    assert found == [], f"{page.url}: {found}"


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_session_is_ended_from_another_device(
    browser: Browser, place: str, language: str
) -> None:
    cookies = {"language": language}
    with (
        visiting(browser, place, cookies=cookies) as here,
        visiting(browser, place, cookies=cookies) as there,
    ):
        sign_in(there.page, "/catalog", row=1)
        sign_in(here.page, "/me/sessions", row=1)
        rows = here.page.locator("tbody tr")
        mine = rows.filter(has_text=WORDS[language][3])
        expect(mine).to_have_count(1)
        others = rows.count() - 1
        rows.filter(has_not_text=WORDS[language][3]).first.get_by_role("button").click()
        expect(rows).to_have_count(others)
        there.page.goto("/catalog")
        there.page.wait_for_url("**/sign-in/demo**")
        here.page.goto("/catalog")
        assert here.page.url.endswith("/catalog")


def let_pass(page: Page, ticks: str, note: str) -> None:
    """Let time pass until a note shows: while the page waits for an answer no timer of it runs."""
    for _ in range(20):
        page.clock.fast_forward(ticks)
        with suppress(AssertionError):
            expect(page.locator(note)).to_be_visible(timeout=1000)
            return
    pytest.fail(f"{note} did not show, however much time passed.")


def test_the_end_of_a_session_is_told_before_and_can_be_put_off(
    browser: Browser, place: str, portal: Runtime
) -> None:
    with visiting(browser, place) as visit:
        page = visit.page
        page.clock.install()
        sign_in(page, ENTITY, row=2)
        with portal.database.write() as connection:
            soon = portal.now() + timedelta(seconds=100)
            connection.execute(update(session).values(ends_at=soon))
        let_pass(page, "08:00:00", "#session-warn")
        with page.expect_response("**/me/session"):
            page.locator("#session-stay").click()
        expect(page.locator("#session-end")).to_be_hidden()
        with portal.database.write() as connection:
            assert connection.scalar(select(func.max(session.c.ends_at))) > soon
            soon = portal.now() + timedelta(seconds=100)
            connection.execute(update(session).values(ends_at=soon, limit_at=soon))
        let_pass(page, "08:00:00", "#session-limit")
        with portal.database.write() as connection:
            connection.execute(delete(session))
        let_pass(page, "02:00", "#session-over")


def test_what_was_written_outlives_the_session(
    browser: Browser, place: str, portal: Runtime
) -> None:
    with visiting(browser, place) as visit:
        page = visit.page
        sign_in(page, "/announcements/new", row=4)
        page.locator("input[name^=title]").first.fill("Tonight")
        with portal.database.write() as connection:
            connection.execute(delete(session))
        page.locator("main form .btn-p").click()
        expect(page.locator("h1")).to_have_text("Sign in to send this")
        with page.context.expect_page() as opened:
            page.get_by_role("link", name="Sign in in a new tab").click()
        tab = opened.value
        tab.locator("ul.rows").first.locator("button").nth(4).click()
        expect(tab.locator("h1")).to_contain_text("You are signed in")
        tab.close()
        page.get_by_role("button", name="Send it again").click()
        page.wait_for_url("**/announcements*")
        expect(page.locator("main")).to_contain_text("Tonight")


def test_a_piece_that_is_asked_for_too_late_leaves_the_page_as_it_is(
    browser: Browser, place: str, portal: Runtime
) -> None:
    with visiting(browser, place) as visit:
        page = visit.page
        sign_in(page, ENTITY)
        with portal.database.write() as connection:
            connection.execute(delete(session))
        page.evaluate("htmx.ajax('POST', '/me/stars', {target: 'h1', values: {ref: 'x'}})")
        expect(page.locator("#again")).to_contain_text("Your session has ended.")
        expect(page.locator("h1")).to_be_visible()
        page.evaluate("htmx.ajax('GET', '/catalog', {target: 'h1'})")
        page.wait_for_url("**/sign-in/demo?next=**order-service")


def test_without_script_one_signs_in_writes_and_signs_out(browser: Browser, place: str) -> None:
    with visiting(browser, place, java_script_enabled=False) as visit:
        page = visit.page
        sign_in(page, ENTITY, row=3)
        page.locator("#you > summary").click()
        page.locator("#you form button").click()
        expect(page.locator("h1")).to_have_text("You are signed out")
        page.goto(ENTITY)
        assert "/sign-in/demo" in page.url
