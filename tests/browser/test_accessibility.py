"""axe-core on every page and state: nothing serious or moderate (WCAG 2.2 AA and good practice)."""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from browsing import served, visiting
from failing import PATHS, failing_portal
from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

PARTS = 4
"""Pages are so many that they are looked at in parts, none of which takes long."""
GRAVE = ("critical", "serious", "moderate")
RULES = {"resultTypes": ["violations"], "runOnly": [
    "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice",
]}  # fmt: skip
CONTRAST = {"resultTypes": ["violations"], "runOnly": ["color-contrast"]}
THEME = "theme => document.documentElement.dataset.theme = theme"


def faults(page: Page, options: dict[str, Any]) -> list[str]:
    """Give what axe finds, as `rule: the element`."""
    found = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{rule['id']}: {node['html'][:160]}"
        for rule in found["violations"]
        if rule["impact"] in GRAVE
        for node in rule["nodes"][:3]
    ]


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize(
    ("language", "theme", "other", "width"),
    [("en", "light", "dark", 1440), ("zh-CN", "dark", "light", 390)],
    ids=["en-wide", "zh-narrow"],
)
def test_nothing_grave_on_any_page(
    browser: Browser, demo_address: str, demo_paths: list[str], language: str, theme: str,
    other: str, width: int, part: int,
) -> None:  # fmt: skip
    assert len(demo_paths) > PARTS
    cookies = {"language": language, "theme": theme}
    wrong: list[str] = []
    options: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "bypass_csp": True}
    with visiting(browser, demo_address, cookies=cookies, **options) as visit:
        visit.context.add_init_script(AXE_SCRIPT)
        for path in demo_paths[part::PARTS]:
            visit.page.goto(path)
            found = faults(visit.page, RULES)
            visit.page.evaluate(THEME, other)
            found += [f"{other}: {fault}" for fault in faults(visit.page, CONTRAST)]
            wrong += [f"{path}: {fault}" for fault in found]
    assert wrong == [], "\n".join(wrong)


def test_nothing_grave_where_plugins_fail(browser: Browser, tmp_path: Path) -> None:
    wrong: list[str] = []
    with (
        failing_portal(tmp_path) as runtime,
        served(runtime) as address,
        visiting(browser, address, bypass_csp=True) as visit,
    ):
        visit.context.add_init_script(AXE_SCRIPT)
        for path in PATHS:
            visit.page.goto(path)
            wrong += [f"{path}: {fault}" for fault in faults(visit.page, RULES)]
    assert wrong == [], "\n".join(wrong)


def test_nothing_grave_in_what_opens(browser: Browser, demo_address: str) -> None:
    wrong: list[str] = []
    with visiting(browser, demo_address, bypass_csp=True) as visit:
        visit.context.add_init_script(AXE_SCRIPT)
        page = visit.page
        page.goto("/catalog")
        page.keyboard.press("?")
        page.locator("#shortcuts").wait_for(state="visible")
        wrong += faults(page, RULES)
        page.keyboard.press("Escape")
        page.keyboard.press("/")
        page.keyboard.type("order")
        page.locator("#palette [role=option]").first.wait_for()
        wrong += faults(page, RULES)
        page.keyboard.press("Escape")
        page.locator("#display summary").click()
        wrong += faults(page, RULES)
    assert wrong == [], "\n".join(wrong)
