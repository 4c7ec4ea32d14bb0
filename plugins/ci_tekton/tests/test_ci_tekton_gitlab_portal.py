"""Pipelines of a GitLab in a portal: asked for by the schedule and by deliveries."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import deliveries
import pytest
from fake_gitlab_ci import START, FakeGitLabCi, Project, job, written
from fake_hosts import TOKEN, Answer, serving
from sqlalchemy import select

from callboard.contributions import JobContext
from callboard.errors import NotFoundError
from callboard.testing import Clock
from callboard_ci_tekton import models
from callboard_ci_tekton.gitlab import reading
from callboard_ci_tekton.gitlab.keeping import keep_pipeline
from callboard_ci_tekton.gitlab.projects import find_projects
from callboard_ci_tekton.gitlab.traces import lines, trace
from callboard_ci_tekton.logs import sources
from callboard_ci_tekton.logs.hub import hub_of
from callboard_ci_tekton.matching.entities import match_catalog
from callboard_ci_tekton.queries import load_latest
from callboard_web.testing import PortalUnderTest

REF = "component:default/orders"
TAB = "/catalog/default/component/orders/ci_tekton.runs"
HOOK = "/hooks/scm_hosts/code"
ORDERS = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: {name}
  annotations:
    backstage.io/source-location: url:{base}/shop/{name}
    backstage.io/kubernetes-namespace: shop
spec: {{type: service, lifecycle: production, owner: team}}
"""


@pytest.fixture
def gitlab() -> Iterator[FakeGitLabCi]:
    made = FakeGitLabCi()
    with serving(made):
        yield made


@pytest.fixture
def portal_plugins() -> Sequence[str]:
    return ["ci_tekton", "scm_hosts"]


@pytest.fixture(params=["sqlite"])
def portal_settings(request: pytest.FixtureRequest, gitlab: FakeGitLabCi) -> Mapping[str, Any]:
    host = {"name": "code", "type": "gitlab", "url": gitlab.base, "token": TOKEN,
            "webhook_secrets": [deliveries.SECRET]}  # fmt: skip
    settings: dict[str, Any] = {
        "access": {"anonymous": "administrator"},
        "http": {"allow_hosts": ["127.0.0.1"], "retries": 0},
        "plugins": {
            "settings": {"scm_hosts": {"hosts": [host]}, "ci_tekton": {"gitlab": {"enabled": True}}}
        },
    }
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        settings["database"] = {"url": server.url(server.create_empty())}
    return settings


BOTH = pytest.mark.parametrize(
    "portal_settings",
    ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)],
    indirect=True,
)


@pytest.fixture
def orders(gitlab: FakeGitLabCi) -> Project:
    return gitlab.project("shop/orders")


@pytest.fixture
def read(portal: PortalUnderTest, gitlab: FakeGitLabCi, clock: Clock) -> Callable[..., None]:
    """Give what lets time pass, and all be done that is due then."""

    def work() -> None:
        while portal.run_jobs():
            pass

    def read(*names: str, step: timedelta = timedelta(seconds=31)) -> None:
        for name in names:
            portal.catalog_add(ORDERS.format(name=name, base=gitlab.base))
        if names:
            match_catalog(portal.host("ci_tekton"))
            portal.host("ci_tekton").submit("gitlab_find")
            work()
        clock.advance(step)
        work()

    return read


def rows(portal: PortalUnderTest, table: Any = models.run) -> list[Any]:
    with portal.host("ci_tekton").read() as connection:
        return list(connection.execute(select(table).order_by(table.c.id)).all())


def states(portal: PortalUnderTest) -> dict[str, str]:
    return {row.name: row.state for row in rows(portal)}


def project_of(portal: PortalUnderTest) -> Any:
    (row,) = rows(portal, models.project)
    return row


