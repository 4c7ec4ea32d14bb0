"""Chromium walks every page: both languages, both themes, wide and narrow, without script."""

import re
from pathlib import Path
from typing import Any

import pytest
from browsing import Visit
from playwright.sync_api import Browser, Route, expect

from callboard_web.runtime import Runtime

pytestmark = pytest.mark.browser

ENTITY = "/catalog/default/component/order-service"
PAGES = (
    "/", "/catalog", "/catalog?kind=all&tag=generated&q=part", "/catalog?q=zzz", ENTITY,
    f"{ENTITY}/relations", f"{ENTITY}/raw", f"{ENTITY}/sample.extra",
    "/catalog/default/group/trade-core", "/catalog/default/api/order-api",
    "/search?q=order", "/sources", "/sources/shop", "/sources/gone", "/problems", "/jobs",
    "/jobs/1",
    "/plugins", "/plugins/sample", "/navigation", "/sample/things/a", "/nope",
    "/catalog/default/component/nope",
)  # fmt: skip

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
NAMELESS = """() => [...document.querySelectorAll('a, button, input:not([type=hidden]), select')]
  .filter(element => element.checkVisibility())
  .filter(element => !(element.textContent.trim() || element.ariaLabel || element.title
    || (element.labels && element.labels.length)))
  .map(element => element.outerHTML.slice(0, 120))"""
