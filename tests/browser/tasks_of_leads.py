"""What someone does who answers for services: teams, gaps, problems, lists, views."""

import re
from typing import Final

from journeys import Hands, task
from playwright.sync_api import expect

PAYMENTS: Final = "/catalog/default/group/payments"
SYSTEM: Final = "/catalog/default/system/order-fulfilment"


@task("See who belongs to a team", 2)
def members(hands: Hands) -> None:
    hands.find(hands.say("payments kind:group", "支付组"), PAYMENTS)
    expect(hands.page.locator("main")).to_contain_text("王磊 Wang Lei")


@task("Find a team in the tree", 5)
def team(hands: Hands) -> None:
    page = hands.page
    hands.go("/teams")
    hands.press("f")
    hands.write("zhifuzu")
    hands.press("Enter")
    page.wait_for_url("**/teams?**")
    hands.press("j")
    expect(page.locator("main li a:focus, main th a:focus")).to_contain_text("支付组")


@task("See what has no owner", 2)
def gaps(hands: Hands) -> None:
    hands.find(hands.say("no owner", "没有负责人"), "/ownership")
    expect(hands.page.locator("main")).to_contain_text("Go 微服务 Go service")


@task("See what is inside a system", 3)
def inside(hands: Hands) -> None:
    hands.find(hands.say("order fulfilment kind:system", "订单履约"), SYSTEM)
    hands.next_tabs(f"{SYSTEM}/inside")
    expect(hands.page.locator("main")).to_contain_text("交易网关")


@task("See why something is missing", 3)
def problem(hands: Hands) -> None:
    page = hands.page
    hands.go("/problems")
    expect(page.locator("main")).to_contain_text("component:default/fee-report")
    hands.press("j")
    expect(page.locator("main a:focus")).to_have_count(1)


@task("See the faulty lines of a file", 10)
def faulty_lines(hands: Hands) -> None:
    page = hands.page
    hands.go("/problems")
    hands.press("j", "Enter")
    page.wait_for_url("**/sources/payments-monorepo")
    hands.past_navigation()
    hands.tab_to(page.locator(".problem a[href^='/problems/lines']").first)
    hands.press("Enter")
    expect(page.locator(".excerpt").first).to_contain_text("Month End")


@task("Narrow the catalog by words", 4)
def narrow(hands: Hands) -> None:
    page = hands.page
    hands.go("/catalog")
    hands.press("f")
    hands.write("zhifu")
    expect(page).to_have_url(re.compile("q=zhifu"))
    hands.press("ArrowDown")
    expect(page.locator("#list th a:focus")).to_contain_text("支付")


@task("Narrow the catalog by a lifecycle", 33)
def facet(hands: Hands) -> None:
    page = hands.page
    hands.go("/catalog")
    hands.past_navigation()
    hands.tab_to(page.locator("#lifecycle-deprecated"))
    hands.press("Space")
    expect(page.locator("#list .chip")).to_have_count(1)
    expect(page.locator("#lifecycle-deprecated")).to_be_focused()


@task("Export what is listed", 5)
def export(hands: Hands) -> None:
    hands.go("/catalog")
    hands.press("e", "Tab")
    with hands.page.expect_download() as download:
        hands.press("Enter")
    assert download.value.suggested_filename.endswith(".csv")


@task("Star two rows of the catalog", 8)
def star_rows(hands: Hands) -> None:
    page = hands.page
    hands.go("/catalog")
    hands.press("j", "x", "j", "x")
    expect(page.locator("#bulk")).to_be_visible()
    hands.press("s", "Enter")
    expect(page.locator(".toast").filter(has_text="2")).to_be_visible()


@task("Save a view of the catalog for everyone", 11)
def save_view(hands: Hands) -> None:
    page = hands.page
    hands.go("/catalog")
    hands.press("f")
    hands.write("payment")
    expect(page).to_have_url(re.compile("q=payment"))
    hands.press("ArrowDown", "v")
    page.wait_for_url("**/views/new*")
    hands.past_navigation()
    hands.tab_to(page.locator("#f-name"))
    hands.write(hands.say("Payments of all", "支付相关"))
    hands.press("Tab", "ArrowDown", "Enter")
    page.wait_for_url("**/catalog?**")
    name = hands.say("Payments of all", "支付相关")
    expect(page.locator("#views")).to_contain_text(name)


TASKS: Final = (
    members, team, gaps, inside, problem, faulty_lines, narrow, facet, export, star_rows,
    save_view,
)  # fmt: skip