@BOTH
def test_pipelines_are_shown_where_they_belong(
    portal: PortalUnderTest, gitlab: FakeGitLabCi, orders: Project, read: Callable[..., None]
) -> None:
    orders.changes[7] = "fix/price"
    orders.lint = [{"name": "lint", "needs": None}, {"name": "test", "needs": []},
                   {"name": "build", "needs": [{"name": "test"}]}]  # fmt: skip
    orders.add(101, "success", job(1, "lint"), job(2, "test", "failed"), job(3, "test"),
               job(4, "build", stage="build"))  # fmt: skip
    orders.add(102, "failed", job(5, "test", "failed", failure_reason="script_failure"),
               source="merge_request_event", ref="refs/merge-requests/7/head")  # fmt: skip
    orders.add(103, "failed", job(6, "test", "failed"), ref="feature")
    gitlab.per_page = 2
    read("orders")
    assert states(portal) == {"#1": "succeeded", "#2": "failed", "#3": "failed"}
    first, change = (next(row for row in rows(portal) if row.name == name) for name in ("#1", "#2"))
    assert (first.retries, first.tasks, first.tasks_done, first.duration) == (1, 3, 3, 90)
    assert (change.branch, change.change, change.trigger) == ("fix/price", "!7", "merge_request")
    page = portal.client.get(TAB).text
    assert "shop/orders #1" in page
    assert "fix/price" in page
    assert "shop/orders #3" in portal.client.get("/ci_tekton/").text
    assert "shop/orders #1" not in portal.client.get("/ci_tekton/unmatched").text
    with portal.host("ci_tekton").read() as connection:
        newest = load_latest(connection, [REF])[REF]
        assert [row.name for row in newest] == ["#1"], "work under way says nothing of the service"
        graph = connection.execute(
            select(models.detail.c.graph).where(models.detail.c.run_id == first.id)
        ).scalar_one()
    assert {node["name"]: node["after"] for node in graph["nodes"]}["build"] == ["test"]
    figures = portal.client.get("/api/plugins/ci_tekton/statistics").json()["items"]
    assert [item["name"] for item in figures] == ["code/shop/orders/gitlab-ci"]
    projects = portal.client.get("/ci_tekton/gitlab").text
    assert "shop/orders" in projects
    gitlab.clear()
    read(step=timedelta(minutes=6))
    assert len(gitlab.requests) == 1, "what is kept as it is is not read again"
    assert "updated_after" in gitlab.requests[0]