CUT_OFF = """() => [...document.querySelectorAll('h1, .btn, .pill, .seg > a')]
  .filter(element => element.checkVisibility() && element.scrollWidth > element.clientWidth + 1)
  .map(element => element.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_walk(browser: Browser, address: str, language: str, theme: str, width: int) -> None:
    cookies = {"language": language, "theme": theme}
    visit = Visit(browser, address, viewport={"width": width, "height": 900}, cookies=cookies)
    for path in PAGES:
        visit.page.goto(path)
        expect(visit.page.locator("html")).to_have_attribute("lang", language)
        expect(visit.page.locator("html")).to_have_attribute("data-theme", theme)
        expect(visit.page.locator("h1")).to_have_count(1)
        assert visit.page.evaluate(OVERFLOW) <= 0, f"{path} scrolls sideways at {width} px"
        assert visit.page.evaluate(NAMELESS) == [], f"{path} has something without a name"
        assert visit.page.evaluate(CUT_OFF) == [], f"{path} cuts something off"
    assert visit.faults == []
    visit.context.close()


@pytest.mark.parametrize("width", [320, 768, 1024, 1180])
def test_no_page_scrolls_sideways(browser: Browser, address: str, width: int) -> None:
    visit = Visit(browser, address, viewport={"width": width, "height": 800})
    for path in PAGES:
        visit.page.goto(path)
        assert visit.page.evaluate(OVERFLOW) <= 0, f"{path} scrolls sideways at {width} px"
    visit.context.close()


def test_filters_change_list_address_and_focus(browser: Browser, address: str) -> None:
    visit = Visit(browser, address)
    page = visit.page
    page.goto("/catalog")
    page.locator("#filters").get_by_label("library").check()
    expect(page.locator("#list .chip")).to_have_count(1)
    expect(page).to_have_url(f"{address}/catalog?type=library")
    expect(page.locator("#type-library")).to_be_focused()
    expect(page.locator("#say")).to_have_text("60 results")
    page.locator("#catalog-text").fill("part-00")
    expect(page.locator("#list tbody tr")).to_have_count(10)
    expect(page).to_have_url(f"{address}/catalog?q=part-00&type=library")
    page.get_by_role("link", name="Name").click()
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "descending")
    page.go_back()
    expect(page.locator("th[aria-sort]")).to_have_attribute("aria-sort", "ascending")
    expect(page.locator("h1")).to_have_text("Catalog")
    page.get_by_role("link", name="Clear all").click()
    expect(page.locator("#list .chip")).to_have_count(0)
    page.locator("#next-page").click()
    expect(page.locator(".pager")).to_contain_text("51–61 of 61")
    assert visit.faults == []
    visit.context.close()


def test_a_request_that_fails_is_told_as_a_fault(browser: Browser, address: str) -> None:
    """What these tests expect on the console hides no failure."""
    visit = Visit(browser, address)
    page = visit.page
    page.goto("/catalog")
    page.route(re.compile(r"/catalog\?"), lambda route: route.abort("connectionrefused"))
    with page.expect_console_message(lambda message: "net::ERR" in message.text):
        page.locator("#filters").get_by_label("library").check()
    assert any("net::ERR_CONNECTION_REFUSED" in fault for fault in visit.faults)
    visit.context.close()


def test_filters_on_a_phone(browser: Browser, address: str) -> None:
    visit = Visit(browser, address, viewport={"width": 390, "height": 844})
    page = visit.page
    page.goto("/catalog")
    expect(page.locator("#filters")).to_be_hidden()
    page.get_by_role("link", name="Filters").click()
    page.locator("#filters").get_by_label("library").check()
    expect(page.locator("#list .chip")).to_have_count(1)
    page.get_by_role("link", name="Show the list").click()
    expect(page.locator("#filters")).to_be_hidden()
    visit.context.close()


def test_drawer(browser: Browser, address: str) -> None:
    visit = Visit(browser, address, viewport={"width": 390, "height": 844})
    page = visit.page
    page.goto("/")
    button = page.locator("#menu-button")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    expect(page.locator("#side .nav a").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(button).to_be_focused()
    expect(page.locator("#side")).to_be_hidden()
    visit.context.close()


def test_theme_and_language_are_chosen(browser: Browser, address: str) -> None:
    visit = Visit(browser, address, color_scheme="dark", locale="en-GB")
    page = visit.page
    page.goto("/catalog?type=library")
    background = "getComputedStyle(document.body).backgroundColor"
    assert page.evaluate(background) == "rgb(16, 19, 22)", "auto follows the system"
    page.locator("#display summary").click()
    page.get_by_role("button", name="Light", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    assert page.evaluate(background) == "rgb(255, 255, 255)"
    page.get_by_role("button", name="中文").click()
    expect(page.locator("h1")).to_have_text("服务目录")
    expect(page).to_have_url(f"{address}/catalog?type=library")
    assert visit.faults == []
    visit.context.close()


def test_time_zone_of_the_browser(browser: Browser, address: str) -> None:
    visit = Visit(browser, address, timezone_id="Asia/Shanghai")
    visit.page.goto("/")
    visit.page.reload()
    expect(visit.page.locator("time").first).to_have_attribute("title", _ends("Asia/Shanghai"))
    visit.context.close()


def _ends(text: str) -> Any:
    return re.compile(f"{re.escape(text)}$")


def test_failed_card_can_be_tried_again(browser: Browser, address: str) -> None:
    visit = Visit(browser, address)
    page = visit.page
    page.goto(ENTITY)
    card = page.locator("#card-sample-raising")
    before = card.locator(".mono").text_content()
    card.get_by_role("link", name="Try again").click()
    expect(card.locator(".mono")).not_to_have_text(str(before))
    assert visit.faults == []
    visit.context.close()


def test_reading_works_without_script(browser: Browser, address: str) -> None:
    visit = Visit(
        browser, address, java_script_enabled=False, viewport={"width": 390, "height": 844}
    )
    page = visit.page
    page.goto("/")
    page.locator("#menu-button").click()
    expect(page.locator("h1")).to_have_text("Navigation")
    page.get_by_label("All pages").get_by_role("link", name="Catalog").click()
    page.get_by_role("link", name="Filters").click()
    page.locator("#filters").get_by_label("library").check()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator("#list .chip")).to_have_count(1)
    page.get_by_role("link", name="part-000").click()
    expect(page.locator("h1")).to_have_text("part-000")
    page.goto("/navigation")
    page.get_by_role("button", name="Dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    visit.context.close()


def test_a_change_appears_without_reload(
    browser: Browser, address: str, portal_runtime: Runtime
) -> None:
    visit = Visit(browser, address)
    page = visit.page
    page.goto(ENTITY)
    other = visit.context.new_page()
    other.goto("/catalog")
    expect(page.locator("#live-dot")).to_have_text("Live")
    expect(other.locator("#live-dot")).to_have_text("Live")
    page.evaluate("window.kept = true")
    _change(portal_runtime, "Takes orders", "Accepts orders")
    expect(page.locator(".description")).to_contain_text("Accepts orders", timeout=15_000)
    expect(other.locator("#list")).to_contain_text("Accepts orders")
    assert page.evaluate("window.kept") is True
    # What is being read does not move: a notice asks first.
    page.locator(".tabs a").first.focus()
    _change(portal_runtime, "Accepts orders", "Takes orders")
    page.get_by_role("button", name="Show").click()
    expect(page.locator(".description")).to_contain_text("Takes orders")
    assert visit.faults == []
    visit.context.close()


def test_a_page_beside_another_hears_what_changed_while_it_was_loaded(
    browser: Browser, address: str, portal_runtime: Runtime
) -> None:
    visit = Visit(browser, address)
    visit.page.goto(ENTITY)
    expect(visit.page.locator("#live-dot")).to_have_text("Live")

    def late(route: Route) -> None:
        drawn = route.fetch()
        _change(portal_runtime, "Takes orders", "Accepts orders")
        # By now everybody who listens was told.
        expect(visit.page.locator(".description")).to_contain_text("Accepts orders")
        route.fulfill(response=drawn)

    other = visit.context.new_page()
    other.route(f"**{ENTITY}", late, times=1)
    other.goto(ENTITY, wait_until="commit")
    expect(other.locator(".description")).to_contain_text("Accepts orders")
    _change(portal_runtime, "Accepts orders", "Takes orders")
    assert visit.faults == []
    visit.context.close()


def _change(runtime: Runtime, before: str, after: str) -> None:
    path = Path(runtime.base) / "shop" / "catalog-info.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace(before, after), encoding="utf-8")
    runtime.jobs.submit(None, "catalog", "refresh", {"source": "shop"}, key="shop")
    runtime.jobs.run_once()
