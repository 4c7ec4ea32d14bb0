"""Pages for those who run the portal, and what they may do there."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from callboard.audit import entries
from callboard.plugins import PluginState
from callboard.testing import Clock
from callboard_web.administration import health, options, software, watchers
from callboard_web.app import create_app
from callboard_web.loading import SECTIONS
from callboard_web.runtime import Runtime
from callboard_web.testing import portal_under_test

SECRET = "a-password-nobody-may-see"
CONFIG = f"""
access: {{anonymous: administrator}}
portal: {{title: Shop}}
git:
  credentials: [{{host: git.example, token: {SECRET}}}]
"""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Call no database slow: how long it takes here says how busy the machine is."""
    monkeypatch.setattr(health, "SLOW_ANSWER", 600.0)


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[Runtime]:
    """Give a portal whose visitors are administrators, with one secret."""
    config = tmp_path / "callboard.yaml"
    config.write_text(CONFIG, "utf-8")
    runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": "", "CALLBOARD_JOBS__WORKERS": "2"})
    runtime.upgrade()
    runtime.start(worker=False, serve=False)
    yield runtime
    runtime.stop()


@pytest.fixture
def administrator(runtime: Runtime) -> TestClient:
    return TestClient(create_app(runtime))


def send(client: TestClient, path: str, page: str = "/jobs") -> int:
    token = re.search(r'"X-CSRF-Token": "([^"]+)"', client.get(page).text)
    assert token
    answer = client.post(path, headers={"x-csrf-token": token[1]}, follow_redirects=False)
    return answer.status_code


def test_settings_show_where_each_value_comes_from_and_no_secret(
    administrator: TestClient,
) -> None:
    page = administrator.get("/settings").text
    assert SECRET not in page
    assert "git.credentials[0].token" in page
    assert "callboard.yaml:3" in page
    assert "environment CALLBOARD_JOBS__WORKERS" in page


def test_only_what_is_set_here(runtime: Runtime, administrator: TestClient) -> None:
    page = administrator.get("/settings?changed=1").text
    assert "portal.title" in page
    assert "portal.listen" not in page
    changed = [
        item.key
        for _name, items in options.sections(runtime.settings, SECTIONS)
        for item in items
        if not item.is_default
    ]
    assert sorted(changed) == [
        "access.anonymous", "git.credentials[0].host", "git.credentials[0].token", "jobs.workers",
        "portal.title",
    ]  # fmt: skip


def test_strangers_see_no_settings_and_run_no_jobs(tmp_path: Path, clock: Clock) -> None:
    settings = {"access": {"anonymous": "viewer"}}
    with portal_under_test(
        tmp_path, plugins=[], settings=settings, clock=clock, templates={}
    ) as shop:
        stranger = shop.client
        refused = stranger.get("/settings", follow_redirects=False)
        assert refused.status_code == 303
        assert refused.headers["location"] == "/sign-in?next=/settings"
        for path in ("/jobs/catalog/look/run", "/jobs/1/again", "/jobs/1/cancel"):
            assert send(stranger, path, page="/catalog") == 401
        assert stranger.get("/jobs", headers={"accept": "application/json"}).status_code == 401


def test_health_of_a_portal_with_a_failing_source(portal_runtime: Runtime) -> None:
    found = {str(item.title): item for item in health.look(portal_runtime)}
    assert found["The database answers"].status == "ok"
    assert found["The tables are up to date"].status == "ok"
    assert found["1 source cannot be read"].status == "bad"
    assert str(found["1 source cannot be read"].detail) == "gone"


def test_health_says_what_is_late_and_out(runtime: Runtime, administrator: TestClient) -> None:
    runtime.jobs.submit(None, "catalog", "look")
    later = runtime.now() + timedelta(minutes=20)
    runtime.clock = lambda: later
    runtime.plugins.fail("catalog", "for this test")
    found = {str(item.title): item for item in health.look(runtime)}
    assert found["Jobs are late"].status == "bad"
    assert found["1 plugin is out"].status == "bad"
    page = administrator.get("/health").text
    assert page.index("Jobs are late") < page.index("The database answers")
    assert runtime.plugins.records["catalog"].state is PluginState.FAILED


def test_a_database_that_answers_slowly_is_a_finding(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "SLOW_ANSWER", -1.0)
    found = {str(item.title): item for item in health.look(runtime)}
    assert found["The database answers slowly"].status == "warn"


def test_a_look_that_fails_is_a_finding(runtime: Runtime) -> None:
    with runtime.database.write() as connection:
        connection.exec_driver_sql("DROP TABLE source")
    found = {str(item.title): item for item in health.look(runtime)}
    assert found["Sources"].status == "bad"
    assert found["The database answers"].status == "ok"


def test_watchers_tell_how_far_behind_each_is(portal_runtime: Runtime, client: TestClient) -> None:
    found = {item.name: item for item in watchers.watchers(portal_runtime)}
    handlers = portal_runtime.plugins.contributions.event_handlers
    assert set(found) == {item.value.name for item in handlers}
    assert client.get("/watchers").status_code == 200


def test_about_lists_what_is_required_with_licences(administrator: TestClient) -> None:
    found = {item.name.lower(): item for item in software.packages(("callboard",))}
    assert {"callboard", "sqlalchemy", "starlette", "greenlet"} & set(found) >= {
        "callboard", "sqlalchemy", "starlette",
    }  # fmt: skip
    assert "pytest" not in found
    assert found["sqlalchemy"].licence
    page = administrator.get("/about").text
    assert "SQLAlchemy" in page
    assert "htmx" in page


def test_a_job_is_run_now_again_and_cancelled(runtime: Runtime, administrator: TestClient) -> None:
    assert send(administrator, "/jobs/catalog/look/run") == 303
    assert send(administrator, "/jobs/1/cancel") == 303
    assert send(administrator, "/jobs/1/again") == 303
    assert send(administrator, "/jobs/nothing/here/run") == 404
    assert send(administrator, "/jobs/catalog/refresh/run") == 404  # it has no schedule
    assert send(administrator, "/jobs/999/again") == 404
    with runtime.database.read() as connection:
        found = [(item.action, item.subject) for item in entries(connection, limit=10)]
    assert found == [
        ("portal.job.run", "catalog.look"),
        ("portal.job.cancel", "1"),
        ("portal.job.run", "catalog.look"),
    ]
    assert "Cancelled" in administrator.get("/jobs/1").text


def test_a_plugins_page_shows_its_settings_and_calls(client: TestClient) -> None:
    client.get("/")
    page = client.get("/plugins/sample").text
    assert "home card" in page
    assert "On average" in page


@pytest.mark.parametrize(
    ("access", "odd"),
    [
        ({"anonymous": "administrator"}, ["Strangers may do more than look"]),
        ({"anonymous": "viewer"}, ["Nobody is an administrator"]),
        ({"anonymous": "viewer", "administrators": ["user:default/ada"]}, []),
        (
            {
                "anonymous": "",
                "administrators": ["group:default/heads"],
                "bindings": [{"role": "developer", "to": ["everyone"], "on": {"kind": ["api"]}}],
            },
            ["Strangers may do more than look"],
        ),
    ],
)
def test_what_is_odd_in_who_may_do_what(
    tmp_path: Path, clock: Clock, access: dict[str, object], odd: list[str]
) -> None:
    with portal_under_test(
        tmp_path, plugins=[], settings={"access": access}, clock=clock, templates={}
    ) as shop:
        found = [str(item.title) for item in health.look(shop.runtime) if item.path == "/access"]
        assert found == odd
