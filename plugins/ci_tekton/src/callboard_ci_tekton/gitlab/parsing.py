"""Pipelines and jobs of GitLab as rows of the tables: pure functions on what its API answers.

Shapes are those of the pipelines and jobs API (version 4). Whatever is missing or of another
shape reads as absent.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from callboard.redaction import redact
from callboard_ci_tekton.gitlab.graph import Needs, graph_of, group_of
from callboard_ci_tekton.gitlab.states import state_of, trigger_of
from callboard_ci_tekton.runs.parsing import ParsedRun, ParsedTask
from callboard_ci_tekton.runs.values import cut, items, mapping, moment, packed, seconds, text

PIPELINE: Final = "gitlab-ci"
"""What the one pipeline that a project has is called here."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CHANGE: Final = re.compile(r"refs/merge-requests/(\d{1,12})/(?:head|merge|train)")
_ENDED: Final = ("succeeded", "failed", "cancelled", "timed_out", "skipped")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A pipeline as a run, with every attempt of every job."""

    run: ParsedRun
    tasks: Sequence[ParsedTask]


def number_of(value: Any, name: str = "id") -> int:
    """Give a number of the API, such as an id; 0 where there is none."""
    found = value.get(name) if isinstance(value, Mapping) else None
    return found if isinstance(found, int) and 0 < found < 2**63 else 0


def version_of(pipeline: Mapping[str, Any]) -> str:
    """Give a number that grows with each change of a pipeline's status, empty without one."""
    updated = moment(pipeline, "updated_at")
    return str((updated - _EPOCH) // timedelta(microseconds=1)) if updated else ""


def change_of(pipeline: Mapping[str, Any]) -> int:
    """Give the number of the merge request a pipeline ran for, 0 where it ran for none."""
    match = _CHANGE.fullmatch(text(pipeline, "ref", 250))
    return int(match[1]) if match else 0


def parse_pipeline(
    pipeline: Mapping[str, Any],
    jobs: Iterable[Mapping[str, Any]],
    bridges: Iterable[Mapping[str, Any]],
    *,
    path: str,
    repository: str,
    main: str = "",
    branch: str = "",
    needs: Needs | None = None,
) -> Parsed:
    """Read a pipeline of the project at `path`, its jobs with those retried, and its bridges.

    `main` is the default branch, `branch` the source branch of the pipeline's merge request;
    `needs` is what is known of its configuration. Empty is what is not known.
    """
    listed = _in_order([*((job, "job") for job in jobs), *((job, "bridge") for job in bridges)])
    tasks = _tasks(listed, str(number_of(pipeline)), path, needs or {})
    current = [task.row for task in tasks if task.row["current"]]
    stages = list(dict.fromkeys(text(job, "stage", 63) for job, _kind in listed))
    commit = next((mapping(job, "commit") for job, _kind in listed if job.get("commit")), {})
    origin = _origin(pipeline, repository, branch)
    row = {
        **_run(pipeline, path, current),
        **origin,
        "aside": _is_aside(origin, main),
        "commit_title": text(commit, "title", 300),
        "author": text(commit, "author_name", 200),
    }
    graph = graph_of(current, stages, needs or {}) if current else None
    return Parsed(ParsedRun(row, _detail(pipeline, graph)), tasks)


def _run(
    pipeline: Mapping[str, Any], path: str, current: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Give what a run's row says of itself, without where it came from."""
    identity = str(number_of(pipeline))
    state = state_of(text(pipeline, "status", 40))
    created = moment(pipeline, "created_at") or _EPOCH
    started, finished = moment(pipeline, "started_at"), moment(pipeline, "finished_at")
    ended = finished or moment(pipeline, "updated_at") or created
    return {
        "source": "gitlab",
        "namespace": cut(path, 253),
        "name": f"#{number_of(pipeline, 'iid') or identity}",
        "uid": identity,
        "version": version_of(pipeline),
        "pipeline": PIPELINE,
        "title": text(pipeline, "name", 300),
        "state": state,
        "reason": _reason(pipeline, state, current),
        "message": redact(text(pipeline, "yaml_errors")),
        "asked": "",
        "created_at": created,
        "started_at": started,
        # A pipeline that goes on after a retry keeps the end it had.
        "finished_at": ended if state in _ENDED else None,
        "duration": _seconds(pipeline, "duration", seconds(started, finished)),
        "tasks": len(current),
    }


def _detail(pipeline: Mapping[str, Any], graph: Any) -> dict[str, Any]:
    coverage = _value("coverage", _coverage(pipeline))
    return {
        "parameters": _value("source", text(pipeline, "source", 40)),
        "results": [{**item, "type": "string"} for item in coverage],
        "workspaces": [],
        "skipped": [],
        "graph": graph,
        "labels": {},
        "annotations": {},
        "body": packed({}),
    }


def _origin(pipeline: Mapping[str, Any], repository: str, branch: str) -> dict[str, str]:
    change = change_of(pipeline)
    trigger = trigger_of(text(pipeline, "source", 40), tag=pipeline.get("tag") is True)
    return {
        "trigger": "merge_request" if change else trigger,
        "actor": text(mapping(pipeline, "user"), "username", 250),
        "event": "",
        "repository": cut(repository, 500),
        "branch": cut(branch, 250) if change else text(pipeline, "ref", 250),
        "change": f"!{change}" if change else "",
        "commit": text(pipeline, "sha", 64),
        "rerun_of": "",
        "link": _web(pipeline),
    }


def _is_aside(origin: Mapping[str, str], main: str) -> bool:
    """Whether a pipeline says nothing of how the project fares: one of work that is under way."""
    if origin["trigger"] in ("merge_request", "tag"):
        return origin["trigger"] == "merge_request"
    return bool(main) and origin["branch"] != main


def _reason(pipeline: Mapping[str, Any], state: str, current: Sequence[Mapping[str, Any]]) -> str:
    """Give why it stands or failed, in GitLab's words: that of the first job that counts."""
    if state not in ("failed", "timed_out"):
        return text(pipeline, "status", 100)
    if text(pipeline, "yaml_errors"):
        return "config_error"
    failed = (
        row["reason"]
        for row in current
        if row["state"] in ("failed", "timed_out") and not _may_fail(row)
    )
    return next((reason for reason in failed if reason), "")


def _may_fail(row: Mapping[str, Any]) -> bool:
    return any(item["name"] == "allow_failure" for item in row["parameters"])


def _in_order(
    jobs: Iterable[tuple[Mapping[str, Any], str]],
) -> list[tuple[Mapping[str, Any], str]]:
    """Give jobs once each in the order they were made: GitLab makes them stage by stage."""
    by_number = {number_of(job): (job, kind) for job, kind in jobs if number_of(job)}
    listed = [by_number[number] for number in sorted(by_number)]
    first: dict[str, int] = {}
    for place, (job, _kind) in enumerate(listed):
        first.setdefault(text(job, "stage", 63), place)
    # A job that is tried again comes last, but belongs to its stage.
    return sorted(listed, key=lambda item: first[text(item[0], "stage", 63)])


def _tasks(
    listed: Sequence[tuple[Mapping[str, Any], str]], run_uid: str, path: str, needs: Needs
) -> list[ParsedTask]:
    """Give every attempt; the newest of each name is the current one."""
    names = [text(job, "name", 253) for job, _kind in listed]
    total = {name: names.count(name) for name in set(names)}
    seen: dict[str, int] = {}
    found = []
    for name, (job, kind) in zip(names, listed, strict=True):
        seen[name] = attempt = seen.get(name, 0) + 1
        environment = needs.get(name, {}).get("environment", "")
        row = {
            **_row(job, kind, name, environment),
            "run_uid": run_uid,
            "namespace": cut(path, 253),
            "attempt": attempt,
            "current": attempt == total[name],
        }
        found.append(ParsedTask(row, _steps(job, row)))
    return found


def _row(job: Mapping[str, Any], kind: str, name: str, environment: str) -> dict[str, Any]:
    reason = text(job, "failure_reason", 100)
    started, finished = moment(job, "started_at"), moment(job, "finished_at")
    created = moment(job, "created_at") or _EPOCH
    waited = job.get("queued_duration")
    if started and started.year > 2000 and isinstance(waited, int | float) and 0 <= waited < 10**8:
        # All jobs are made at once; a job waits from when those before it have ended.
        created = max(created, started - timedelta(seconds=waited))
    return {
        "uid": str(number_of(job)),
        "version": "",
        "kind": kind,
        "name": name,
        "task": group_of(name),
        "reference": "",
        "member": text(job, "stage", 63),
        "state": state_of(text(job, "status", 40), reason),
        "reason": reason,
        "message": "",
        "created_at": created,
        "started_at": started,
        "finished_at": finished,
        "worked_at": started if kind == "job" else None,
        "duration": _seconds(job, "duration", seconds(started, finished)),
        "pod": "",
        "parameters": _parameters(job, environment),
        "results": [{**item, "type": "string"} for item in _results(job)],
        "gone": False,
    }  # fmt: skip


def _parameters(job: Mapping[str, Any], environment: str) -> list[dict[str, Any]]:
    tags = job.get("tag_list")
    tags = [cut(tag, 100) for tag in tags[:50] if isinstance(tag, str)] if (
        isinstance(tags, list)
    ) else []  # fmt: skip
    return [
        *_value("stage", text(job, "stage", 63)),
        *_value("allow_failure", job.get("allow_failure") is True),
        *_value("environment", environment),
        *_value("runner", text(mapping(job, "runner"), "description", 253)),
        *_value("tags", tags),
    ]


def _results(job: Mapping[str, Any]) -> list[dict[str, Any]]:
    page = _web(job)
    kept = any(text(item, "file_type", 40) == "archive" for item in items(job, "artifacts"))
    kept = kept or bool(mapping(job, "artifacts_file"))
    return [
        *_value("coverage", _coverage(job)),
        *_value("artifacts", f"{page}/artifacts/browse" if kept and page else ""),
        *_value("downstream pipeline", _web(mapping(job, "downstream_pipeline"))),
        *_value("page", page),
    ]


def _steps(job: Mapping[str, Any], row: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give the one step of a job, whose log is the job's; none before it began."""
    if row["kind"] != "job" or row["started_at"] is None:
        return []
    return [
        {
            "position": 0,
            "name": row["name"],
            "container": "job",
            "sidecar": False,
            "image": "",
            "state": row["state"] if row["state"] in _ENDED else "running",
            "exit_code": None,
            "reason": row["reason"],
            "started_at": row["started_at"],
            "finished_at": row["finished_at"],
        }
    ]


def _seconds(value: Mapping[str, Any], name: str, otherwise: int | None) -> int | None:
    found = value.get(name)
    return int(found) if isinstance(found, int | float) and 0 <= found < 2**31 else otherwise


def _value(name: str, value: Any) -> list[dict[str, Any]]:
    return [{"name": name, "value": value}] if value else []


def _coverage(value: Mapping[str, Any]) -> str:
    """Give a percentage; that of a pipeline is a text, that of a job a number."""
    found = value.get("coverage")
    if isinstance(found, int | float) and not isinstance(found, bool):
        return f"{found:g} %"
    return f"{cut(found, 20)} %" if isinstance(found, str) and found else ""


def _web(value: Mapping[str, Any]) -> str:
    """Give the page of something, where it is one."""
    found = text(value, "web_url", 1000)
    try:
        return found if urlsplit(found).scheme in ("http", "https") else ""
    except ValueError:
        return ""
