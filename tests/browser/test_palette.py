"""The command palette in a browser: keys, an input method, completion, and a phone."""

import re

import pytest
from browsing import visiting
from playwright.sync_api import Browser, Page, expect

pytestmark = pytest.mark.browser


def chosen(page: Page) -> str | None:
    return page.locator("#palette-text").get_attribute("aria-activedescendant")


def test_keys(browser: Browser, address: str) -> None:
    with visiting(browser, address) as visit:
        page = visit.page
        page.goto("/")
        page.keyboard.press("/")
        expect(page.locator("#palette")).to_be_visible()
        expect(page.locator("#palette .palette-h").first).to_be_visible()  # before typing
        page.keyboard.type("orde")
        expect(page.locator("#palette [role=option] mark").first).to_be_visible()
        field = page.locator("#palette-text")
        expect(field).to_have_attribute("aria-expanded", "true")
        expect(field).to_have_attribute("aria-activedescendant", "palette-1")
        page.keyboard.press("ArrowDown")
        assert chosen(page) == "palette-2"
        page.keyboard.press("ArrowUp")
        page.keyboard.press("ArrowUp")
        assert page.locator(f"#{chosen(page)}").get_attribute("href") == "/search?q=orde"
        page.keyboard.press("ArrowDown")
        expect(page.locator("#palette [aria-selected=true]")).to_have_id("palette-1")
        target = page.locator("#palette-1").get_attribute("href")
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{target}")
        page.keyboard.press("Control+k")
        page.keyboard.type("order")
        page.keyboard.press("Control+Enter")
        page.wait_for_url("**/search?q=order")
        page.keyboard.press("Control+k")
        expect(page.locator("#palette")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator("#palette")).to_be_hidden()


def test_enter_waits_for_the_answer_to_what_was_typed_last(browser: Browser, address: str) -> None:
    with visiting(browser, address) as visit:
        page = visit.page
        page.goto("/")
        page.keyboard.press("Control+k")
        expect(page.locator("#palette [role=option]").first).to_be_visible()
        page.keyboard.type("order-api")
        page.keyboard.press("Enter")  # the list still shows pages
        page.wait_for_url("**/catalog/default/api/order-api")


def test_tab_completes(browser: Browser, address: str) -> None:
    with visiting(browser, address) as visit:
        page = visit.page
        page.goto("/")
        page.keyboard.press("Control+k")
        field = page.locator("#palette-text")
        page.keyboard.type("own")
        expect(page.locator("#palette [data-completes='owner:']")).to_be_visible()
        page.keyboard.press("Tab")
        expect(field).to_have_value("owner:")
        expect(page.locator("#palette [data-completes='owner:trade-core ']")).to_be_visible()
        page.keyboard.press("Enter")
        expect(field).to_have_value("owner:trade-core ")
        page.keyboard.type("kind:api")
        expect(page.locator("#palette a[href*='/api/order-api']")).to_be_visible()
        expect(field).to_be_focused()


def test_an_input_method_is_waited_for(browser: Browser, address: str) -> None:
    with visiting(browser, address) as visit:
        page = visit.page
        page.goto("/")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.keyboard.press("/")
        client = visit.context.new_cdp_session(page)
        composed = {"text": "ding", "selectionStart": 4, "selectionEnd": 4}
        client.send("Input.imeSetComposition", composed)
        page.wait_for_timeout(400)
        assert not [url for url in asked if "q=ding" in url]
        client.send("Input.insertText", {"text": "订单"})
        expect(page.locator("#palette mark").first).to_have_text("订单")


def test_a_phone_and_a_page_without_script(browser: Browser, address: str) -> None:
    with visiting(browser, address, viewport={"width": 390, "height": 800}) as visit:
        page = visit.page
        page.goto("/")
        page.locator("#find-button").click()
        box = page.locator("#palette").bounding_box()
        assert box is not None
        assert (box["width"], box["height"]) == (390, 800)
        page.locator("#palette-close").click()
        expect(page.locator("#palette")).to_be_hidden()
    with visiting(browser, address, java_script_enabled=False) as visit:
        page = visit.page
        page.goto("/")
        page.locator("#find-text").fill("order")
        page.locator("#find-text").press("Enter")
        page.wait_for_url("**/search?q=order")
        page.locator("#kind-api").check()
        page.locator("#search-form button", has_text="Search").click()
        page.wait_for_url("**/search?q=order&kind=api*")
        expect(page.locator(".results li")).to_have_count(1)


def test_facets_change_the_results_and_the_address(browser: Browser, address: str) -> None:
    with visiting(browser, address) as visit:
        page = visit.page
        page.goto("/search?q=order")
        page.locator("#kind-api").check()
        expect(page.locator(".results li")).to_have_count(1)
        expect(page).to_have_url(re.compile("kind=api"))
        expect(page.locator("#kind-api")).to_be_focused()
        page.locator("#kind-resource").check()
        expect(page.locator("#found .chip")).to_have_count(2)
        page.go_back()
        expect(page.locator("#found .chip")).to_have_count(1)
