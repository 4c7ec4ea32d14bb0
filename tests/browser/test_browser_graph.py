"""The picture of relations is walked with the keyboard, enlarged, and read without script."""

import pytest
from browsing import Visit
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.browser

RELATIONS = "/catalog/default/component/order-service/relations"
FOCUSED = "document.activeElement.querySelector('title')?.textContent"
WIDTH = "document.querySelector('.graph-area > svg').getBoundingClientRect().width"
STOPS = "[...document.querySelectorAll('.graph a[data-n]')].filter(a => a.tabIndex === 0).length"


def test_arrows_walk_along_lines_and_columns(browser: Browser, address: str) -> None:
    visit = Visit(browser, address)
    page = visit.page
    page.goto(f"{RELATIONS}?depth=2")
    assert page.evaluate(STOPS) == 1
    page.locator(".graph-area").focus()
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUSED) == "订单服务 Order Service"
    page.keyboard.press("ArrowRight")
    right = page.evaluate(FOCUSED)
    assert right not in (None, "订单服务 Order Service")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Home")
    assert page.evaluate(FOCUSED) == "订单服务 Order Service"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(FOCUSED) in ("Trade Core", "Shop")
    assert page.evaluate(STOPS) == 1
    with page.expect_navigation():
        page.keyboard.press("Enter")
    assert "/relations" not in page.url
    assert visit.faults == []
    visit.context.close()


def test_the_picture_is_enlarged_by_keys_and_buttons(browser: Browser, address: str) -> None:
    visit = Visit(browser, address)
    page = visit.page
    page.goto(RELATIONS)
    before = page.evaluate(WIDTH)
    page.get_by_role("button", name="Zoom in").click()
    larger = page.evaluate(WIDTH)
    assert larger > before
    page.locator(".graph-area").focus()
    page.keyboard.press("-")
    page.keyboard.press("-")
    assert page.evaluate(WIDTH) < before
    assert visit.faults == []
    visit.context.close()


def test_without_script_every_box_is_a_link(browser: Browser, address: str) -> None:
    visit = Visit(browser, address, java_script_enabled=False)
    page = visit.page
    page.goto(RELATIONS)
    boxes = page.locator(".graph a[data-n]")
    assert boxes.count() > 3
    expect(page.locator(".graph-tools")).to_be_hidden()
    boxes.first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_count(1)
    visit.context.close()
