"""Every page of the plugin in Chromium: axe finds nothing, nothing scrolls sideways, all is there.

The walk over the demo knows neither clusters nor runs; here there are some, and a reader whose
services fail.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from browsing import served, start_browser, visiting
from made_runs import a_run, a_service, add, identified
from playwright.sync_api import Browser, Page, sync_playwright
from starlette.testclient import TestClient

from callboard.contributions import Event, EventContext
from callboard.repositories import pushed
from callboard.testing import Clock
from callboard_catalog.testing import descriptor
from callboard_ci_tekton.following import PIPELINE_RUNS, TASK_RUNS
from callboard_ci_tekton.push.receiving import on_news
from callboard_web.testing import PortalUnderTest, portal_under_test, sign_in_as

pytestmark = pytest.mark.browser

CORPUS = Path(__file__).parents[4] / "shared/fixtures/tekton"
REPOSITORY = "https://git.example.test/shop/cart"
RULE = {
    "name": "build", "repositories": ["**"], "branches": ["main"], "cluster": "build",
    "namespace": "shop-ci", "pipeline": "build",
}  # fmt: skip
SETTINGS = {
    "access": {
        "anonymous": "",
        "bindings": [{"role": "administrator", "to": ["user:default/ada"]}],
    },
    "kubernetes": {"clusters": [{"name": "build", "server": "http://127.0.0.1:9"}]},
    "plugins": {
        "settings": {"ci_tekton": {"push": {"rules": [RULE]}, "gitlab": {"enabled": True}}}
    },
}
PATHS = (
    "/", "/clusters", "/catalog?columns=name,ci_tekton.last_run",
    "/catalog/default/component/cart/ci_tekton.runs", "/ci_tekton/", "/ci_tekton/?state=failed",
    "/ci_tekton/?state=held", "/ci_tekton/unmatched", "/ci_tekton/pushes", "/ci_tekton/gitlab",
    "/ci_tekton/start", "/ci_tekton/start?entity=component:default/cart", "/ci_tekton/library",
    "/ci_tekton/library/callboard-go-build-and-deploy", "/ci_tekton/library/callboard-trivy-scan",
)  # fmt: skip
RULES = {"resultTypes": ["violations"], "runOnly": [
    "wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice",
]}  # fmt: skip
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def tell_push(portal: PortalUnderTest, number: int, branch: str) -> None:
    data = {"addresses": [REPOSITORY], "branch": branch, "commit": "4" * 40, "actor": "ada",
            "title": "Take off vouchers once"}  # fmt: skip
    now = portal.runtime.now()
    event = Event(id=number, kind=pushed.KIND, subject="", data=data, at=now, actor="system")
    on_news(EventContext(host=portal.host("ci_tekton"), events=[event]))


def recorded(folder: str, name: str) -> Any:
    path = CORPUS / folder / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalUnderTest]:
    """Give a portal with runs that pass, fail and are nobody's, and with pushes."""
    with portal_under_test(
        tmp_path_factory.mktemp("pages") / "portal",
        plugins=["ci_tekton"],
        settings=SETTINGS,
        clock=Clock(datetime(2026, 11, 20, 10, 40, tzinfo=UTC)),
        templates={},
    ) as made:
        person = descriptor("ada", "User", spec={"memberOf": ["shop"]})
        add(made, descriptor("shop", "Group"), person, a_service("cart", identified("cart")))
        day = "2026-11-20T0"
        runs = (
            a_run("cart-1", created=f"{day}7:00:00Z", labels=identified("cart")),
            a_run("cart-2", state="False", created=f"{day}8:00:00Z", labels=identified("cart")),
            a_run("cart-3", state="Unknown", pipeline="deliver", created=f"{day}9:00:00Z",
                  labels=identified("cart")),
            a_run("stray", pipeline="stray", created=f"{day}9:00:00Z"),
        )  # fmt: skip
        made.observe("build", PIPELINE_RUNS, *runs)
        whole = recorded("pipelineruns", "cart-scan-fail")
        if whole:
            made.observe("build", PIPELINE_RUNS, whole)
            made.observe("build", TASK_RUNS, *recorded("taskruns", "cart-scan-fail")["items"])
        tell_push(made, 1, "main")
        tell_push(made, 2, "feat/vouchers")
        made.run_jobs()
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = start_browser(playwright)
        yield started
        started.close()