def test_one_that_is_killed_goes_on(
    portal: PortalUnderTest, gitlab: FakeGitLabCi, orders: Project,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for number in range(101, 113):
        orders.add(number, "success", job(number * 10, "test"))
    for name, value in (("MOST", 4), ("PAGE", 3), ("NEWEST", 2)):
        monkeypatch.setattr(reading, name, value)
    host = portal.host("ci_tekton")
    portal.catalog_add(ORDERS.format(name="orders", base=gitlab.base))
    match_catalog(host)
    find_projects(host)
    find_projects(host)
    context = JobContext(
        host=host, run=1, payload={"project": project_of(portal).id}, attempt=1,
        progress=lambda *_: None,
    )  # fmt: skip
    kept = []

    def dies(*arguments: Any) -> None:
        keep_pipeline(*arguments)
        kept.append(arguments)
        if len(kept) == 5:
            raise KeyboardInterrupt

    monkeypatch.setattr("callboard_ci_tekton.gitlab.reading.keep_pipeline", dies)
    with pytest.raises(KeyboardInterrupt):
        reading.run_project(context)
    assert set(states(portal)) == {"#12", "#11", "#1", "#2"}, "the newest are read first"
    monkeypatch.setattr("callboard_ci_tekton.gitlab.reading.keep_pipeline", keep_pipeline)
    for _turn in range(4):
        reading.run_project(context)
    assert len(states(portal)) == len(rows(portal)) == 12
    assert len(rows(portal, models.task)) == 12
    assert written(project_of(portal).read_until) == orders.pipelines[112]["updated_at"]
    assert project_of(portal).due_at > host.now()


def told(
    gitlab: FakeGitLabCi, word: str, content: Mapping[str, Any], number: int
) -> deliveries.Sent:
    of = deliveries.Repository(base=gitlab.base)
    content = {**content, "project": deliveries.gitlab_project(of)}
    return deliveries.gitlab_sent(content, word, number)


def post(portal: PortalUnderTest, sent: deliveries.Sent) -> Any:
    headers = [(name.encode(), value.encode()) for name, value in sent.headers.items()]
    return portal.client.post(HOOK, content=sent.body, headers=headers)


def test_a_delivery_is_a_hint(
    portal: PortalUnderTest, gitlab: FakeGitLabCi, orders: Project, read: Callable[..., None],
    clock: Clock,
) -> None:  # fmt: skip
    orders.add(101, "success")
    read("orders")
    orders.add(102, "running", job(7, "test", "running"), at=clock())
    variables = [{"key": "PASSWORD", "value": "hunter22"}]
    attributes = {"id": 102, "status": "failed", "variables": variables}
    sent = told(gitlab, "Pipeline Hook", {"object_kind": "pipeline",
                                          "object_attributes": attributes}, 1)  # fmt: skip
    forged = sent.with_headers(x_gitlab_token="wrong")
    assert post(portal, forged).status_code == 401
    answer = post(portal, sent)
    assert answer.status_code == 202
    read(step=timedelta(0))
    assert states(portal)["#2"] == "running", "as it is, not as the delivery says"
    page = portal.client.get(f"/deliveries/{answer.json()['delivery']}").text
    assert "Pipeline 102 changed" in page
    assert "hunter22" not in page
    orders.jobs[102] = [job(7, "test", "success")]
    orders.turn(102, "success", clock() + timedelta(minutes=5))
    content = {"object_kind": "build", "build_id": 7, "pipeline_id": 102, "build_status": "failed"}
    assert post(portal, told(gitlab, "Job Hook", content, 2)).status_code == 202
    read(step=timedelta(0))
    assert states(portal)["#2"] == "succeeded"
    gitlab.faults.append(lambda path: Answer({}, 502))
    assert post(portal, told(gitlab, "Job Hook", content, 3)).status_code == 202
    read(step=timedelta(0))
    assert states(portal)["#2"] == "succeeded"
    assert "answered with status 502" in portal.client.get(TAB).text


def test_what_runs_is_followed_and_what_goes_is_noted(
    portal: PortalUnderTest, orders: Project, read: Callable[..., None], clock: Clock
) -> None:
    orders.add(101, "running", job(1, "test", "running"), job(2, "deploy", "created"), at=clock())
    orders.add(102, "running", job(3, "test", "running"), at=clock())
    read("orders")
    assert portal.client.get(TAB).text.count("shop/orders #") == 2
    # The pipeline itself is as it was: only its job has changed.
    orders.jobs[101] = [job(1, "test", "success"), job(2, "deploy", "manual")]
    del orders.pipelines[102]
    read(step=timedelta(seconds=61))
    first = next(row.id for row in rows(portal) if row.name == "#1")
    tasks = {row.name: row.state for row in rows(portal, models.task) if row.run_id == first}
    assert tasks == {"test": "succeeded", "deploy": "held"}
    gone = next(row for row in rows(portal) if row.name == "#2")
    assert (gone.state, gone.gone) == ("deleted", True)
    assert "gone from GitLab" in portal.client.get(TAB).text
    orders.turn(101, "failed", clock() + timedelta(minutes=5))
    read(step=timedelta(seconds=61))
    assert states(portal)["#1"] == "failed"
    orders.turn(101, "running", clock() + timedelta(minutes=10))
    read(step=timedelta(minutes=6))
    assert states(portal)["#1"] == "running", "a job that is tried again opens a pipeline anew"


def test_what_cannot_be_read_says_so_and_hinders_nothing(
    portal: PortalUnderTest, gitlab: FakeGitLabCi, orders: Project, read: Callable[..., None]
) -> None:
    stock = gitlab.project("shop/stock")
    tools = gitlab.project("shop/tools", access="disabled")
    for number, project in ((101, orders), (201, stock), (301, tools)):
        project.add(number, "success")
    refused = [True]
    gitlab.faults.append(lambda path: Answer({}, 401) if refused[0] and "orders" in path else None)
    read("orders", "stock", "tools")
    found = {row.path: row for row in rows(portal, models.project)}
    assert {path: row.state for path, row in found.items()} == {
        "shop/orders": "failed", "shop/stock": "read", "shop/tools": "off",
    }  # fmt: skip
    assert [row.namespace for row in rows(portal)] == ["shop/stock"]
    page = portal.client.get(TAB).text
    assert "refused the token" in page
    assert TOKEN not in page
    assert "refused the token" not in portal.client.get(TAB.replace("orders", "stock")).text
    assert "refused the token" in portal.client.get("/ci_tekton/gitlab?show=failing").text
    figure = 'callboard_ci_tekton_failing_projects{host="code"} '
    assert f"{figure}1" in portal.client.get("/metrics").text
    refused[0] = False
    read(step=timedelta(minutes=11))
    assert {row.namespace for row in rows(portal)} == {"shop/orders", "shop/stock"}
    assert "refused the token" not in portal.client.get(TAB).text


def test_a_host_that_asks_for_patience_is_left_alone(
    portal: PortalUnderTest, gitlab: FakeGitLabCi, orders: Project, read: Callable[..., None]
) -> None:
    orders.add(101, "success")
    gitlab.faults.append(lambda path: Answer({}, 429, {"Retry-After": "600"}))
    read("orders")
    row = project_of(portal)
    assert (row.state, row.failures) == ("new", 1)
    assert "left alone" in portal.client.get(TAB).text
    gitlab.clear()
    read(step=timedelta(minutes=5))
    assert gitlab.requests == []
    gitlab.faults.clear()
    read(step=timedelta(minutes=10))
    assert states(portal) == {"#1": "succeeded"}
    assert project_of(portal).failing_since is None


def test_projects_come_with_entities(
    portal: PortalUnderTest, gitlab: FakeGitLabCi, orders: Project, read: Callable[..., None]
) -> None:
    orders.add(101, "success")
    read("orders")
    assert [row.path for row in rows(portal, models.project)] == ["shop/orders"]
    name = gitlab.base.removeprefix("http://")
    portal.catalog_add(
        "apiVersion: backstage.io/v1alpha1\nkind: API\nmetadata:\n  name: prices\n"
        "  annotations:\n    gitlab.com/project-slug: shop/prices\n"
        f"    gitlab.com/instance: {name}\n"
        "spec: {type: openapi, lifecycle: production, owner: team, definition: x}\n"
    )
    gitlab.project("shop/prices").add(301, "success")
    for _turn in range(3):
        read(step=timedelta(minutes=6))
    assert [row.path for row in rows(portal, models.project)] == ["shop/orders", "shop/prices"]
    path = "/catalog/default/api/prices/ci_tekton.runs"
    assert "shop/prices #201" in portal.client.get(path).text


def test_logs_are_read_as_they_are(
    portal: PortalUnderTest, orders: Project, read: Callable[..., None]
) -> None:
    orders.add(101, "success", job(7, "test"), job(8, "lint"))
    orders.traces[7] = b"\x1b[32mpassed\x1b[0m\n" * 1000
    read("orders")
    host = portal.host("ci_tekton")
    tasks = {row.name: row for row in rows(portal, models.task)}
    assert len(list(lines(trace(host, tasks["test"])))) == 1000
    with pytest.raises(NotFoundError):
        list(trace(host, tasks["lint"]))


def test_the_log_of_a_job_is_followed_while_it_grows(
    portal: PortalUnderTest, orders: Project, read: Callable[..., None], clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sources, "POLL_SECONDS", 0.01)
    orders.add(101, "running", job(7, "test", "running"))
    wanted = [f"line {number}" for number in range(300)]
    whole = "\n".join(wanted).encode() + b"\n"
    orders.traces[7] = whole[:1003]
    read("orders")
    [row] = rows(portal, models.task)
    address = f"/api/plugins/ci_tekton/logs/{row.id}/job"
    with hub_of(portal.host("ci_tekton")).follow(row, "job") as follow:
        for cut in range(1003, len(whole), 211):
            orders.traces[7] = whole[:cut]
            # All that is there, but the last line that has an end.
            follow.wait(whole[:cut].count(b"\n") - 2, 30)
            assert follow.total == whole[:cut].count(b"\n") - 1
        orders.traces[7] = whole
        orders.jobs[101] = [job(7, "test", "success")]
        orders.turn(101, "success", clock() + timedelta(hours=2))
        read(step=timedelta(seconds=61))
        assert states(portal) == {"#1": "succeeded"}
        while not follow.ended:
            before = follow.total
            follow.wait(before, 30)
            assert follow.ended or follow.total > before
        assert [text for _number, _at, text in follow.spool.read(1, 1000)] == wanted
    page = portal.client.get(address).json()
    assert (page["state"], [line["text"] for line in page["lines"]]) == ("kept", wanted)
    del orders.traces[7]  # GitLab has erased it
    assert portal.client.get(address).json()["total"] == 300


def test_logs_of_jobs_that_ended_before_the_first_look_stay_where_they_are(
    portal: PortalUnderTest, orders: Project, read: Callable[..., None], clock: Clock
) -> None:
    orders.traces |= {7: b"old\n", 8: b"new\n"}
    minutes = (clock() - START).total_seconds() / 60
    orders.add(101, "success", job(7, "build", minute=minutes - 60 * 25))
    orders.add(102, "success", job(8, "build", minute=minutes - 60))
    read("orders")
    tasks = {row.uid: row.id for row in rows(portal, models.task)}
    with portal.host("ci_tekton").read() as connection:
        [kept] = connection.execute(select(models.log)).all()
    assert (kept.task_id, kept.state) == (tasks["8"], "kept")
    old = tasks["7"]
    page = portal.client.get(f"/api/plugins/ci_tekton/logs/{old}/job").json()
    assert [line["text"] for line in page["lines"]] == ["old"]
