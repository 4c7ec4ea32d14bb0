"""What the controllers do beyond what was recorded, and what they leave alone."""

import string
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from time import sleep
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tekton_site import (
    BEGIN,
    CUSTOM_RUNS,
    NAMESPACE,
    PIPELINE_RUNS,
    TASK_RUNS,
    Site,
    state,
    tekton_site,
)

from callboard.errors import SettingsError
from callboard_sandbox.controllers import Plan
from callboard_sandbox.controllers.graph import combinations, cycle, parents
from callboard_sandbox.controllers.names import child_name
from callboard_sandbox.controllers.times import seconds
from callboard_sandbox.controllers.values import replaced, result_references
from callboard_sandbox.running import Cluster
from callboard_sandbox.settings import SandboxSettings

Json = dict[str, Any]

RULES: list[Json] = [
    {"match": {"task": "build"}, "seconds": 20, "log": [f"line {n}" for n in range(10)]},
    {"match": {"run": "broken*", "task": "build"}, "exit": 2, "log": ["no such file"]},
    {"match": {"run": "hanging*", "task": "build"}, "mode": "hang"},
]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with tekton_site(tmp_path, Plan(RULES)) as site:
        yield site


def task(name: str, **more: Any) -> Json:
    steps = [{"name": "work", "image": "registry.example.test/tools/sh:1", "script": "true"}]
    return {"name": name, "taskSpec": {"steps": steps}, **more}


def pipeline_run(name: str, tasks: list[Json], **more: Any) -> Json:
    spec = {"tasks": tasks, "finally": more.pop("last", [task("tell")])}
    return {
        "apiVersion": "tekton.dev/v1",
        "kind": "PipelineRun",
        "metadata": {"name": name},
        "spec": {"pipelineSpec": spec, **more},
    }


def build(site: Site, name: str, **more: Any) -> None:
    tasks = [task("build"), task("ship", runAfter=["build"])]
    site.apply(pipeline_run(name, tasks, **more))


def started(site: Site, name: str) -> bool:
    found = site.store.find(TASK_RUNS, NAMESPACE, name)
    return found is not None and state(found)[1] == "Running"


def names(site: Site, resource: str) -> list[str]:
    return [found["metadata"]["name"] for found in site.store.list(resource, NAMESPACE)]


def test_new_controllers_take_up_what_others_left(site: Site) -> None:
    build(site, "app")
    for _ in range(200):
        site.settle(lambda: True)
        run = site.get("app")
        if state(run)[0] == "True":
            break
        # As if the process was killed after each step, with what it knew.
        site.controllers = site.begin_controllers()
        due = site.controllers.step()
        site.clock.now = max(site.clock.now, due or site.clock.now)
    message = "Tasks Completed: 3 (Failed: 0, Cancelled 0), Skipped: 0"
    assert state(run) == ("True", "Succeeded", message)
    assert site.log("app-build-pod", "step-work") == [f"line {n}" for n in range(10)]
    assert names(site, "pods") == ["app-build-pod", "app-ship-pod", "app-tell-pod"]


def test_lines_come_while_the_step_runs(site: Site) -> None:
    build(site, "app")
    site.settle(lambda: started(site, "app-build"))
    seen = []
    for _ in range(6):
        site.clock.advance(4)
        site.controllers.step()
        seen.append(len(site.log("app-build-pod", "step-work")))
    assert seen[0] < seen[2] < seen[-1] == 10


def test_speed_makes_time_short(tmp_path: Path) -> None:
    lasted = []
    for speed in (1.0, 10.0):
        with tekton_site(tmp_path / str(speed), Plan(RULES), speed=speed) as site:
            begin = site.clock.now
            build(site, "app")
            site.finish("app")
            lasted.append((site.clock.now - begin).total_seconds())
    assert lasted[1] == pytest.approx(lasted[0] / 10, rel=0.1)


@pytest.mark.parametrize(
    ("wish", "reason", "last_runs"),
    [
        ("Cancelled", "Cancelled", False),
        ("CancelledRunFinally", "Cancelled", True),
        ("StoppedRunFinally", "Cancelled", True),
    ],
)
def test_a_run_is_stopped_in_three_ways(
    site: Site, wish: str, reason: str, last_runs: bool
) -> None:
    build(site, "app")
    site.settle(lambda: started(site, "app-build"))
    site.patch("app", wish)
    run = site.finish("app")
    assert state(run)[:2] == ("False", reason)
    assert ("app-tell" in names(site, TASK_RUNS)) is last_runs
    assert "app-ship" not in names(site, TASK_RUNS)
    ended = state(site.get("app-build", TASK_RUNS))[1]
    assert ended == ("Succeeded" if wish == "StoppedRunFinally" else "TaskRunCancelled")
    assert ("app-build-pod" in names(site, "pods")) is (ended == "Succeeded")


