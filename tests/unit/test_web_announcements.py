"""Announcements: written by administrators, above every page, put away by each person."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from callboard import events
from callboard.audit import entries
from callboard.testing import new_database
from callboard_web.app import create_app
from callboard_web.runtime import Runtime
from callboard_web.testing import portal_under_test

NOW = datetime(2026, 11, 20, 6, 0, tzinfo=UTC)


class Clock:
    """A clock that is set by hand."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def runtime(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[Runtime]:
    """Give a portal whose visitors are administrators."""
    stack = ExitStack()
    url = stack.enter_context(new_database(request, request.param))
    config = tmp_path / "callboard.yaml"
    config.write_text(f"access: {{anonymous: administrator}}\ndatabase: {{url: '{url}'}}\n")
    runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": ""}, clock=clock)
    runtime.upgrade()
    runtime.start(worker=False, serve=False)
    yield runtime
    runtime.stop()
    stack.close()


@pytest.fixture
def administrator(runtime: Runtime) -> TestClient:
    return TestClient(create_app(runtime))


def send(client: TestClient, path: str, **fields: str) -> int:
    found = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/navigation").text)
    assert found
    data = {"csrf_token": found[1], **fields}
    return client.post(path, data=data, follow_redirects=False).status_code


OUTAGE = {"status": "bad", "title-en": "No deployments <tonight>", "text-en": "The network moves."}


def test_it_stands_above_every_page_until_it_is_put_away(administrator: TestClient) -> None:
    assert send(administrator, "/announcements/new", **OUTAGE) == 303
    administrator.get("/")  # what was told once is told
    for path in ("/", "/catalog", "/jobs", "/announcements"):
        page = administrator.get(path).text
        assert page.count('<section class="announcements') == 1, path
        assert "No deployments &lt;tonight&gt;" in page
    assert send(administrator, "/announcements/1/dismiss", next="/catalog") == 303
    assert send(administrator, "/announcements/1/dismiss", next="/catalog") == 303
    assert '<section class="announcements' not in administrator.get("/").text
    assert "No deployments &lt;tonight&gt;" in administrator.get("/announcements").text


def test_another_person_still_sees_it(runtime: Runtime, administrator: TestClient) -> None:
    send(administrator, "/announcements/new", **OUTAGE)
    send(administrator, "/announcements/1/dismiss")
    assert "No deployments" in TestClient(create_app(runtime)).get("/").text


def test_it_is_planned_shown_and_over(administrator: TestClient, clock: Clock) -> None:
    administrator.cookies.set("callboard_zone", "Asia/Shanghai")
    times = {"begins": "2026-11-20T22:00", "ends": "2026-11-20T23:00"}
    assert send(administrator, "/announcements/new", **OUTAGE, **times) == 303
    shown = []
    for hours in (0, 8.5, 10):
        clock.now = NOW + timedelta(hours=hours)
        fresh = TestClient(create_app(administrator.app.state.runtime))  # type: ignore[attr-defined]
        shown.append('<section class="announcements' in fresh.get("/").text)
    assert shown == [False, True, False]
    assert "Over" in administrator.get("/announcements").text


def test_each_reads_it_in_their_language_or_in_the_one_there_is(
    administrator: TestClient,
) -> None:
    both = {"title-en": "Tonight", "title-zh-CN": "今晚维护", "status": "warn"}
    assert send(administrator, "/announcements/new", **both) == 303
    assert send(administrator, "/announcements/new", **OUTAGE) == 303
    page = administrator.get("/catalog", headers={"accept-language": "zh-CN"}).text
    assert '<b lang="zh-CN">今晚维护</b>' in page
    assert '<b lang="en">No deployments' in page
    assert page.index("No deployments") < page.index("今晚维护")  # the gravest first


def test_withdrawn_and_brought_back(runtime: Runtime, administrator: TestClient) -> None:
    send(administrator, "/announcements/new", **OUTAGE)
    assert send(administrator, "/announcements/1/withdraw") == 303
    page = administrator.get("/").text
    assert '<section class="announcements' not in page
    assert 'action="/announcements/1/restore"' in page  # undo
    assert send(administrator, "/announcements/1/restore") == 303
    assert '<section class="announcements' in administrator.get("/").text
    with runtime.database.read() as connection:
        noted = entries(connection, limit=10)
        actions = {item.action for item in noted}
        kinds = [event.kind for event in events.read(connection, 0, ("portal.announcement.",), 10)]
    assert actions == {"portal.announcement.write"}
    assert noted[-1].after["begins_at"] == runtime.now().isoformat()
    assert kinds == [
        f"portal.announcement.{what}" for what in ("announced", "withdrawn", "restored")
    ]


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({}, "Write a title in one language at least."),
        ({"title-en": "A", "text-zh-CN": "正文"}, "Write a title for this text."),
        ({"title-en": "A", "status": "loud"}, "Choose what kind of announcement it is."),
        ({"title-en": "A", "path": "javascript:alert(1)"}, "Write an address that begins with"),
        ({"title-en": "A", "begins": "soon"}, "Write a time such as"),
        (
            {"title-en": "A", "begins": "0001-01-01T00:00", "ends": "2026-99"},
            "Write a time such as",
        ),
        ({"title-en": "A", "ends": "9999-12-31T23:59"}, "Write a time such as"),
        ({"title-en": "A", "ends": "2020-01-01T00:00"}, "Choose an end after the beginning."),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(
    administrator: TestClient, fields: dict[str, str], fault: str
) -> None:
    found = re.search(r'name="csrf_token" value="([^"]+)"', administrator.get("/navigation").text)
    assert found
    sent = {"csrf_token": found[1], "status": "run", **fields, "text-en": "Kept <here>"}
    answer = administrator.post("/announcements/new", data=sent)
    assert answer.status_code == 422
    assert fault in answer.text
    assert "Kept &lt;here&gt;" in answer.text


def test_a_preview_writes_nothing(administrator: TestClient) -> None:
    assert send(administrator, "/announcements/new", **OUTAGE, preview="1") == 200
    assert "Nothing has been announced." in administrator.get("/announcements").text


@pytest.mark.parametrize(
    "path", ["announcements/{}/dismiss", "announcements/{}", "jobs/{}/again", "views/{}/restore"]
)
def test_a_number_that_no_database_holds_is_not_found(administrator: TestClient, path: str) -> None:
    assert send(administrator, f"/{path.format('9' * 40)}", **OUTAGE) == 404
    assert administrator.get(f"/jobs/{'9' * 40}").status_code == 404


def test_strangers_read_but_do_not_write(tmp_path: Path, clock: Clock) -> None:
    settings = {"access": {"anonymous": "viewer"}}
    with portal_under_test(
        tmp_path, plugins=[], settings=settings, clock=clock, templates={}
    ) as shop:
        stranger = shop.client
        assert stranger.get("/announcements").status_code == 200
        refused = stranger.get("/announcements/new", follow_redirects=False)
        assert refused.status_code == 303
        assert send(stranger, "/announcements/new", **OUTAGE) == 401
        assert send(stranger, "/announcements/1/withdraw") == 401
