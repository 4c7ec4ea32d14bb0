"""What is read of recorded runs and tasks."""

import json
from pathlib import Path
from typing import Any

import pytest

from callboard.testing import absent
from callboard_ci_tekton.runs.images import images_of
from callboard_ci_tekton.runs.origin import plain_branch
from callboard_ci_tekton.runs.parsing import parse_run, parse_task
from callboard_ci_tekton.runs.states import FINISHED, UNFINISHED

CORPUS = Path(__file__).parents[4] / "shared/fixtures/tekton"
STATES = {
    "cart-badref": "failed", "cart-bad-result": "failed", "cart-cancel-hang-build": "cancelled",
    "cart-cancelfin-hang-build": "cancelled", "cart-clone-on-fire": "failed",
    "cart-flaky": "succeeded", "cart-imagepull": "failed", "cart-inline-spec": "succeeded",
    "cart-missing-param": "failed", "cart-missing-workspace": "failed", "cart-oom": "failed",
    "cart-pending": "held", "cart-retries-spent": "failed", "cart-running-hang-build": "running",
    "cart-sbom-error": "succeeded", "cart-scan-fail": "failed",
    "cart-scan-fail-rerun-7cpq5": "running", "cart-stopfin-hang-build": "stopping",
    "cart-stopfin-slow-build": "cancelled", "cart-success": "succeeded",
    "cart-task-timeout": "failed", "cart-taskstimeout-hang-build": "timed_out",
    "cart-timeout-hang-build": "timed_out", "cart-unschedulable": "running",
    "matrix-1": "succeeded", "promote-1": "succeeded", "promote-1_waiting": "running",
}  # fmt: skip


def recorded(folder: str, name: str) -> Any:
    path = CORPUS / folder / f"{name}.json"
    if not path.exists():
        absent(f"{path.name} is not there: the corpus is absent")
    return json.loads(path.read_text("utf-8"))


@pytest.mark.corpus
@pytest.mark.parametrize("name", STATES)
def test_every_recorded_run_has_its_state(name: str) -> None:
    parsed = parse_run(recorded("pipelineruns", name))
    assert parsed.row["state"] == STATES[name]
    assert parsed.row["name"]
    assert parsed.row["pipeline"]


@pytest.mark.corpus
def test_a_graph_has_edges_of_order_and_of_results() -> None:
    graph = parse_run(recorded("pipelineruns", "cart-flaky")).detail["graph"]
    after = {node["name"]: node["after"] for node in graph["nodes"]}
    assert after["kaniko-build"] == ["unit-test", "lint", "git-clone"]
    assert after["trivy-scan"] == ["kaniko-build"]
    assert after["notify"] == ["trivy-scan"]
    assert [node["name"] for node in graph["nodes"] if node["member"] == "finally"] == ["notify"]


@pytest.mark.corpus
def test_a_push_is_told_from_its_labels() -> None:
    row = parse_run(recorded("triggers", "pipelinerun-from-push")).row
    assert row["trigger"] == "push"
    assert row["event"] == "7691c8fa-04fa-4033-978c-0e47965ea2d1"
    assert row["commit"] == "4f2c9aa0c1d54e6a8b7f3e2d1c0b9a8f7e6d5c4b"
    assert row["branch"] == ""


@pytest.mark.corpus
def test_every_attempt_of_a_task_is_kept() -> None:
    tasks = {item["metadata"]["labels"]["tekton.dev/pipelineTask"]: parse_task(item)
             for item in recorded("taskruns", "cart-flaky")["items"]}  # fmt: skip
    first, second = tasks["unit-test"]
    assert (first.row["state"], first.row["current"]) == ("failed", False)
    assert (second.row["state"], second.row["attempt"]) == ("succeeded", 2)
    assert first.row["pod"] != second.row["pod"]
    assert [step["name"] for step in second.steps if not step["sidecar"]] == ["restore", "test"]


@pytest.mark.corpus
def test_an_approval_waits_and_is_given() -> None:
    waiting = parse_task(recorded("objects", "customruns_waiting")["items"][0])
    approved = parse_task(recorded("objects", "customrun_approved"))
    assert [waiting[0].row["state"], approved[0].row["state"]] == ["waiting", "succeeded"]


@pytest.mark.corpus
def test_images_are_found_by_their_results() -> None:
    results = parse_run(recorded("pipelineruns", "cart-flaky")).detail["results"]
    (image,) = images_of(results)
    assert image.address.startswith("registry.example.test/shop/cart-service:")
    assert image.digest.startswith("sha256:1c42")


def test_an_unknown_reason_is_read_by_its_status() -> None:
    for status, state in (("True", "succeeded"), ("False", "failed"), ("Unknown", "running")):
        condition = {"type": "Succeeded", "status": status, "reason": "NeverHeardOf"}
        row = parse_run({"status": {"conditions": [condition]}}).row
        assert row["state"] == state
        assert (state in FINISHED) != (state in UNFINISHED)


def test_secrets_stand_nowhere() -> None:
    body = {
        "spec": {"params": [{"name": "registry-password", "value": "hunter2"}]},
        "status": {
            "conditions": [{"type": "Succeeded", "status": "False", "message": "hunter2 refused"}],
            "pipelineSpec": {"tasks": [
                {"name": "a", "when": [{"input": "hunter2", "operator": "in"}]}]},
        },
    }  # fmt: skip
    parsed = parse_run(body)
    assert "hunter2" not in repr([parsed.row, {**parsed.detail, "body": b""}])


def test_branches_are_plain() -> None:
    assert plain_branch("refs/heads/release/1.2") == "release/1.2"