def test_one_task_is_cancelled_by_itself(site: Site) -> None:
    build(site, "app")
    site.settle(lambda: started(site, "app-build"))
    site.patch("app-build", "TaskRunCancelled", TASK_RUNS)
    run = site.finish("app")
    message = "Tasks Completed: 2 (Failed: 0, Cancelled 1), Skipped: 1"
    assert state(run) == ("False", "Cancelled", message)


def test_a_held_run_waits_until_it_is_let_go(site: Site) -> None:
    build(site, "app", status="PipelineRunPending")
    site.settle()
    assert state(site.get("app"))[:2] == ("Unknown", "PipelineRunPending")
    assert not names(site, TASK_RUNS)
    site.patch("app", "")
    assert state(site.finish("app"))[1] == "Succeeded"


def test_the_time_of_finally_tasks_is_bounded(site: Site) -> None:
    slow = task("build")
    body = pipeline_run("hanging", [task("quick")], last=[slow], timeouts={"finally": "30s"})
    site.apply(body)
    site.settle(longest=timedelta(minutes=2))
    run = site.get("hanging")
    assert state(run)[:2] == ("False", "Cancelled")
    assert state(site.get("hanging-build", TASK_RUNS))[1] == "TaskRunCancelled"


def test_custom_tasks_wait_and_are_cancelled_with_their_run(site: Site) -> None:
    reference = {"apiVersion": "approvals.example.test/v1", "kind": "Approval", "name": "gate"}
    gate = {"name": "approve", "taskRef": reference}
    site.apply(pipeline_run("app", [gate, task("ship", runAfter=["approve"])]))
    site.settle()
    assert state(site.get("app"))[1] == "Running"
    assert names(site, TASK_RUNS) == []
    site.patch("app", "Cancelled")
    site.finish("app")
    assert state(site.get("app-approve", CUSTOM_RUNS))[:2] == ("False", "CustomRunCancelled")


def test_a_task_that_may_fail_does_not_fail_the_run(site: Site) -> None:
    site.apply(pipeline_run("broken", [task("build", onError="continue")]))
    run = site.finish("broken")
    assert state(run) == ("True", "Completed",
                          "Tasks Completed: 2 (Failed: 1, Cancelled 0), Skipped: 0")  # fmt: skip


def test_a_missing_task_is_named(site: Site) -> None:
    site.apply(pipeline_run("app", [{"name": "build", "taskRef": {"name": "no-such-task"}}]))
    status, reason, message = state(site.finish("app"))
    assert (status, reason) == ("False", "CouldntGetTask")
    assert 'tasks.tekton.dev "no-such-task" not found' in message


def test_a_claim_of_an_unknown_class_keeps_the_pod_waiting(site: Site) -> None:
    claim = {
        "storageClassName": "no-such-class",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    shared = [{"name": "shared", "volumeClaimTemplate": {"spec": claim}}]
    body = pipeline_run("app", [task("build", workspaces=[{"name": "shared"}])], workspaces=shared)
    body["spec"]["pipelineSpec"]["workspaces"] = [{"name": "shared"}]
    site.apply(body)
    site.settle()
    _, reason, message = state(site.get("app-build", TASK_RUNS))
    assert reason == "Pending"
    assert "unbound immediate PersistentVolumeClaims" in message
    said = {event["reason"] for event in site.store.list("events", NAMESPACE)}
    assert {"ProvisioningFailed", "FailedScheduling"} <= said


def test_a_service_account_that_is_missing_is_named(site: Site) -> None:
    build(site, "app", taskRunTemplate={"serviceAccountName": "builder"})
    assert state(site.finish("app"))[:2] == ("False", "Failed")
    _, reason, message = state(site.get("app-build", TASK_RUNS))
    assert reason == "PodCreationFailed"
    assert f"error looking up service account {NAMESPACE}/builder" in message


def test_a_run_waits_for_room_in_the_quota(site: Site) -> None:
    quota: Json = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "small", "namespace": NAMESPACE},
        "spec": {"hard": {"pods": "0"}},
    }
    site.store.create("resourcequotas", quota)
    build(site, "app")
    site.settle(longest=timedelta(seconds=30))
    _, reason, message = state(site.get("app-build", TASK_RUNS))
    assert reason == "ExceededResourceQuota"
    assert "exceeded quota" in message
    site.store.delete("resourcequotas", NAMESPACE, "small")
    assert state(site.finish("app"))[1] == "Succeeded"


def test_what_is_deleted_is_not_made_again(site: Site) -> None:
    build(site, "app")
    site.settle(lambda: started(site, "app-build"))
    site.store.delete(PIPELINE_RUNS, NAMESPACE, "app")
    while site.store.collect():
        pass
    site.settle()
    assert names(site, TASK_RUNS) == names(site, "pods") == []


