"""The page of one run: what it shows of recorded runs, what it says, and what it costs."""

import html
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sandbox_api import TOKENS, serving
from sqlalchemy import event, select

from callboard.events import log
from callboard.testing import Clock, absent
from callboard_ci_tekton import models
from callboard_ci_tekton.following import CUSTOM_RUNS, PIPELINE_RUNS, TASK_RUNS
from callboard_ci_tekton.matching.entities import match_catalog
from callboard_ci_tekton.pages.hints import hint_of
from callboard_ci_tekton.pages.layout import HEIGHT, NARROW, lay_out
from callboard_ci_tekton.stuck import look
from callboard_web.testing import PortalUnderTest, portal_under_test

CORPUS = Path(__file__).parents[4] / "shared/fixtures/tekton"
RUNS = sorted(path.stem for path in (CORPUS / "pipelineruns").glob("*.json"))
NOW = datetime(2026, 11, 20, 10, 40, tzinfo=UTC)
CART = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata:
  name: cart-service
  annotations: {backstage.io/kubernetes-id: cart-service}
spec: {type: service, lifecycle: production, owner: team}
"""


def recorded(folder: str, name: str) -> Any:
    path = CORPUS / folder / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PortalUnderTest]:
    """One portal that knows all recorded runs and their tasks."""
    folder = tmp_path_factory.mktemp("runs") / "portal"
    with portal_under_test(
        folder, plugins=["ci_tekton"], settings={}, clock=Clock(NOW), templates={}
    ) as portal:
        portal.catalog_add(CART)
        match_catalog(portal.host("ci_tekton"))
        for name in RUNS:
            portal.observe("build", PIPELINE_RUNS, recorded("pipelineruns", name))
            tasks = recorded("taskruns", name) or {"items": []}
            portal.observe("build", TASK_RUNS, *tasks["items"])
        if RUNS:
            loose = recorded("objects", "taskruns_standalone")
            portal.observe("build", TASK_RUNS, *loose["items"])
            approvals = recorded("objects", "customruns_waiting")
            portal.observe("build", CUSTOM_RUNS, *approvals["items"])
        yield portal


def number_of(portal: PortalUnderTest, name: str) -> int:
    """Give the number of a run made here, or of the one recorded in a file of this name."""
    body = recorded("pipelineruns", name)
    uid = body["metadata"]["uid"] if body else f"uid-{name}"
    with portal.host("ci_tekton").read() as connection:
        query = select(models.run.c.id).where(models.run.c.uid == uid)
        return int(connection.execute(query).scalar_one())


def page_of(portal: PortalUnderTest, name: str, query: str = "") -> str:
    answer = portal.client.get(f"/ci_tekton/runs/{number_of(portal, name)}{query}")
    assert answer.status_code == 200
    return answer.text


def words_of(page: str) -> str:
    main = page.partition("<main")[2]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", main)))


@pytest.mark.corpus
@pytest.mark.parametrize("name", RUNS or [""])
def test_every_recorded_run_is_shown(site: PortalUnderTest, name: str) -> None:
    if not RUNS:
        absent("the corpus is absent")
    body = recorded("pipelineruns", name)
    page = page_of(site, name)
    resolved = body.get("status", {}).get("pipelineSpec", {})
    for task in [*resolved.get("tasks", ()), *resolved.get("finally", ())]:
        assert f"<title>{html.escape(task.get('displayName') or task['name'])}:" in page
    assert "slot-error" not in page
    # No word of the page is left in English for those who read Chinese.
    site.client.cookies.set("callboard_language", "zh-CN")
    try:
        chinese = words_of(page_of(site, name))
    finally:
        site.client.cookies.delete("callboard_language")
    for word in ("Started", "Took", "Where it ran", "not run", "to come", "Steps"):
        assert word not in chinese


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("cart-scan-fail", "trivy-scan stopped the run: step scan ended with exit code 1."),
        ("cart-imagepull", "An image cannot be pulled."),
        ("cart-oom", "A step used more memory than it may, and was ended."),
        ("cart-missing-param", "A parameter is missing."),
        ("cart-missing-workspace", "A workspace is missing."),
        ("cart-badref", "The pipeline or a task of it cannot be found."),
        ("cart-task-timeout", "slow stopped the run: it took too long."),
        ("cart-timeout-hang-build", "The run took too long."),
        ("cart-bad-result", "A task gave other results than it declares."),
        ("cart-unschedulable", "Clone does not go on. No node has room for the pod."),
        ("cart-pending", "The run is held: somebody must let it start."),
    ],
)
def test_the_head_says_what_stopped_it_and_why(site: PortalUnderTest, name: str, said: str) -> None:
    if not RUNS:
        absent("the corpus is absent")
    assert said in words_of(page_of(site, name))


@pytest.mark.corpus
def test_the_step_that_failed_is_chosen_and_others_can_be(site: PortalUnderTest) -> None:
    if not RUNS:
        absent("the corpus is absent")
    page = page_of(site, "cart-scan-fail")
    chosen = re.search(r'data-chosen="\?task=(\d+)&amp;step=step-scan"', page)
    assert chosen is not None
    assert "not run" in words_of(page)
    other = page_of(site, "cart-scan-fail", f"?task={chosen[1]}&step=step-sbom")
    assert f'data-chosen="?task={chosen[1]}&amp;step=step-sbom"' in other
    # Both attempts of the task that was tried twice are there.
    assert "Attempt 1: Failed" in words_of(page_of(site, "cart-flaky"))


@pytest.mark.corpus
def test_it_is_compared_with_the_last_good_run(site: PortalUnderTest) -> None:
    if not RUNS:
        absent("the corpus is absent")
    words = words_of(page_of(site, "cart-stopfin-slow-build"))
    assert "Since the last good run" in words
    assert "usual" in words


def a_run(name: str, minute: int, *, state: str = "True", tasks: int = 10) -> dict[str, Any]:
    reason = {"True": "Succeeded", "False": "Failed", "Unknown": "Running"}[state]
    at = f"2026-11-20T10:{minute:02}"
    ended = {} if state == "Unknown" else {"completionTime": f"{at}:50Z"}
    return {
        "apiVersion": "tekton.dev/v1", "kind": "PipelineRun",
        "metadata": {"name": name, "namespace": "shop-ci", "uid": f"uid-{name}",
                     "resourceVersion": "5", "creationTimestamp": f"{at}:00Z",
                     "labels": {"backstage.io/kubernetes-id": "cart-service"}},
        "spec": {"pipelineRef": {"name": "wide"},
                 "params": [{"name": "level", "value": name}]},
        "status": {"startTime": f"{at}:02Z", **ended,
                   "conditions": [{"type": "Succeeded", "status": state, "reason": reason}],
                   "pipelineSpec": {"tasks": [
                       {"name": f"task-{number}", "taskRef": {"name": "do"},
                        "runAfter": [f"task-{number // 2}"] if number else []}
                       for number in range(tasks)]}},
    }  # fmt: skip


def a_task(run: str, number: int, minute: int, **more: Any) -> dict[str, Any]:
    at = f"2026-11-20T10:{minute:02}"
    condition = {"type": "Succeeded", "status": "True", "reason": "Succeeded"}
    step = {"name": "do", "container": "step-do", "terminationReason": "Completed",
            "imageID": "registry.example.test/do@sha256:1",
            "terminated": {"exitCode": 0, "reason": "Completed", "startedAt": f"{at}:05Z",
                           "finishedAt": f"{at}:15Z"}}  # fmt: skip
    return {
        "apiVersion": "tekton.dev/v1", "kind": "TaskRun",
        "metadata": {"name": f"{run}-{number}", "namespace": "shop-ci",
                     "uid": f"uid-{run}-{number}", "resourceVersion": more.pop("version", "5"),
                     "creationTimestamp": f"{at}:03Z",
                     "labels": {"tekton.dev/pipelineRunUID": f"uid-{run}",
                                "tekton.dev/pipelineTask": f"task-{number}"}},
        "spec": {"taskRef": {"name": "do"}},
        "status": {"startTime": f"{at}:04Z", "completionTime": f"{at}:16Z", "podName": f"{run}-pod",
                   "conditions": [condition], "steps": [step], **more},
    }  # fmt: skip


WAITING = {
    "conditions": [{"type": "Succeeded", "status": "Unknown", "reason": "Pending"}],
    "steps": [], "completionTime": None,
}  # fmt: skip


def test_a_page_costs_the_same_statements_whatever_the_run_has(site: PortalUnderTest) -> None:
    asked: list[str] = []
    engine = site.runtime.database.engine
    event.listen(engine, "before_cursor_execute", lambda _c, _k, said, *_: asked.append(said))
    counts = []
    for minute, tasks in ((1, 10), (3, 100)):
        for name, state, at in ((f"good-{tasks}", "True", minute), (f"bad-{tasks}", "False",
                                                                    minute + 1)):  # fmt: skip
            site.observe("build", PIPELINE_RUNS, a_run(name, at, state=state, tasks=tasks))
            site.observe("build", TASK_RUNS, *(a_task(name, n, at) for n in range(tasks)))
        page_of(site, f"bad-{tasks}")
        asked.clear()
        page = page_of(site, f"bad-{tasks}")
        counts.append(sum("ci_tekton_" in said for said in asked))
        assert f"{tasks} of {tasks}" in words_of(page)
        assert f"good-{tasks}" in words_of(page)
    assert counts[0] == counts[1] < 20


def test_what_changes_is_told_to_open_pages(site: PortalUnderTest) -> None:
    site.observe("build", PIPELINE_RUNS, a_run("going", 9, state="Unknown", tasks=2))
    number = number_of(site, "going")
    before = _newest(site)
    site.observe("build", TASK_RUNS, a_task("going", 0, 9, version="6", **WAITING))
    site.observe("build", TASK_RUNS, a_task("going", 0, 9, version="6", **WAITING))
    told = _told(site, before)
    assert told == [("ci_tekton.task.changed", str(number))]
    page = page_of(site, "going")
    assert page.count(f'data-live-subject="{number}"') == 5
    # The log is in no part that is loaded anew.
    beside = page.partition('id="ci-run-pane"')[2].partition('id="ci-run-facts"')[0]
    assert 'id="log"' in beside
    assert "data-live-subject" not in beside


def test_only_those_see_it_who_may(tmp_path: Path) -> None:
    settings = {"access": {"anonymous": "viewer"}}
    with portal_under_test(
        tmp_path / "portal", plugins=["ci_tekton"], settings=settings, clock=Clock(NOW),
        templates={},
    ) as portal:  # fmt: skip
        portal.catalog_add(CART)
        match_catalog(portal.host("ci_tekton"))
        stray = a_run("stray", 1)
        stray["metadata"]["labels"] = {}
        portal.observe("build", PIPELINE_RUNS, a_run("mine", 1), stray)
        path = "/ci_tekton/runs/{}"
        assert portal.client.get(path.format(number_of(portal, "mine"))).status_code == 200
        for hidden in (number_of(portal, "stray"), 4711, "9" * 30, "x"):
            assert portal.client.get(path.format(hidden)).status_code == 404


def test_nothing_of_a_run_is_markup(site: PortalUnderTest) -> None:
    evil = "<script>alert(1)</script>"
    body = a_run("evil", 12, state="False")
    body["status"]["conditions"][0]["message"] = evil
    body["status"]["pipelineSpec"] = {"tasks": [{"name": "a", "displayName": evil}]}
    body["spec"]["params"] = [{"name": evil, "value": [evil]}]
    body["status"]["results"] = [{"name": evil, "value": "https://x.test/" + evil}]
    body["status"]["skippedTasks"] = [{"name": "a", "reason": evil}]
    site.observe("build", PIPELINE_RUNS, body)
    assert "<script>alert" not in page_of(site, "evil")


@pytest.mark.parametrize(
    ("reason", "message", "cause"),
    [
        ("Unschedulable", "0/3 nodes: pod has unbound immediate PersistentVolumeClaims.",
         "bound to nothing"),
        ("FailedScheduling", "0/3 nodes are available: 1 Insufficient cpu, 2 had untolerated taint",
         "No node has room"),
        ("FailedScheduling", "0/1 nodes are available: 1 node(s) had untolerated taint {a: b}.",
         "taints"),
        ("ImagePullBackOff", "Back-off pulling image \"x\"", "cannot be pulled"),
        ("Failed", "Failed to pull image \"x\": 401 Unauthorized", "asks who wants it"),
        ("FailedMount", "MountVolume.SetUp failed: secret \"key\" not found", "Secret"),
        ("ExceededResourceQuota", "TaskRun Pod exceeded quota", "quota"),
        ("PodCreationFailed", "serviceaccounts \"ci\" not found", "service account"),
        ("PodCreationFailed", "pods \"x\" is forbidden: violates PodSecurity \"restricted\"",
         "policy"),
        ("StepFailed", "\"step-a\" exited with code 127: Error", "not in its image"),
    ],
)  # fmt: skip
def test_causes_are_told_by_reasons_and_messages(reason: str, message: str, cause: str) -> None:
    hint = hint_of(reason, message)
    assert hint is not None
    assert cause in str(hint.cause)
    assert str(hint.todo)


def test_a_plain_failure_has_no_cause_made_up() -> None:
    assert hint_of("StepFailed", '"step-test" exited with code 1: Error') is None


@st.composite
def pipelines(draw: st.DrawFn) -> tuple[list[set[int]], set[int]]:
    count = draw(st.integers(1, 25))
    after = [
        draw(st.sets(st.integers(0, number - 1), max_size=4)) if number else set()
        for number in range(count)
    ]
    last = draw(st.sets(st.integers(0, count - 1), max_size=3))
    return [set() if n in last else given - last for n, given in enumerate(after)], last


@given(pipelines())
def test_tasks_stand_apart_and_lines_lead_to_the_right(
    pipeline: tuple[list[set[int]], set[int]],
) -> None:
    after, last = pipeline
    drawing = lay_out(after, last, NARROW)
    assert drawing == lay_out(after, last, NARROW)
    for number, (x, y) in enumerate(drawing.places):
        assert 0 <= x <= drawing.width - NARROW
        assert 0 <= y <= drawing.height - HEIGHT
        assert all(drawing.places[source][0] < x for source in after[number])
        assert (x > drawing.divider) == (number in last) or not last
        for other_x, other_y in drawing.places[:number]:
            assert other_x != x or abs(other_y - y) >= HEIGHT
    # Each task that waits for any is led to, and no line is there without its reason.
    assert {line.target for line in drawing.lines} == {n for n, given in enumerate(after) if given}
    assert all(line.source in after[line.target] for line in drawing.lines)


def test_a_circle_is_drawn_all_the_same() -> None:
    drawing = lay_out([{2}, {0}, {1}], set(), NARROW)
    assert len(drawing.places) == 3


def _newest(portal: PortalUnderTest) -> int:
    with portal.host("ci_tekton").read() as connection:
        return max((item.id for item in log.read(connection, 0)), default=0)


def _told(portal: PortalUnderTest, after: int) -> list[tuple[str, str]]:
    with portal.host("ci_tekton").read() as connection:
        return [(item.kind, item.subject) for item in log.read(connection, after)
                if item.kind.startswith("ci_tekton.")]  # fmt: skip


def a_pod(name: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop-ci"},
            "spec": {"containers": [{"name": "step-do"}]},
            "status": {"phase": "Pending", **status}}  # fmt: skip


def a_warning(pod: str, reason: str, message: str, second: int) -> dict[str, Any]:
    about = {"kind": "Pod", "namespace": "shop-ci", "name": pod}
    return {"metadata": {"name": f"{pod}.{second}", "namespace": "shop-ci"},
            "involvedObject": about, "reason": reason, "message": message, "type": "Warning",
            "lastTimestamp": f"2026-11-20T10:20:{second:02}Z"}  # fmt: skip


def test_the_pods_of_tasks_that_wait_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(tmp_path / "cluster") as api:
        api.store.create("namespaces", {"metadata": {"name": "shop-ci"}})
        unbound = "0/3 nodes: pod has unbound immediate PersistentVolumeClaims."
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
                     "message": unbound}  # fmt: skip
        api.store.create("pods", a_pod("says-pod", conditions=[condition]))
        api.store.create("pods", a_pod("mute-pod"))
        missing = 'MountVolume.SetUp failed: configmap "settings" not found'
        api.store.create("events", a_warning("mute-pod", "FailedMount", missing, 9))
        api.store.create("events", a_warning("mute-pod", "Other", "before that", 3))
        api.store.create("events", a_warning("says-pod", "Other", "of another", 30))
        clusters = [{"name": "build", "server": api.server.address, "token": TOKENS["admin"]}]
        with portal_under_test(
            tmp_path / "portal", plugins=["ci_tekton"], clock=Clock(NOW), templates={},
            settings={"kubernetes": {"clusters": clusters}},
        ) as portal:  # fmt: skip
            for name in ("says", "mute"):
                portal.observe("build", PIPELINE_RUNS, a_run(name, 20, state="Unknown", tasks=1))
                portal.observe("build", TASK_RUNS, a_task(name, 0, 20, **WAITING))
            host, before = portal.host("ci_tekton"), _newest(portal)
            assert look(host) == 2
            assert {kind for kind, _subject in _told(portal, before)} == {"ci_tekton.task.changed"}
            assert look(host) == 0
            says, mute = (words_of(page_of(portal, name)) for name in ("says", "mute"))
            assert "The volume of a workspace is bound to nothing yet." in says
            assert "A Secret or ConfigMap that the task needs is not there." in mute
            assert missing in mute
            api.store.delete("pods", "shop-ci", "says-pod")
            assert look(host) == 1
            assert "bound to nothing" not in words_of(page_of(portal, "says"))
            api.server.stop()
            assert look(host) == 0  # what is known stays
            assert missing in words_of(page_of(portal, "mute"))
