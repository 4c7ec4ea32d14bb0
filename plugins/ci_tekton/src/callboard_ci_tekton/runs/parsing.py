"""Objects of the cluster as rows of the tables."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from callboard.kubernetes import without_secrets
from callboard.redaction import redact
from callboard_ci_tekton.runs.graph import graph_of
from callboard_ci_tekton.runs.origin import OWN, origin_of
from callboard_ci_tekton.runs.states import condition_of, run_state, task_state
from callboard_ci_tekton.runs.values import (
    items,
    mapping,
    moment,
    packed,
    parameters,
    results,
    seconds,
    text,
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SOURCES: Final = ("volumeClaimTemplate", "persistentVolumeClaim", "emptyDir", "configMap",
                   "secret", "projected", "csi")  # fmt: skip


@dataclass(frozen=True, slots=True)
class ParsedRun:
    """A run as rows of `ci_tekton_run` and `ci_tekton_detail`, without what the tables add."""

    row: Mapping[str, Any]
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ParsedTask:
    """One attempt of a task as a row of `ci_tekton_task`, and its steps."""

    row: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]]


def parse_run(body: Mapping[str, Any]) -> ParsedRun:
    """Read a PipelineRun. Whatever is missing or of another shape reads as absent."""
    body = without_secrets(body)
    metadata, spec, status = (mapping(body, name) for name in ("metadata", "spec", "status"))
    condition, asked = condition_of(status), text(spec, "status", 40)
    created = moment(metadata, "creationTimestamp") or _EPOCH
    started, finished = moment(status, "startTime"), moment(status, "completionTime")
    resolved = mapping(status, "pipelineSpec") or mapping(spec, "pipelineSpec")
    graph, origin = graph_of(resolved), origin_of(body)
    row = {
        "source": "tekton",
        "namespace": text(metadata, "namespace", 253),
        "name": text(metadata, "name", 253),
        "uid": text(metadata, "uid", 120),
        "version": text(metadata, "resourceVersion", 100),
        "pipeline": _pipeline(metadata, spec),
        "title": text(resolved, "displayName", 300),
        "state": run_state(condition, asked),
        "reason": text(condition, "reason", 100),
        "message": redact(text(condition, "message")),
        "asked": asked,
        "created_at": created,
        "started_at": started,
        "finished_at": finished,
        "duration": seconds(started, finished),
        "tasks": len(graph["nodes"]) if graph else 0,
        **asdict(origin),
        "aside": origin.trigger == "merge_request",
    }
    detail = {
        "parameters": parameters(spec),
        "results": results(status),
        "workspaces": [_workspace(item) for item in items(spec, "workspaces")],
        "skipped": [_skipped(item) for item in items(status, "skippedTasks")],
        "graph": graph,
        "labels": dict(mapping(metadata, "labels")),
        "annotations": dict(mapping(metadata, "annotations")),
        "body": packed(body),
    }
    return ParsedRun(row, detail)


def _pipeline(metadata: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    """Give the pipeline's name. An inline pipeline is named after what its runs share."""
    named = text(mapping(spec, "pipelineRef"), "name", 253)
    labelled = text(mapping(metadata, "labels"), "tekton.dev/pipeline", 253)
    for item in items(mapping(spec, "pipelineRef"), "params"):
        if item.get("name") == "name":
            named = named or text(item, "value", 253)
    # A repeated run may carry the pipeline itself; it still is a run of that one.
    named = named or text(mapping(metadata, "annotations"), f"{OWN}pipeline", 253)
    name = text(metadata, "name", 253)
    if not named and labelled in ("", name):
        return text(metadata, "generateName", 253).rstrip("-") or name
    return named or labelled


def _workspace(item: Mapping[str, Any]) -> dict[str, str]:
    kind = next((name for name in _SOURCES if name in item), "")
    source = mapping(item, kind)
    named = ("claimName", "secretName", "name")
    return {
        "name": text(item, "name", 253),
        "kind": kind,
        "source": next((found for name in named if (found := text(source, name, 253))), ""),
    }


def _skipped(item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": text(item, "name", 253),
        "reason": text(item, "reason", 300),
        "why": [dict(part) for part in items(item, "whenExpressions")],
    }


