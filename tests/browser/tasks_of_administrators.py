"""What someone does who runs the portal: announcements, health, jobs, sources, plugins."""

import re
from typing import Final

from journeys import Hands, task
from playwright.sync_api import expect


@task("Announce something to everyone", 9)
def announce(hands: Hands) -> None:
    page = hands.page
    hands.find(hands.say("announce something", "发布公告"), "/announcements/new")
    hands.past_navigation()
    hands.tab_to(page.locator(f"#f-title-{hands.language}"))
    hands.write(hands.say("Maintenance on Sunday", "周日维护"))
    hands.press("Enter")
    page.wait_for_url(re.compile("/announcements(#main)?$"))
    said = page.locator(".announcements .note")
    expect(said).to_contain_text(hands.say("Maintenance on Sunday", "周日维护"))


@task("Put an announcement away", 4)
def put_away(hands: Hands) -> None:
    page = hands.page
    expect(page.locator(".announcements .note")).to_have_count(1)
    hands.past_navigation()
    hands.tab_to(page.locator(".announcements button"))
    hands.press("Enter")
    expect(page.locator(".announcements .note")).to_have_count(0)


@task("Withdraw an announcement", 5)
def withdraw(hands: Hands) -> None:
    page = hands.page
    hands.go("/announcements")
    hands.press("j", "Tab", "Enter")
    first = page.locator("main tbody tr").first
    expect(first).to_contain_text(hands.say("Withdrawn", "已撤回"))


@task("See how the portal fares", 2)
def health(hands: Hands) -> None:
    hands.go("/health")
    expect(hands.page.locator("main .sub")).to_be_visible()


@task("Run a job now, and again", 27)
def run_job(hands: Hands) -> None:
    page = hands.page
    hands.go("/jobs")
    hands.past_navigation()
    hands.tab_to(page.locator("form[action='/jobs/docs/refresh/run'] button"))
    hands.press("Enter")
    page.wait_for_url(re.compile(r"/jobs/\d+$"))
    first = page.url
    hands.work()
    again = page.locator("form[action$='/again'] button")
    expect(again).to_be_visible()
    hands.past_navigation()
    hands.tab_to(again)
    hands.press("Enter")
    expect(page).not_to_have_url(first)


@task("Read a source again", 8)
def read_again(hands: Hands) -> None:
    page = hands.page
    hands.go("/sources")
    hands.press("j", "Enter")
    page.wait_for_url("**/sources/*")
    hands.past_navigation()
    hands.tab_to(page.locator("form[action$='/refresh'] button"))
    hands.press("Enter")
    expect(page.locator("form[action$='/refresh'] button")).to_be_disabled()
    hands.work()


@task("See what a plugin costs and which settings it takes", 4)
def plugin(hands: Hands) -> None:
    hands.go("/plugins")
    hands.press("j", "Enter")
    hands.page.wait_for_url("**/plugins/apis")
    expect(hands.page.locator("main")).to_contain_text("plugins.settings.apis.try_out")


@task("See what is set here", 7)
def settings(hands: Hands) -> None:
    page = hands.page
    hands.go("/settings")
    hands.past_navigation()
    hands.tab_to(page.locator("main a[href='/settings?changed=1']"))
    hands.press("Enter")
    expect(page.locator("main")).not_to_contain_text("database.pool_size")


@task("See whether watchers keep up", 2)
def watchers(hands: Hands) -> None:
    hands.go("/watchers")
    expect(hands.page.locator("main tbody th").first).to_be_visible()


@task("See which versions and licences run", 2)
def about(hands: Hands) -> None:
    hands.go("/about")
    expect(hands.page.locator("main")).to_contain_text("Apache-2.0")


@task("Explain why somebody may not do something", 5)
def explain(hands: Hands) -> None:
    page = hands.page
    hands.find(hands.say("explain what", "说明某人"), "/access/explain")
    expect(page.locator("#ask-subject")).to_be_focused()
    hands.write("anonymous")
    hands.press("Tab")
    hands.write("catalog.entity.refresh")
    hands.press("Tab")
    hands.write("order-service")
    hands.press("Enter")
    expect(page.locator("#answer")).to_contain_text("catalog.entity.refresh")


@task("Give a team a role", 16)
def give_role(hands: Hands) -> None:
    page = hands.page
    hands.find(hands.say("give a role", "授予角色"), "/access/bindings/new")
    hands.past_navigation()
    hands.tab_to(page.locator("#f-role"))
    hands.press("ArrowDown", "ArrowDown", "ArrowDown")
    hands.tab_to(page.locator("#f-more"))
    hands.write("Trade Core")
    hands.press("Enter")
    expect(page.locator("input[name=to][value='group:default/trade-core']")).to_be_checked()
    hands.tab_to(page.locator("button[value=save]"))
    hands.press("Enter")
    page.wait_for_url("**/access/bindings")
    expect(page.locator("#flash-text")).to_contain_text("Trade Core")


TASKS: Final = (
    announce, put_away, withdraw, health, run_job, read_again, plugin, settings, watchers, about,
    explain, give_role,
)  # fmt: skip