@pytest.fixture(scope="module")
def place(portal: PortalUnderTest) -> Iterator[str]:
    with served(portal.runtime) as found:
        yield found


@pytest.fixture(scope="module")
def cookies(portal: PortalUnderTest, place: str) -> list[Any]:
    """Give the cookies of somebody who is signed in."""
    client = TestClient(portal.client.app, base_url=place)
    sign_in_as(client, "user:default/ada")
    return [{"name": item.name, "value": item.value, "url": place} for item in client.cookies.jar]


def paths_of(portal: PortalUnderTest) -> list[str]:
    from sqlalchemy import select

    from callboard_ci_tekton.models import run

    with portal.host("ci_tekton").read() as connection:
        rows = connection.execute(select(run.c.id, run.c.state)).all()
    found = list(PATHS)
    for row in rows:
        acts = ("cancel",) if row.state == "running" else ("rerun", "retry")
        found += [f"/ci_tekton/runs/{row.id}"]
        found += [f"/ci_tekton/runs/{row.id}/acts?act={act}" for act in acts]
    return found


def wrong_with(page: Page, path: str) -> list[str]:
    answer = page.goto(path)
    assert answer is not None
    wrong = [] if answer.status == 200 else [f"{path} answers {answer.status}"]
    headings = page.locator("h1").count()
    if headings != 1:
        wrong.append(f"{path} has {headings} headings of level 1")
    if page.evaluate(OVERFLOW) > 0:
        wrong.append(f"{path} scrolls sideways")
    if path.startswith("/ci_tekton/") and path.partition("?")[0] != "/ci_tekton/":
        first = page.locator(".crumb a").first
        if not first.count() or first.get_attribute("href") != "/ci_tekton/":
            wrong.append(f"{path} does not say that it is among the pipelines")
    found = page.evaluate("options => axe.run(document, options)", RULES)
    return wrong + [
        f"{path}: {rule['id']}: {node['html'][:160]}"
        for rule in found["violations"]
        if rule["impact"] in ("critical", "serious", "moderate")
        for node in rule["nodes"][:3]
    ]


@pytest.mark.parametrize(
    ("language", "theme", "width"),
    [("en", "light", 1440), ("zh-CN", "dark", 320)],
    ids=["en-wide", "zh-narrow"],
)
def test_pages_are_without_fault(
    browser: Browser, portal: PortalUnderTest, place: str, cookies: list[Any],
    language: str, theme: str, width: int,
) -> None:  # fmt: skip
    wrong: list[str] = []
    chosen = {"language": language, "theme": theme}
    options: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "bypass_csp": True}
    with visiting(browser, place, cookies=chosen, **options) as visit:
        visit.context.add_cookies(cookies)
        visit.context.add_init_script(AXE_SCRIPT)
        for path in paths_of(portal):
            wrong += wrong_with(visit.page, path)
        wrong += visit.faults
    assert wrong == [], "\n".join(wrong)


def test_the_home_page_tells_of_what_fails_without_script_too(
    browser: Browser, portal: PortalUnderTest, place: str, cookies: list[Any]
) -> None:
    with visiting(browser, place, java_script_enabled=False) as visit:
        visit.context.add_cookies(cookies)
        visit.page.goto("/")
        card = visit.page.locator("section, .panel").filter(has_text="Failing on my services").last
        card.get_by_role("link", name="cart").first.click()
        assert visit.page.locator("h1").inner_text().startswith("cart, ")
        assert visit.page.locator(".crumb").inner_text().split("\n")[0] == "Pipelines"
