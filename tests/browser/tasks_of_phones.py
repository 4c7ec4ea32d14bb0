"""What is done with a finger on a screen of 390 px, and by clicks on pages without script."""

import re
from collections.abc import Callable
from typing import Final

from playwright.sync_api import Page, expect

ORDER: Final = "/catalog/default/component/order-service"


def find(page: Page) -> None:
    page.locator("#find-button").tap()
    expect(page.locator("#palette-text")).to_be_focused()
    page.keyboard.insert_text("zfwg")
    # What is offered before anything is typed is there for a moment longer.
    page.locator("#palette-1[href$='/payment-gateway']").tap()
    page.wait_for_url("**/catalog/default/component/payment-gateway")


def menu(page: Page) -> None:
    page.locator("#menu-button").tap()
    page.locator("#side .nav a[href='/teams']").tap()
    page.wait_for_url("**/teams")
    page.locator("main a[href='/catalog/default/group/payments']").tap()
    expect(page.locator("h1")).to_contain_text("支付组")


def owner(page: Page) -> None:
    page.goto(ORDER)
    page.locator(".facts a[href='/catalog/default/group/trade-core']").tap()
    expect(page.locator("h1")).to_contain_text("交易核心组")


def star(page: Page) -> None:
    page.goto(ORDER)
    page.locator("#star").tap()
    expect(page.locator("#star")).to_have_attribute("aria-pressed", "true")


def read(page: Page) -> None:
    page.goto(ORDER)
    page.locator(f".tabs a[href='{ORDER}/docs']").tap()
    page.wait_for_url(f"**{ORDER}/docs")
    page.locator("main a[href$='/docs/design/states']:visible").first.tap()
    page.wait_for_url("**/docs/design/states")
    expect(page.locator("main")).to_contain_text("状态")


def operation(page: Page) -> None:
    page.goto("/catalog/default/api/order-api/apis")
    page.locator("main a[href$='/apis/operation/placeOrder']:visible").first.tap()
    page.wait_for_url("**/apis/operation/placeOrder")


def walk(page: Page) -> None:
    page.goto(f"{ORDER}/relations")
    page.locator(".graph a[data-a]").first.tap()
    expect(page.locator("h1")).not_to_contain_text("订单服务 Order Service")


def narrow(page: Page) -> None:
    page.goto("/catalog")
    page.locator(".facets-open").tap()
    page.locator("#lifecycle-deprecated").tap()
    expect(page.locator("#list .chip")).to_have_count(1)
    page.locator(".facets-done a").tap()
    expect(page.locator("#list th a").first).to_be_in_viewport()


def problem(page: Page) -> None:
    page.goto("/sources/payments-monorepo")
    page.locator(".problem a[href^='/problems/lines']").first.tap()
    expect(page.locator(".excerpt").first).to_contain_text("Month End")


def say_who(page: Page) -> None:
    page.goto("/")
    page.locator("#home-who").tap()
    expect(page.locator("#home-who")).to_be_focused()
    page.keyboard.insert_text("sunyue")
    page.locator("#home-people button").tap()
    expect(page.locator(".top a[href='/me']")).to_have_attribute("title", re.compile("孙悦"))


def arrange(page: Page) -> None:
    page.goto("/me/home")
    page.locator("button[name='hide']").first.tap()
    expect(page.locator("button[name='show']")).to_have_count(1)


def language(page: Page) -> None:
    page.goto("/")
    other = {"en": "zh-CN", "zh-CN": "en"}[page.locator("html").get_attribute("lang") or ""]
    page.locator("#menu-button").tap()
    page.locator(".nav-more").tap()
    page.locator(f"#display-page button[value='{other}']").tap()
    expect(page.locator("html")).to_have_attribute("lang", other)


PHONE: Final[tuple[Callable[[Page], None], ...]] = (
    find, menu, owner, star, read, operation, walk, narrow, problem, say_who, arrange, language,
)  # fmt: skip


def plain_search(page: Page) -> None:
    page.goto("/")
    page.locator("#find-text").fill("支付网关")
    page.locator("#find-text").press("Enter")
    page.locator(".results a[href='/catalog/default/component/payment-gateway']").click()
    expect(page.locator("h1")).to_contain_text("支付网关")


def plain_star(page: Page) -> None:
    page.goto(ORDER)
    page.locator("#star").click()
    expect(page.locator("#star")).to_have_attribute("aria-pressed", "true")
    page.goto("/me")
    expect(page.locator("main")).to_contain_text("订单服务 Order Service")


def plain_who(page: Page) -> None:
    page.goto("/")
    page.locator("#home-who").fill("sunyue")
    page.locator("#home-who").press("Enter")
    page.locator("#people button").click()
    expect(page.locator(".top a[href='/me']")).to_have_attribute("title", re.compile("孙悦"))


def plain_narrow(page: Page) -> None:
    page.goto("/catalog")
    page.locator("#lifecycle-deprecated").check()
    page.locator("#filters noscript button, #filters button[type=submit]").first.click()
    expect(page.locator("#list .chip")).to_have_count(1)


def plain_view(page: Page) -> None:
    page.goto("/views/new?kind=api")
    page.locator("#f-name").fill("Plain APIs")
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator("#views")).to_contain_text("Plain APIs")


def plain_lines(page: Page) -> None:
    page.goto("/sources/payments-monorepo")
    page.locator(".problem a[href^='/problems/lines']").first.click()
    expect(page.locator("main")).to_contain_text("Month End")


def plain_arrange(page: Page) -> None:
    page.goto("/me/home")
    page.locator("button[name='hide']").first.click()
    expect(page.locator("button[name='show']")).to_have_count(1)


def plain_language(page: Page) -> None:
    page.goto("/me")
    page.locator("#preferences button[value='zh-CN']").click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")


def plain_announcement(page: Page) -> None:
    page.goto("/announcements/new")
    page.locator("#f-title-en").fill("Written without script")
    page.locator("main form button[type=submit]").first.click()
    expect(page.locator(".announcements")).to_contain_text("Written without script")
    page.locator("form[action$='/withdraw'] button").first.click()
    expect(page.locator(".announcements")).to_have_count(0)


PLAIN: Final[tuple[Callable[[Page], None], ...]] = (
    plain_search, plain_star, plain_who, plain_narrow, plain_view, plain_lines, plain_arrange,
    plain_announcement, plain_language,
)  # fmt: skip
