"""A form that is rejected, in Chromium: it is drawn again, and the reasons have the focus."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from browsing import served, start_browser, visiting
from playwright.sync_api import Browser, expect, sync_playwright

if TYPE_CHECKING:
    from callboard_web.testing import PortalUnderTest

pytestmark = pytest.mark.browser


@pytest.fixture
def portal_plugins() -> list[str]:
    return ["apis"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = start_browser(playwright)
        yield started
        started.close()


def test_a_rejected_comparison_says_why_and_keeps_what_was_typed(
    browser: Browser, portal: "PortalUnderTest"
) -> None:
    with served(portal.runtime) as address, visiting(browser, address) as visit:
        page = visit.page
        page.goto("/apis/compare")
        for _again in range(2):
            page.fill("#f-api", "api:default/nope")
            page.fill("#f-text", "openapi: 3.0.0")
            with page.expect_response(lambda answer: answer.request.method == "POST") as sent:
                page.click("main form [type=submit]")
            assert sent.value.status == 422
            reasons = page.locator("#form-errors")
            expect(reasons).to_be_focused()
            expect(reasons).to_contain_text("There is no such API")
            expect(page.locator("#f-api")).to_have_value("api:default/nope")
            expect(page.locator("#f-text")).to_have_value("openapi: 3.0.0")
        assert [fault for fault in visit.faults if "422" not in fault] == []