def test_ended_runs_beyond_the_number_kept_are_deleted(tmp_path: Path) -> None:
    from callboard_sandbox.controllers import Controllers

    with tekton_site(tmp_path, Plan()) as site:
        site.controllers = Controllers(site.store, clock=site.clock, plan=site.plan, keep=2)
        for number in range(4):
            body = pipeline_run(f"app-{number}", [task("build")])
            body["metadata"]["labels"] = {"tekton.dev/pipeline": "app"}
            site.apply(body)
            site.settle()
            site.clock.advance(60)
        # An inline specification is its own pipeline, so nothing of the others is in surplus.
        assert len(names(site, PIPELINE_RUNS)) == 4
        spec = {"tasks": [task("build")]}
        site.apply({"apiVersion": "tekton.dev/v1", "kind": "Pipeline",
                    "metadata": {"name": "app"}, "spec": spec})  # fmt: skip
        for number in range(4):
            body = pipeline_run(f"ref-{number}", [])
            body["spec"] = {"pipelineRef": {"name": "app"}}
            site.apply(body)
            site.settle()
            site.clock.advance(60)
        assert [name for name in names(site, PIPELINE_RUNS) if "ref" in name] == ["ref-2", "ref-3"]


def test_a_broken_object_does_not_hold_up_others(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    broken = pipeline_run("broken-body", [{"taskSpec": {"steps": [{"image": "x"}]}}])
    site.store.create(PIPELINE_RUNS, broken | {"metadata": {"name": "a", "namespace": NAMESPACE}})
    build(site, "app")
    stop = Event()
    thread = Thread(target=site.controllers.run, args=(stop,))
    thread.start()
    try:
        wait_for(lambda: "app-build-pod" in names(site, "pods"))
    finally:
        stop.set()
        thread.join(20)
    assert "goes on with other objects" in caplog.text


def wait_for(what: Callable[[], bool]) -> None:
    for _ in range(500):
        if what():
            return
        sleep(0.02)
    raise AssertionError("it did not come")


def test_the_same_seed_gives_the_same_course(tmp_path: Path) -> None:
    logs = []
    for folder in ("one", "two"):
        with tekton_site(tmp_path / folder, Plan(seed=7)) as site:
            build(site, "app")
            site.finish("app")
            logs.append((site.log("app-build-pod", "step-work"), site.clock.now))
    assert logs[0] == logs[1]


# The parts


@given(st.text(string.ascii_lowercase + "-", min_size=1, max_size=120).map(lambda t: f"a{t}"))
def test_names_of_children_fit_into_labels(parent: str) -> None:
    first, second = child_name(parent, "-unit-test"), child_name(parent, "-unit-tests")
    assert len(first) <= 63
    assert first != second
    assert first.startswith(parent[:20])


@given(st.dictionaries(st.sampled_from("abcd"), st.lists(st.text(max_size=3), max_size=3)))
def test_a_matrix_has_every_combination_once(values: dict[str, list[str]]) -> None:
    params = [{"name": name, "value": value} for name, value in values.items()]
    found = combinations({"params": params})
    expected = 1 if values else 0
    for value in values.values():
        expected *= len(value)
    assert len(found) == expected
    assert all(run.keys() == values.keys() for run in found)


@given(st.text())
def test_what_is_not_known_is_left_as_it_is(text: str) -> None:
    assert replaced(text, {}) == text


def test_references_are_found_and_replaced() -> None:
    table: dict[str, Any] = {"params.list": ["a", "b"], "params.map": {"k": "v"}, "params.x": "1"}
    template = ["$(params.list[*])", "$(params.list[1])", "$(params.map.k)", '$(params["x"])']
    assert replaced(template, table) == ["a", "b", "b", "v", "1"]
    used = "$(tasks.clone.results.commit) $(tasks.build.results.urls[0])"
    assert result_references(used) == [("clone", "commit"), ("build", "urls")]


def test_tasks_in_a_circle_are_found() -> None:
    tasks: list[Json] = [
        {"name": "a", "runAfter": ["b"]},
        {"name": "b", "runAfter": ["a"]},
        {"name": "c"},
    ]
    assert cycle(parents(tasks)) == ("a", "b")
    assert cycle(parents(tasks[2:])) is None


@pytest.mark.parametrize(
    ("text", "expected"), [("1h0m0s", 3600), ("90s", 90), ("1m30.5s", 90.5), ("0", 0), ("", 0)]
)
def test_durations_are_read(text: str, expected: float) -> None:
    assert seconds(text) == expected


def test_a_plan_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"rules": [{"match": {"task": "build"}, "seconds": 3, "log": ["at {now}"]}]}')
    with tekton_site(tmp_path / "state", Plan.read(path)) as site:
        build(site, "app")
        site.finish("app")
        (line,) = site.log("app-build-pod", "step-work")
    assert line.startswith("at 2026-11-20T10:1")


@pytest.mark.parametrize("text", ["", "[]", '{"rules": [1]}', "{}"])
def test_what_is_no_plan_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"rules|Expecting value"):
        Plan.read(path)
    settings = SandboxSettings(serve=True, port=0, plan=path)
    with pytest.raises(SettingsError, match="plan"):
        Cluster(tmp_path / "state", settings, clock=lambda: BEGIN)
