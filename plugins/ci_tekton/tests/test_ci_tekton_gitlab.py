"""What is read of pipelines and jobs of GitLab, and of the logs of jobs."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from fake_gitlab_ci import START, Project, job
from hypothesis import given
from hypothesis import strategies as st

from callboard_ci_tekton.gitlab.graph import group_of, needs_of
from callboard_ci_tekton.gitlab.hints import HINTS, hint_of
from callboard_ci_tekton.gitlab.parsing import Parsed, parse_pipeline
from callboard_ci_tekton.gitlab.states import state_of, trigger_of
from callboard_ci_tekton.gitlab.traces import lines
from callboard_ci_tekton.runs.states import FINISHED, UNFINISHED

STATES = {
    "created": "waiting", "waiting_for_resource": "waiting", "preparing": "waiting",
    "pending": "waiting", "scheduled": "waiting", "running": "running", "success": "succeeded",
    "failed": "failed", "canceled": "cancelled", "canceling": "stopping", "skipped": "skipped",
    "manual": "held", "never_heard_of": "running",
}  # fmt: skip


def parsed(*jobs: dict[str, Any], status: str = "success", **more: Any) -> Parsed:
    given = {name: more.pop(name) for name in ("bridges", "needs", "branch", "main") if
             name in more}  # fmt: skip
    pipeline = Project("shop/orders").add(112, status, **more)
    bridges = given.pop("bridges", [])
    return parse_pipeline(
        pipeline, jobs, bridges, path="shop/orders",
        repository="https://git.example.org/shop/orders", **given,
    )  # fmt: skip


def after(found: Parsed) -> dict[str, list[str]]:
    return {node["name"]: node["after"] for node in found.run.detail["graph"]["nodes"]}


@pytest.mark.parametrize("status", STATES)
def test_every_status_has_its_state(status: str) -> None:
    found = parsed(job(1, "test", status), status=status)
    assert found.run.row["state"] == found.tasks[0].row["state"] == STATES[status]
    assert STATES[status] in FINISHED | UNFINISHED


def test_a_job_out_of_time_says_so() -> None:
    assert state_of("failed", "job_execution_timeout") == "timed_out"
    assert state_of("success", "job_execution_timeout") == "succeeded"


@pytest.mark.parametrize(
    ("source", "tag", "trigger"),
    [("push", False, "push"), ("push", True, "tag"), ("schedule", False, "schedule"),
     ("web", True, "person"), ("trigger", False, "other"), ("api", False, "other"),
     ("merge_request_event", False, "merge_request"), ("chat", False, "person")],
)  # fmt: skip
def test_what_set_it_off(source: str, tag: bool, trigger: str) -> None:
    assert trigger_of(source, tag=tag) == trigger


def test_a_pipeline_becomes_a_run() -> None:
    row = parsed(job(1, "test"), coverage="87.5", name="Nightly").run.row
    assert (row["name"], row["uid"], row["pipeline"]) == ("#12", "112", "gitlab-ci")
    assert (row["title"], row["actor"], row["author"]) == ("Nightly", "li", "Li Wei")
    assert row["commit_title"] == "Change 价格"
    assert row["duration"] == 90
    assert row["link"] == "https://git.example.org/shop/orders/-/pipelines/112"
    assert row["finished_at"] == START + timedelta(minutes=112, seconds=100)


def test_a_merge_request_is_aside() -> None:
    row = parsed(
        job(1, "test"), source="merge_request_event", ref="refs/merge-requests/7/head",
        branch="fix/price", main="main",
    ).run.row  # fmt: skip
    assert (row["trigger"], row["change"], row["branch"]) == ("merge_request", "!7", "fix/price")
    assert row["aside"] is True
    assert parsed(ref="feature", main="main").run.row["aside"] is True
    assert parsed(ref="main", main="main").run.row["aside"] is False
    assert parsed(ref="v1", tag=True, main="main").run.row["aside"] is False


def test_retried_jobs_are_attempts() -> None:
    found = parsed(
        job(5, "deploy", stage="deploy", minute=4),
        job(4, "test", "success", minute=2),
        job(2, "test", "failed", failure_reason="script_failure"),
        job(1, "lint"),
    )
    told = [(task.row["name"], task.row["attempt"], task.row["current"], task.row["state"])
            for task in found.tasks]  # fmt: skip
    assert told == [
        ("lint", 1, True, "succeeded"), ("test", 1, False, "failed"),
        ("test", 2, True, "succeeded"), ("deploy", 1, True, "succeeded"),
    ]  # fmt: skip
    assert found.run.row["tasks"] == 3
    assert after(found) == {"lint": [], "test": [], "deploy": ["lint", "test"]}


def test_needs_are_the_edges_where_they_are_known() -> None:
    lint = {"jobs": [
        {"name": "lint", "needs": None}, {"name": "test 1/2", "needs": []},
        {"name": "test 2/2", "needs": []},
        {"name": "build", "needs": [{"name": "test 1/2"}, {"name": "test 2/2"}]},
        {"name": "deploy", "needs": None, "environment": "production"},
        {"name": "never", "needs": [{"name": "build"}]},
    ]}  # fmt: skip
    jobs = [job(1, "lint"), job(2, "test 1/2"), job(3, "test 2/2"),
            job(4, "build", stage="build"), job(5, "deploy", stage="deploy")]  # fmt: skip
    found = parsed(*jobs, needs=needs_of(lint))
    assert found.run.detail["graph"]["by"] == "needs"
    assert after(found) == {"lint": [], "test": [], "build": ["test"], "deploy": ["build"]}
    assert {"name": "environment", "value": "production"} in found.tasks[-1].row["parameters"]
    unknown = parsed(*jobs, job(6, "new"), needs=needs_of(lint))
    assert unknown.run.detail["graph"]["by"] == "stages"
    assert after(unknown)["build"] == ["lint", "test", "new"]


def test_bridges_lead_to_their_pipelines() -> None:
    page = "https://git.example.org/shop/stock/-/pipelines/9"
    bridge = job(3, "stock", stage="deploy", downstream_pipeline={"id": 9, "web_url": page})
    found = parsed(job(1, "test"), bridges=[bridge])
    task = found.tasks[-1]
    assert (task.row["kind"], task.steps) == ("bridge", [])
    assert {"name": "downstream pipeline", "value": page, "type": "string"} in task.row["results"]
    assert [node["kind"] for node in found.run.detail["graph"]["nodes"]] == ["task", "pipeline"]


def test_a_job_that_may_fail_is_no_reason() -> None:
    jobs = [job(1, "lint", "failed", allow_failure=True, failure_reason="runner_system_failure"),
            job(2, "test", "failed", failure_reason="script_failure")]  # fmt: skip
    assert parsed(*jobs, status="failed").run.row["reason"] == "script_failure"
    assert parsed(status="failed", yaml_errors="jobs:a is empty").run.row["reason"] == (
        "config_error"
    )


def test_jobs_have_one_step_once_they_begin() -> None:
    waiting, running = parsed(job(1, "a", "manual"), job(2, "b", "running")).tasks
    assert (waiting.steps, waiting.row["state"]) == ([], "held")
    assert [(step["state"], step["container"]) for step in running.steps] == [("running", "job")]
    # All jobs are made at once; this one was put into the queue five seconds before it began.
    late = parsed(job(3, "c", minute=10)).tasks[0].row
    assert late["created_at"] == START + timedelta(minutes=10) - timedelta(seconds=5.1)


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["id", "name", "stage", "status", "user", "commit", "ref", "jobs",
                         "web_url", "coverage", "duration", "tag_list", "needs", "created_at"]),
        inner, max_size=6,
    ), max_leaves=20,
))  # fmt: skip
def test_whatever_is_answered_reads(value: Any) -> None:
    pipeline = value if isinstance(value, dict) else {}
    jobs = [item for item in (value if isinstance(value, list) else [value])
            if isinstance(item, dict)]  # fmt: skip
    found = parse_pipeline(
        pipeline, jobs, jobs, path="a/b", repository="https://g/a/b", needs=needs_of(pipeline)
    )
    assert found.run.row["state"] in FINISHED | UNFINISHED
    assert len(found.tasks) <= len(jobs)


def test_groups_of_parallel_jobs() -> None:
    names = ["test 1/3", "test: [linux, 3.11]", "build", "1/2", "deploy: [a] 2/3"]
    assert [group_of(name) for name in names] == ["test", "test", "build", "1/2", "deploy"]


def test_every_reason_has_a_hint() -> None:
    assert all(str(hint_of(reason)) for reason in HINTS)
    assert hint_of("never_heard_of") == ""


def test_a_log_is_cut_into_lines() -> None:
    log = (
        b"\x1b[0KRunning with gitlab-runner\r\n"
        b"section_start:1560896352:prepare_script[collapsed=true]\r\x1b[0K\x1b[36;1mPreparing\r\n"
        b"section_end:1560896353:prepare_script\r\x1b[0K"
        b"section_start:1560896353:get_sources\r\x1b[0K\n"
        b"section_end:1560896354:get_sources\r\x1b[0K\n"
        b"10 %\r20 %\rdone\n"
        b"\x1b[31mfailed\xff"
    )
    for size in (1, 7, len(log)):
        pieces = [log[at : at + size] for at in range(0, len(log), size)]
        assert [text for _at, text in lines(pieces)] == [
            "\x1b[0KRunning with gitlab-runner", "\x1b[36;1mPreparing",
            "\x1b[1mget sources\x1b[0m", "10 %\r20 %\rdone", "\x1b[31mfailed\ufffd",
        ]  # fmt: skip


def test_times_of_newer_runners_are_split_off() -> None:
    log = (
        b"2026-03-02T07:00:01.123456Z 00O first \n"
        b"2026-03-02T07:00:02.5Z 00O+and on\n"
        b"2026-03-02T07:00:03Z 01E second\n"
        b"plain\n"
    )
    assert list(lines([log])) == [
        (datetime(2026, 3, 2, 7, 0, 1, 123456, tzinfo=UTC), "first and on"),
        (datetime(2026, 3, 2, 7, 0, 3, tzinfo=UTC), "second"),
        (None, "plain"),
    ]


GROWING = (
    b"section_start:1560896352:prepare\r\x1b[0KPreparing\r\n"
    b"2026-03-02T07:00:01.000001Z 00O one\n"
    b"2026-03-02T07:00:01.000002Z 00O+ goes on\n"
    b"2026-03-02T07:00:02.000001Z 00O two \xe4\xbb\xb7\n"
    b"plain\n\nsection_end:1560896353:prepare\r\x1b[0K\nlast without an end"
)


def test_lines_that_were_told_stay_wherever_a_growing_log_is_cut() -> None:
    whole = list(lines([GROWING]))
    assert [text for _at, text in whole][1:3] == ["one goes on", "two \u4ef7"]
    for cut in range(len(GROWING)):
        told = list(lines([GROWING[:cut]], ended=False))[:-1]
        assert told == whole[: len(told)], cut
