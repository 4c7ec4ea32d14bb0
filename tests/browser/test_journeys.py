"""Every task of the user's guide, by keyboard alone, in both languages, within its steps."""

import re
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tasks_of_administrators
import tasks_of_developers
import tasks_of_leads
import tasks_of_phones
from browsing import demo_portal, served, visiting
from journeys import Hands, Task
from playwright.sync_api import Browser, Page
from playwright.sync_api import Error as PlaywrightError

from callboard_web.runtime import Runtime

pytestmark = pytest.mark.browser

GUIDE = Path(__file__).parents[2] / "docs/user"
ROLES = {
    "a new developer": tasks_of_developers.TASKS,
    "a team lead": tasks_of_leads.TASKS,
    "an administrator": tasks_of_administrators.TASKS,
}


@dataclass(frozen=True)
class Organisation:
    """A portal of this module's own, because its people change things."""

    runtime: Runtime
    address: str


@pytest.fixture(scope="module")
def organisation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Organisation]:
    folder = tmp_path_factory.mktemp("journeys")
    with read_again(folder) as runtime, served(runtime) as address:
        yield Organisation(runtime, address)


@contextmanager
def read_again(folder: Path) -> Iterator[Runtime]:
    """Give the demo's portal with a new version of an API, started anew so that all is indexed."""
    with demo_portal(folder) as runtime:
        publish_a_breaking_change(folder)
        runtime.jobs.submit(None, "catalog", "refresh", {"source": "order-service"})
        runtime.jobs.run_once()
    runtime = Runtime.open(folder / "callboard.yaml", {})
    runtime.start(worker=False, serve=True)
    try:
        runtime.jobs.submit(None, "catalog", "index", {})
        runtime.jobs.run_once()
        yield runtime
    finally:
        runtime.stop()


def publish_a_breaking_change(folder: Path) -> None:
    """Push a commit that moves an operation of the order API and adds a tag to the service."""
    work = folder / "work"
    git("clone", "-q", str(folder / "repositories/order-service.git"), str(work))
    definition = work / "api/openapi.yaml"
    text = definition.read_text("utf-8")
    definition.write_text(text.replace("/v2/customers/", "/v3/customers/"), "utf-8")
    catalog = work / "catalog-info.yaml"
    catalog.write_text(catalog.read_text("utf-8").replace("tier-1]", "tier-one]"), "utf-8")
    name = ("-c", "user.name=Sun Yue", "-c", "user.email=sun.yue@example.com")
    git("-C", str(work), *name, "commit", "-qam", "Move the list of orders")
    git("-C", str(work), "push", "-q", "origin", "HEAD")


def git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("page", ["keyboard.md", "keyboard.zh-CN.md"])
def test_the_guide_states_the_steps(page: str) -> None:
    """The guide in English names the tasks as the tests do; the Chinese one has the same steps."""
    text = (GUIDE / page).read_text("utf-8")
    found = re.findall(r"^\| ([^|]+) \| (\d+) \| [^|]+ \|$", text, re.MULTILINE)
    tasks = [task for tasks in ROLES.values() for task in tasks]
    if page == "keyboard.md":
        assert sorted(found) == sorted((task.words, str(task.steps)) for task in tasks)
    assert Counter(steps for _, steps in found) == Counter(str(task.steps) for task in tasks)


@pytest.mark.parametrize("language", ["en", "zh-CN"])
@pytest.mark.parametrize("role", ROLES)
def test_keyboard_alone(
    browser: Browser, organisation: Organisation, role: str, language: str
) -> None:
    wrong: list[str] = []
    with visiting(browser, organisation.address, cookies={"language": language}) as visit:
        for task in ROLES[role]:
            hands = Hands(visit.page, language, organisation.runtime.jobs.run_once)
            wrong += _done(hands, task)
        # A page that is left while it asks for something says that it gave up.
        wrong += [fault for fault in visit.faults if "console: htmx:" not in fault]
    assert wrong == [], "\n".join(wrong)


def _done(hands: Hands, task: Task) -> Sequence[str]:
    hands.page.goto("/")
    try:
        task.do(hands)
    except (AssertionError, PlaywrightError) as error:
        return [f"{task.words}, after {hands.steps} steps at {hands.page.url}: {error}"]
    if hands.steps > task.steps:
        return [f"{task.words}: {hands.steps} steps, at most {task.steps} were expected"]
    return []


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_a_phone(browser: Browser, organisation: Organisation, language: str) -> None:
    wrong: list[str] = []
    options: dict[str, Any] = {
        "viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True,
    }  # fmt: skip
    cookies = {"language": language}
    with visiting(browser, organisation.address, cookies=cookies, **options) as visit:
        for do in tasks_of_phones.PHONE:
            visit.page.goto("/")
            wrong += _tried(visit.page, do)
        wrong += visit.faults
    assert wrong == [], "\n".join(wrong)


def test_without_script(browser: Browser, organisation: Organisation) -> None:
    wrong: list[str] = []
    with visiting(browser, organisation.address, java_script_enabled=False) as visit:
        for do in tasks_of_phones.PLAIN:
            wrong += _tried(visit.page, do)
    assert wrong == [], "\n".join(wrong)


def _tried(page: Page, do: Callable[[Page], None]) -> Sequence[str]:
    try:
        do(page)
    except (AssertionError, PlaywrightError) as error:
        return [f"{do.__name__}, at {page.url}: {error}"]
    return []
