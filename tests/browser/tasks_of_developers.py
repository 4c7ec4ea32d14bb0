"""What someone new does: find things, read them, follow them, and make the portal theirs."""

import re
from typing import Final

from journeys import Hands, task
from playwright.sync_api import expect

ORDER: Final = "/catalog/default/component/order-service"
ORDER_API: Final = "/catalog/default/api/order-api"
ME: Final = "button[aria-label*='孙悦']"


@task("Say who you are", 5)
def say_who(hands: Hands) -> None:
    page = hands.page
    hands.press("f")
    expect(page.locator("#home-who")).to_be_focused()
    hands.write("sunyue")
    expect(page.locator("#home-people button")).to_have_count(1)
    hands.tab_to(page.locator(f"#home-people {ME}"))
    hands.press("Enter")
    expect(page.locator(".top a[href='/me']")).to_have_attribute("title", re.compile("孙悦"))


@task("Find a service", 2)
def find_service(hands: Hands) -> None:
    hands.find(hands.say("order service", "订单服务"), ORDER)
    expect(hands.page.locator("h1")).to_contain_text("订单服务 Order Service")


@task("Find a service by the initials of its pinyin", 2)
def find_by_pinyin(hands: Hands) -> None:
    hands.find("zfwg", "/catalog/default/component/payment-gateway")


@task("Search with operators, with all results on a page", 2)
def search_with_operators(hands: Hands) -> None:
    hands.press("/")
    hands.write("owner:trade-core kind:api")
    hands.press("Control+Enter")
    expect(hands.page.locator(".results a[href='/catalog/default/api/order-api']")).to_be_visible()


@task("Open who owns a service", 3)
def owner(hands: Hands) -> None:
    hands.find("order-service", ORDER)
    hands.press("o")
    expect(hands.page.locator("h1")).to_contain_text("Trade Core")


@task("Star a service", 4)
def star(hands: Hands) -> None:
    hands.find("order-service", ORDER)
    hands.press("s", "Enter")
    expect(hands.page.locator("#star")).to_have_attribute("aria-pressed", "true")


@task("Read the documentation of a service", 3)
def documentation(hands: Hands) -> None:
    hands.find("order-service", ORDER)
    hands.next_tabs(f"{ORDER}/docs")
    expect(hands.page.locator("main")).to_contain_text("状态机")


@task("Find a passage of documentation", 2)
def passage(hands: Hands) -> None:
    hands.press("/")
    hands.write("in:docs 状态机")
    expect(hands.page.locator("#palette-results mark").first).to_be_visible()
    hands.press("Enter")
    hands.page.wait_for_url("**/docs/**")


@task("Read an operation of an API", 2)
def operation(hands: Hands) -> None:
    hands.find("placeOrder POST", f"{ORDER_API}/apis/operation/placeOrder")
    expect(hands.page.locator("main")).to_contain_text("/v2/orders")


@task("See what a new version of an API breaks", 6)
def changes(hands: Hands) -> None:
    page = hands.page
    hands.find("order-api", ORDER_API)
    hands.next_tabs(f"{ORDER_API}/apis")
    hands.press("f")
    hands.tab_to(page.locator(f"main a[href='{ORDER_API}/apis/changes']"), "Shift+Tab")
    hands.press("Enter")
    expect(page.locator("main")).to_contain_text(hands.say("breaking", "不兼容"))


@task("See what refers to a service", 2)
def used_by(hands: Hands) -> None:
    hands.find("payment service", "/catalog/default/component/payment-service")
    expect(hands.page.locator("main")).to_contain_text("订单服务 Order Service")


@task("See what may break when a service breaks", 13)
def breaks(hands: Hands) -> None:
    page = hands.page
    hands.find("sm-crypto kind:component", "/catalog/default/component/sm-crypto")
    hands.next_tabs("/catalog/default/component/sm-crypto/relations")
    hands.press("w")
    hands.tab_to(page.locator("select[name='direction']"), "Shift+Tab")
    hands.press("End")
    expect(page).to_have_url(re.compile("direction="))
    expect(page.locator("main")).to_contain_text("Order Service")


@task("Walk the graph to a neighbour", 6)
def walk(hands: Hands) -> None:
    page = hands.page
    hands.find("order-service", ORDER)
    hands.press("w", "Tab", "ArrowRight", "Enter")
    expect(page.locator("h1")).not_to_contain_text("订单服务 Order Service")


@task("See what changed in a file", 5)
def history(hands: Hands) -> None:
    hands.find("order-service", ORDER)
    hands.next_tabs(f"{ORDER}/history")
    expect(hands.page.locator("main")).to_contain_text("Move the list of orders")


@task("Copy the reference of a service", 5)
def copy(hands: Hands) -> None:
    page = hands.page
    hands.find("order-service", ORDER)
    hands.press("m", "Tab", "Enter")
    expect(page.locator("#say")).not_to_be_empty()


@task("Find what was opened last", 2)
def recent(hands: Hands) -> None:
    page = hands.page
    hands.press("/")
    expect(page.locator("#palette [role=option]").first).to_be_visible()
    hands.press("Enter")
    page.wait_for_url("**/catalog/default/**")


@task("Hide a part of the home page, and have it back", 10)
def arrange(hands: Hands) -> None:
    page = hands.page
    hands.find(hands.say("arrange the home page", "调整首页布局"), "/me/home")
    hands.past_navigation()
    button = page.locator("button[name='hide']").first
    key = button.get_attribute("id")
    hands.tab_to(page.locator(f"#{key}"))
    hands.press("Enter")
    expect(page.locator(f"#{key}")).to_have_attribute("name", "show")
    expect(page.locator(f"#{key}")).to_be_focused()
    hands.press("Enter")
    expect(page.locator(f"#{key}")).to_have_attribute("name", "hide")


@task("Change the theme", 8)
def theme(hands: Hands) -> None:
    page = hands.page
    hands.find(hands.say("theme and time zone", "语言、主题和时区"), "/me#preferences")
    hands.tab_to(page.locator("#preferences button[value='dark']"))
    hands.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


@task("Change the time zone", 14)
def time_zone(hands: Hands) -> None:
    page = hands.page
    hands.find(hands.say("theme and time zone", "语言、主题和时区"), "/me#preferences")
    hands.tab_to(page.locator("#f-zone"))
    hands.write("Asia/Shanghai")
    hands.press("Enter")
    expect(page.locator("#zone-hint")).to_contain_text("Asia/Shanghai")


@task("Change the language, and back", 7)
def language(hands: Hands) -> None:
    page = hands.page
    other = hands.say("zh-CN", "en")
    hands.find(hands.say("theme and time zone", "语言、主题和时区"), "/me#preferences")
    hands.tab_to(page.locator(f"#preferences button[value='{other}']"))
    hands.press("Enter")
    expect(page.locator("html")).to_have_attribute("lang", other)
    hands.tab_to(page.locator(f"#preferences button[value='{hands.language}']"))
    hands.press("Enter")
    expect(page.locator("html")).to_have_attribute("lang", hands.language)


TASKS: Final = (
    say_who, find_service, find_by_pinyin, search_with_operators, owner, star, documentation,
    passage, operation, changes, used_by, breaks, walk, history, copy, recent, arrange, theme,
    time_zone, language,
)  # fmt: skip
