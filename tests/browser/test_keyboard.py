"""The keyboard alone: single keys, sequences, rows, and when they are silent."""

import pytest
from browsing import visiting
from playwright.sync_api import Browser, expect

pytestmark = pytest.mark.browser


def test_sequences_lead_to_the_pages_of_navigation(browser: Browser, demo_address: str) -> None:
    with visiting(browser, demo_address) as visit:
        page = visit.page
        page.goto("/")
        links = page.locator(".nav [data-go]").evaluate_all(
            "links => links.map(link => [link.dataset.go, link.pathname])"
        )
        assert ["c", "/catalog"] in links
        for letter, path in [link for link in links if link[1] != "/"][:5]:
            page.keyboard.press("g")
            page.keyboard.press(letter)
            page.wait_for_url(f"**{path}")
        before = page.url
        page.keyboard.press("g")
        page.wait_for_timeout(1100)
        page.keyboard.press("h")
        page.wait_for_timeout(300)
        assert page.url == before, "the sequence has ended after a second"


def test_rows(browser: Browser, demo_address: str) -> None:
    with visiting(browser, demo_address) as visit:
        page = visit.page
        page.goto("/catalog")
        focused = "document.activeElement.textContent"
        names = page.locator("#list tbody th a").all_inner_texts()
        page.keyboard.press("j")
        assert page.evaluate(focused) == names[0]
        page.keyboard.press("j")
        assert page.evaluate(focused) == names[1]
        page.keyboard.press("k")
        page.keyboard.press("ArrowDown")
        assert page.evaluate(focused) == names[1]
        page.keyboard.press("End")
        assert page.evaluate(focused) == names[-1]
        stops = page.locator("#list tbody th a:not([tabindex='-1'])")
        expect(stops).to_have_count(1)
        page.keyboard.press("Home")
        page.keyboard.press("Enter")
        page.wait_for_url("**/catalog/default/component/*")
        page.keyboard.press("]")
        page.wait_for_url("**/catalog/default/component/*/*")
        page.keyboard.press("[")
        expect(page.locator(".tabs a").first).to_have_attribute("aria-current", "page")
        assert visit.faults == []


def test_the_list_of_keys(browser: Browser, demo_address: str) -> None:
    with visiting(browser, demo_address) as visit:
        page = visit.page
        page.goto("/catalog")
        page.keyboard.press("?")
        expect(page.locator("#shortcuts")).to_be_visible()
        expect(page.locator("#shortcuts-go + dl")).to_contain_text("Catalog")
        page.keyboard.press("g")
        page.keyboard.press("h")
        assert page.url.endswith("/catalog"), "keys are silent under a dialog"
        page.keyboard.press("Escape")
        expect(page.locator("#shortcuts")).to_be_hidden()


def test_keys_are_silent_while_typing_and_when_switched_off(
    browser: Browser, demo_address: str
) -> None:
    with visiting(browser, demo_address) as visit:
        page = visit.page
        page.goto("/catalog")
        page.locator("#catalog-text").focus()
        page.keyboard.type("gh?")
        expect(page.locator("#catalog-text")).to_have_value("gh?")
        expect(page.locator("#shortcuts")).to_be_hidden()
        page.locator("#catalog-text").fill("")
        page.keyboard.press("Escape")
        expect(page.locator("#catalog-text")).not_to_be_focused()
    with visiting(browser, demo_address, cookies={"keys": "off"}) as visit:
        page = visit.page
        page.goto("/catalog")
        page.keyboard.press("?")
        expect(page.locator("#shortcuts")).to_be_hidden()
        page.keyboard.press("Control+k")
        expect(page.locator("#palette")).to_be_visible()
        page.keyboard.press("Escape")
        page.locator("#shortcuts-button").click()
        expect(page.locator("#shortcuts-off")).to_be_visible()
