"""What happened: events in words, alike ones as one, mine or all, by day, page after page."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from sqlalchemy import event as sql_events
from starlette.testclient import TestClient

from callboard import events, hookimpl
from callboard.contributions import Activity, ActivityContext, ActivityItem
from callboard.entities import EntityRef
from callboard.events.log import Fact
from callboard.plugins import Guard, PluginRecord
from callboard.testing import new_database
from callboard_web.activity import runs
from callboard_web.app import create_app
from callboard_web.runtime import Runtime

NOW = datetime(2026, 11, 20, 18, 0, tzinfo=UTC)
CATALOG = """
apiVersion: backstage.io/v1alpha1
kind: User
metadata: {name: li.wei}
spec: {memberOf: [trade]}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: trade}
spec: {type: team, parent: centre, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: centre}
spec: {type: department, parent: trade, children: []}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: orders, title: "<b>Orders</b>"}
spec: {type: service, lifecycle: production, owner: centre}
---
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: search}
spec: {type: service, lifecycle: production, owner: others}
"""


def _describe(context: ActivityContext) -> Mapping[int, ActivityItem]:
    if any(event.data.get("fail") for event in context.events):
        raise RuntimeError("the words are secret")
    if any(event.data.get("wrong") for event in context.events):
        return {event.id: ActivityItem(text=7, status="odd") for event in context.events}  # type: ignore[arg-type]
    return {
        event.id: ActivityItem(
            text=str(event.data["text"]), path=str(event.data.get("path", "")), detail="<i>"
        )
        for event in context.events
        if "text" in event.data
    }


@hookimpl
def callboard_activity() -> Sequence[Activity]:
    return [Activity(name="deeds", title="Deeds", kinds=("sample.",), describe=_describe)]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def runtime(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    """Give a portal with a plugin that has words for its own events."""
    stack = ExitStack()
    url = stack.enter_context(new_database(request, request.param))
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "catalog-info.yaml").write_text(CATALOG, encoding="utf-8")
    config = tmp_path / "callboard.yaml"
    config.write_text(
        f"access: {{anonymous: administrator}}\ndatabase: {{url: '{url}'}}\n"
        f"catalog:\n  sources:\n    - {{name: shop, type: folder, path: '{folder}'}}\n"
    )
    runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": ""}, clock=lambda: NOW)
    runtime.plugins.guard = Guard(time_limit=timedelta(seconds=5), now=runtime.now)
    plugin = ModuleType("sample")
    vars(plugin)["callboard_activity"] = callboard_activity
    runtime.plugins.load(PluginRecord(name="sample", version="1.0"), lambda: plugin)
    runtime.plugins.finish()
    runtime.upgrade()
    runtime.start(worker=False, serve=False)
    runtime.engine.read("shop")
    yield runtime
    runtime.stop()
    stack.close()


@pytest.fixture
def client(runtime: Runtime) -> TestClient:
    return TestClient(create_app(runtime))


def happen(runtime: Runtime, *facts: tuple[str, str, Mapping[str, object]], ago: float = 0) -> None:
    """Write events, given in hours before now."""
    with runtime.database.write() as connection:
        events.publish_many(
            connection, [Fact(*fact) for fact in facts], at=NOW - timedelta(hours=ago)
        )


def told(
    text: str, *, subject: str = "thing", **more: object
) -> tuple[str, str, dict[str, object]]:
    return "sample.done", subject, {"text": text, **more}


def introduce(client: TestClient) -> None:
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/navigation").text)
    assert token
    client.post("/me/who", data={"csrf_token": token[1], "ref": "user:default/li.wei"})


def lines(page: str) -> list[str]:
    """Give what the list of a page says, line by line, without its markup."""
    content = page.partition('id="activity"')[2].partition('class="pager"')[0]
    found = re.findall(r"<li>(.*?)</li>", content, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", line).split()) for line in found]


def older(page: str) -> str:
    found = re.search(r'rel="next" href="([^"]+)"', page)
    return found[1].replace("&amp;", "&") if found else ""


def test_the_newest_stands_first_under_its_day_in_the_zone_of_the_reader(
    runtime: Runtime, client: TestClient
) -> None:
    happen(runtime, told("Long ago"), ago=30)
    happen(runtime, told("Early"), ago=2.5)
    happen(runtime, told("Late"), ago=1)
    page = client.get("/activity?what=sample.deeds").text
    assert lines(page) == [
        "17:00 Late &lt;i&gt;", "15:30 Early &lt;i&gt;", "12:00 Long ago &lt;i&gt;"
    ]  # fmt: skip
    assert re.findall(r'<h2 id="day[^>]+>([^<]+)', page) == [
        "Friday 20 November 2026", "Thursday 19 November 2026"
    ]  # fmt: skip
    client.cookies.set("callboard_time_zone", "Asia/Shanghai")
    page = client.get("/activity?what=sample.deeds").text
    assert re.findall(r'<h2 id="day[^>]+>([^<]+)', page) == [
        "Saturday 21 November 2026", "Friday 20 November 2026", "Thursday 19 November 2026"
    ]  # fmt: skip


def test_events_of_one_moment_are_one_line_that_opens(client: TestClient) -> None:
    page = client.get("/activity?what=portal.entities").text
    assert len(lines(page)) == 1
    assert "came into the catalog and 4 more shop" in lines(page)[0]
    path = re.search(r'href="(/activity\?alike=\d+)"', page)
    assert path
    every = client.get(path[1]).text
    assert len(lines(every)) == 5
    assert any("&lt;b&gt;Orders&lt;/b&gt; came into the catalog" in line for line in lines(every))


def test_mine_is_what_my_groups_own_though_they_form_a_circle(
    runtime: Runtime, client: TestClient
) -> None:
    happen(runtime, told("About nothing"), told("About orders", subject="component:default/orders"))
    happen(runtime, told("About search", subject="component:default/search"), ago=-1)
    happen(runtime, told("About centre", subject="group:default/centre"), ago=-2)
    assert "Tell who you are" in client.get("/activity?mine=1").text
    introduce(client)
    page = client.get("/activity?mine=1&what=sample.deeds").text
    assert [line.split()[2] for line in lines(page)] == ["centre", "orders"]
    assert len(lines(client.get("/activity?what=sample.deeds").text)) == 4


def test_every_page_goes_on_where_the_one_before_ended(
    runtime: Runtime, client: TestClient
) -> None:
    for number in range(130):
        happen(runtime, told(f"Deed {number}"), ago=100 - number / 10)
    found, path = [], "/activity?what=sample.deeds"
    for _ in range(5):
        page = client.get(path).text
        found += [int(line.split()[2]) for line in lines(page)]
        path = older(page)
        if not path:
            break
    assert found == list(range(129, -1, -1))


def test_what_nobody_has_words_for_is_passed_over_at_a_bounded_cost(
    runtime: Runtime, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "WINDOW", 20)
    happen(runtime, told("At last"), ago=9)
    for number in range(200):
        happen(runtime, ("other.thing", "x", {}), ("sample.mute", "x", {"number": number}))
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *more: object) -> None:
        statements.append(statement)

    sql_events.listen(runtime.database.engine, "before_cursor_execute", note)
    path, walked = "/activity?what=sample.deeds", 0
    while True:
        statements.clear()
        page = client.get(path).text
        assert sum("FROM event" in statement for statement in statements) <= 15
        walked += 1
        if lines(page):
            break
        path = older(page)
        assert path, "The end was reached without the event."
        assert "There may be more further back." in page
    assert walked > 1
    assert "At last" in lines(page)[0]


@pytest.mark.parametrize("how", ["fail", "wrong"])
def test_a_plugin_without_words_costs_only_its_own(
    runtime: Runtime, client: TestClient, how: str
) -> None:
    happen(runtime, told("Fine"), ("sample.done", "thing", {how: True}))
    page = client.get("/activity").text
    assert "The plugin sample failed." in page
    assert "secret" not in page
    assert "came into the catalog" in page
    home = client.get("/").text
    assert "The plugin sample failed." in home
    assert "came into the catalog" in home


def test_words_and_addresses_from_outside_do_nothing(runtime: Runtime, client: TestClient) -> None:
    happen(
        runtime,
        told("<script>alert(1)</script>\u202e" + "x" * 3000, path="javascript:alert(1)"),
        ("catalog.entity.created", "not a reference", {}),
        ("catalog.entity.created", "component:default/<b>", {}),
        ("catalog.source.failed", "../../x?<b>", {"error": "<script>no</script>"}),
        ("portal.announcement.announced", "7; drop", {}),
        ("job.run.failed", "<b>", {"run": '"><script>'}),
    )
    page = client.get("/activity").text
    main = page.partition("<main")[2]
    assert "<script>" not in main
    assert "javascript:" not in main
    assert "&lt;script&gt;alert(1)" in main
    assert client.get("/").status_code == 200


@pytest.mark.parametrize(
    "query",
    ["before=x", "before=-1", "before=99999999999999999999", "before=٣", "before=0", "alike=77777",
     "what=%00", "what=none", "mine=2", "before=1&alike=1"],
)  # fmt: skip
def test_any_address_is_answered(client: TestClient, query: str) -> None:
    assert client.get(f"/activity?{query}").status_code == 200


def test_a_source_that_is_read_again_says_so(runtime: Runtime, client: TestClient) -> None:
    folder = runtime.base / "shop"
    folder.rename(runtime.base / "moved")
    runtime.engine.read("shop")
    assert "The source shop cannot be read" in client.get("/activity?what=portal.sources").text
    (runtime.base / "moved").rename(folder)
    runtime.engine.read("shop")
    page = client.get("/activity?what=portal.sources").text
    assert "The source shop is read again" in lines(page)[0]


def test_jobs_that_failed_are_told_and_lead_to_their_run(
    runtime: Runtime, client: TestClient
) -> None:
    happen(runtime, ("job.run.failed", "catalog.refresh", {"run": 7, "key": "shop"}))
    page = client.get("/activity?what=portal.jobs").text
    assert "The job catalog.refresh failed shop" in lines(page)[0]
    assert 'href="/jobs/7"' in page


def test_in_chinese(client: TestClient) -> None:
    client.cookies.set("callboard_language", "zh-CN")
    page = client.get("/activity").text
    assert "动态" in page
    assert "进入目录" in lines(page)[0]


def test_a_run_is_counted_whole_and_skipped_whole(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "ROWS", 10)
    happen(runtime, told("Before"), ago=3)
    happen(runtime, *(told(f"One of many {number}") for number in range(45)), ago=2)
    happen(runtime, told("After"), ago=1)
    with runtime.database.read() as connection:
        found, _ = runs.read_runs(connection, runs.Question(("sample.",)), runtime.catalog)
    assert [run.count for run in found] == [1, 45, 1]
    mine = [EntityRef.parse("component:default/search")]
    with runtime.database.read() as connection:
        question = runs.Question(("sample.",), mine=mine)
        assert runs.read_runs(connection, question, runtime.catalog)[0] == []
