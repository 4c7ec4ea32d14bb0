"""The pages of sign-in as people meet them: nothing cut off, nothing grave, in both languages."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from browsers import Browser as Person
from browsing import served, visiting
from playwright.sync_api import Browser
from python_provider import PythonProvider, python_provider

from callboard.testing import Clock

pytestmark = pytest.mark.browser

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
AXE = """() => axe.run(document).then(found => found.violations
  .filter(rule => ['critical', 'serious', 'moderate'].includes(rule.impact))
  .map(rule => `${rule.id}: ${rule.nodes[0].html.slice(0, 160)}`))"""
PAGES = (
    "/sign-in", "/sign-ins", "/sign-ins?result=failed", "/sign-ins/1", "/sign-ins/2",
    "/sign-ins/try?of=1", "/sign-in/callback/company?state=x&code=y",
)  # fmt: skip


@pytest.fixture
def server(clock: Clock) -> Iterator[PythonProvider]:
    with python_provider(lambda: clock().timestamp()) as made:
        yield made


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def portal_settings(server: PythonProvider) -> Mapping[str, Any]:
    provider = {
        "name": "company", "title": "Company", "issuer": server.issuer,
        "client_id": server.client_id, "client_secret": server.client_secret,
    }  # fmt: skip
    return {"sign_in": {"providers": [provider]}}


@pytest.mark.parametrize(
    ("language", "theme", "width"), [("en", "light", 1440), ("zh-CN", "dark", 390)]
)
def test_pages_of_sign_in(
    portal: Any, server: PythonProvider, browser: Browser, language: str, theme: str, width: int
) -> None:
    server.claims = {"name": "李伟" * 20, "groups": ["/a/very/long/path/of/groups" * 5, "b"]}
    Person(portal).sign_in(server)
    server.claims = {"aud": "another"}
    Person(portal).sign_in(server)
    cookies = {"language": language, "theme": theme}
    wrong = []
    options: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "bypass_csp": True}
    with (
        served(portal.runtime) as address,
        visiting(browser, address, cookies=cookies, **options) as visit,
    ):
        visit.context.add_init_script(AXE_SCRIPT)
        for path in PAGES:
            visit.page.goto(path)
            found = visit.page.evaluate(AXE)
            if visit.page.evaluate(OVERFLOW) > 0:
                found.append("scrolls sideways")
            wrong += [f"{path}: {fault}" for fault in found]
        visit.page.goto("/sign-ins/try?of=1")
        visit.page.locator("main form button[type=submit]").click()
        visit.page.wait_for_selector("#rules-tried")
        wrong += visit.page.evaluate(AXE)
    assert wrong == [], "\n".join(wrong)