def parse_task(body: Mapping[str, Any]) -> list[ParsedTask]:
    """Read a TaskRun or CustomRun: one for each attempt, the current one last."""
    body = without_secrets(body)
    status = mapping(body, "status")
    attempts = [*items(status, "retriesStatus"), status]
    return [
        _attempt(body, attempt, number, current=number == len(attempts))
        for number, attempt in enumerate(attempts, 1)
    ]


def _attempt(
    body: Mapping[str, Any], status: Mapping[str, Any], number: int, *, current: bool
) -> ParsedTask:
    metadata, spec = mapping(body, "metadata"), mapping(body, "spec")
    labels, condition = mapping(metadata, "labels"), condition_of(status)
    steps = _steps(status)
    begun = [step["started_at"] for step in steps if step["started_at"] and not step["sidecar"]]
    started, finished = moment(status, "startTime"), moment(status, "completionTime")
    reference = mapping(spec, "taskRef") or mapping(spec, "customRef")
    row = {
        "run_uid": text(labels, "tekton.dev/pipelineRunUID", 120) or _owner(metadata),
        "uid": text(metadata, "uid", 120),
        "version": text(metadata, "resourceVersion", 100),
        "attempt": number,
        "current": current,
        "kind": text(body, "kind", 20),
        "namespace": text(metadata, "namespace", 253),
        "name": text(metadata, "name", 253),
        "task": text(labels, "tekton.dev/pipelineTask", 253),
        "reference": text(reference, "name", 253) or text(reference, "kind", 253),
        "member": text(labels, "tekton.dev/memberOf", 63) or "tasks",
        "state": task_state(condition, text(spec, "status", 40) if current else ""),
        "reason": text(condition, "reason", 100),
        "message": redact(text(condition, "message")),
        "created_at": moment(metadata, "creationTimestamp") or _EPOCH,
        "started_at": started,
        "finished_at": finished,
        "worked_at": min(begun, default=None),
        "duration": seconds(started, finished),
        "pod": text(status, "podName", 253),
        "parameters": parameters(spec),
        "results": results(status),
    }
    return ParsedTask(row, steps)


def _owner(metadata: Mapping[str, Any]) -> str:
    owners = items(metadata, "ownerReferences")
    return next((text(item, "uid", 120) for item in owners if item.get("kind") == "PipelineRun"),
                "")  # fmt: skip


def _steps(status: Mapping[str, Any]) -> list[dict[str, Any]]:
    given = [(item, False) for item in items(status, "steps")]
    given += [(item, True) for item in items(status, "sidecars")]
    return _in_turn([_step(item, place, sidecar) for place, (item, sidecar) in enumerate(given)])


def _in_turn(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Let each step begin when the one before has ended: their containers all run from the start.

    Of a step that has ended the task tells when it really began.
    """
    before: dict[str, Any] | None = None
    for item in steps:
        if item["sidecar"]:
            continue
        if before is not None and item["state"] == "running":
            if before["finished_at"] is None:
                item |= {"state": "waiting", "started_at": None}
            elif item["started_at"] is None or item["started_at"] < before["finished_at"]:
                item["started_at"] = before["finished_at"]
        before = item
    return steps


def _step(item: Mapping[str, Any], position: int, sidecar: bool) -> dict[str, Any]:
    ended, running = mapping(item, "terminated"), mapping(item, "running")
    code = ended.get("exitCode")
    reason = text(item, "terminationReason", 100) or text(ended, "reason", 100)
    return {
        "position": position,
        "name": text(item, "name", 253),
        "container": text(item, "container", 253),
        "sidecar": sidecar,
        "image": text(item, "imageID", 500),
        "state": _step_state(item, reason, code),
        "exit_code": code if isinstance(code, int) else None,
        "reason": reason or text(mapping(item, "waiting"), "reason", 100),
        "started_at": moment(ended or running, "startedAt"),
        "finished_at": moment(ended, "finishedAt"),
    }


def _step_state(item: Mapping[str, Any], reason: str, code: Any) -> str:
    if "terminated" not in item:
        return "running" if "running" in item else "waiting"
    if reason == "Skipped":
        return "skipped"
    if reason == "TaskRunCancelled":
        return "cancelled"
    if reason == "TaskRunTimeout":
        return "timed_out"
    return "succeeded" if code == 0 or reason in ("Completed", "Continued") else "failed"
