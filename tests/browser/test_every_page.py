"""Rules that every page and state of the demo keeps, whoever wrote it."""

import pytest
from browsing import visiting
from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# WCAG 1.4.12: no loss with these distances.
SPACING = """* { line-height: 1.5 !important; letter-spacing: .12em !important;
  word-spacing: .16em !important } p { margin-bottom: 2em !important }"""
USELESS = """() => [...document.querySelectorAll('main button')]
  .filter(button => button.checkVisibility({visibilityProperty: true}) && !button.form
    && !button.closest('details:not([open])') && !button.hasAttribute('popovertarget'))
  .map(button => button.outerHTML.slice(0, 100))"""
CUT_OFF = """() => [...document.querySelectorAll(
    'h1, h2, .btn, .pill, .tag, .chip, .seg > *, .nav a')]
  .filter(element => element.checkVisibility() && getComputedStyle(element).overflow !== 'visible'
    && getComputedStyle(element).textOverflow !== 'ellipsis'
    && (element.scrollWidth > element.clientWidth + 1
        || element.scrollHeight > element.clientHeight + 2))
  .map(element => element.outerHTML.slice(0, 120))"""


@pytest.mark.parametrize("width", [1440, 390, 320])
def test_no_fault_and_no_sideways_scroll(
    browser: Browser, demo_address: str, demo_paths: list[str], width: int
) -> None:
    wrong: list[str] = []
    with visiting(browser, demo_address, viewport={"width": width, "height": 800}) as visit:
        for path in demo_paths:
            visit.page.goto(path)
            if visit.page.locator("h1").count() != 1:
                wrong.append(f"{path} has {visit.page.locator('h1').count()} headings of level 1")
            if visit.page.evaluate(OVERFLOW) > 0:
                wrong.append(f"{path} scrolls sideways at {width} px")
        wrong += visit.faults
    assert wrong == [], "\n".join(wrong)


def test_text_may_be_spaced_out(browser: Browser, demo_address: str, demo_paths: list[str]) -> None:
    wrong: list[str] = []
    options = {"viewport": {"width": 390, "height": 800}, "bypass_csp": True}
    with visiting(browser, demo_address, **options) as visit:
        for path in demo_paths:
            visit.page.goto(path)
            visit.page.add_style_tag(content=SPACING)
            if visit.page.evaluate(OVERFLOW) > 0:
                wrong.append(f"{path} scrolls sideways")
            wrong += [f"{path} cuts off {piece}" for piece in visit.page.evaluate(CUT_OFF)]
    assert wrong == [], "\n".join(wrong)


def test_every_page_reads_without_script(
    browser: Browser, demo_address: str, demo_paths: list[str]
) -> None:
    wrong: list[str] = []
    options = {"java_script_enabled": False, "viewport": {"width": 1280, "height": 800}}
    with visiting(browser, demo_address, **options) as visit:
        for path in demo_paths:
            visit.page.goto(path)
            main = visit.page.locator("main")
            shown = main.inner_text()
            if not visit.page.locator("h1").first.is_visible():
                wrong.append(f"{path} shows no heading")
            if len(shown.split()) < 4 and len(shown) < 12:
                wrong.append(f"{path} shows only {shown!r}")
            useless = visit.page.evaluate(USELESS)
            wrong += [f"{path} has a button without use: {button}" for button in useless]
    assert wrong == [], "\n".join(wrong)


def test_focus_is_seen(browser: Browser, demo_address: str) -> None:
    with visiting(browser, demo_address) as visit:
        page = visit.page
        page.goto("/catalog")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "main"
        for _ in range(12):
            page.keyboard.press("Tab")
            style = page.evaluate(
                """() => { const element = document.activeElement;
                const around = element.closest('.find') || element;
                const style = getComputedStyle(around);
                return style.outlineStyle + style.boxShadow
                  + getComputedStyle(element).outlineStyle }"""
            )
            assert "solid" in style or "rgb" in style


def test_nothing_moves_for_those_who_ask(browser: Browser, demo_address: str) -> None:
    with visiting(browser, demo_address, reduced_motion="reduce") as visit:
        visit.page.goto("/")
        moving = "document.getAnimations().filter(item => item.playState === 'running').length"
        assert visit.page.evaluate(moving) == 0
