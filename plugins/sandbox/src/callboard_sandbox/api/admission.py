"""What Tekton's webhooks do to its objects before they are kept: defaults, and refusals."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from callboard_sandbox.api.failures import ApiError
from callboard_sandbox.api.kinds import Kind

Json = dict[str, Any]

RUN_STATES: Final = ("Cancelled", "CancelledRunFinally", "StoppedRunFinally", "PipelineRunPending")
TIMEOUT: Final = "1h0m0s"


def fill_in(kind: Kind, body: Json) -> None:
    """Fill in what Tekton's mutating webhook would, in place."""
    spec = body.get("spec")
    if kind.group != "tekton.dev" or not isinstance(spec, dict):
        return
    match kind.kind:
        case "PipelineRun":
            spec.setdefault("taskRunTemplate", {}).setdefault("serviceAccountName", "default")
            spec.setdefault("timeouts", {}).setdefault("pipeline", TIMEOUT)
            _fill_claims(spec)
            _fill_pipeline(spec.get("pipelineSpec"))
        case "TaskRun":
            spec.setdefault("serviceAccountName", "default")
            spec.setdefault("timeout", TIMEOUT)
            if isinstance(spec.get("taskRef"), dict) and "resolver" not in spec["taskRef"]:
                spec["taskRef"].setdefault("kind", "Task")
            labels = body["metadata"].setdefault("labels", {})
            labels.setdefault("app.kubernetes.io/managed-by", "tekton-pipelines")
            _fill_claims(spec)
            _fill_task(spec.get("taskSpec"))
        case "CustomRun":
            spec.setdefault("serviceAccountName", "default")
        case "Pipeline":
            _fill_pipeline(spec)
        case "Task":
            _fill_task(spec)


def _fill_claims(spec: Json) -> None:
    for workspace in _objects(spec.get("workspaces")):
        claim = workspace.get("volumeClaimTemplate")
        if isinstance(claim, dict):
            claim.setdefault("metadata", {})
            claim.setdefault("status", {})


def _fill_pipeline(spec: Any) -> None:
    if not isinstance(spec, dict):
        return
    _fill_params(spec)
    for task in _objects([*(spec.get("tasks") or ()), *(spec.get("finally") or ())]):
        reference = task.get("taskRef")
        if isinstance(reference, dict) and not {"resolver", "apiVersion"} & reference.keys():
            reference.setdefault("kind", "Task")
        if isinstance(task.get("taskSpec"), dict):
            task["taskSpec"].setdefault("metadata", {})
            task["taskSpec"].setdefault("spec", None)
            _fill_task(task["taskSpec"])
    for result in _objects(spec.get("results")):
        result.setdefault("description", "")


def _fill_task(spec: Any) -> None:
    if not isinstance(spec, dict):
        return
    _fill_params(spec)
    for result in _objects(spec.get("results")):
        result.setdefault("type", "object" if "properties" in result else "string")
    beside = [*(spec.get("steps") or ()), *(spec.get("sidecars") or ()), spec.get("stepTemplate")]
    for container in _objects(beside):
        container.setdefault("computeResources", {})
        for port in _objects(container.get("ports")):
            port.setdefault("protocol", "TCP")


def _fill_params(spec: Any) -> None:
    for param in _objects(spec.get("params") if isinstance(spec, dict) else ()):
        kept = param.get("default")
        kind = "array" if isinstance(kept, list) else "object" if isinstance(kept, dict) else ""
        kind = kind or ("object" if "properties" in param else "string")
        param.setdefault("type", kind)


def _objects(items: Any) -> Iterable[Json]:
    return [item for item in items or () if isinstance(item, dict)]


def review(kind: Kind, body: Json, before: Json | None) -> None:
    """Refuse what Tekton's validating webhook would. Raises `ApiError` 400."""
    if kind.group != "tekton.dev":
        return
    spec = body.get("spec") or {}
    match kind.kind:
        case "PipelineRun":
            _review_run(spec)
            if isinstance(spec.get("pipelineSpec"), dict):
                _review_pipeline(spec["pipelineSpec"], "spec.pipelineSpec.")
        case "TaskRun":
            state = spec.get("status", "")
            if state not in ("", "TaskRunCancelled"):
                raise _invalid(f"{state} should be TaskRunCancelled", "spec.status")
            _review_names(spec.get("params"), "spec.params")
        case "Pipeline":
            _review_pipeline(spec, "spec.")
        case "Task":
            _review_task(spec, "spec.")
    if before is not None and kind.kind in ("PipelineRun", "TaskRun"):
        _review_change(kind.kind, spec, before)


def denied(said: str) -> ApiError:
    """Word a refusal as the API server passes it on."""
    return ApiError(
        400,
        'admission webhook "validation.webhook.pipeline.tekton.dev" denied the request:'
        f" validation failed: {said}",
    )


def _invalid(said: str, path: str) -> ApiError:
    return denied(f"invalid value: {said}: {path}")


def _review_run(spec: Json) -> None:
    if not spec.get("pipelineRef") and not spec.get("pipelineSpec"):
        raise denied("expected exactly one, got neither: spec.pipelineRef, spec.pipelineSpec")
    if spec.get("pipelineRef") and spec.get("pipelineSpec"):
        raise denied("expected exactly one, got both: spec.pipelineRef, spec.pipelineSpec")
    _review_names(spec.get("params"), "spec.params")
    state = spec.get("status", "")
    if state and state not in RUN_STATES:
        listed = f"{', '.join(RUN_STATES[:-1])} or {RUN_STATES[-1]}"
        raise _invalid(f"{state} should be {listed}", "spec.status")


def _review_names(items: Any, path: str) -> None:
    seen = set()
    for item in _objects(items):
        name = item.get("name", "")
        if name in seen:
            raise denied(f"expected exactly one, got both: {path}[{name}].name")
        seen.add(name)


def _review_pipeline(spec: Json, path: str) -> None:
    tasks = list(_objects(spec.get("tasks")))
    if not tasks and not spec.get("pipelineRef"):
        raise denied(f"missing field(s): {path}tasks")
    names = set()
    for index, task in enumerate([*tasks, *_objects(spec.get("finally"))]):
        where = f"{path}tasks[{index}]"
        if task.get("name", "") in names:
            raise denied(f"expected exactly one, got both: {where}.name")
        names.add(task.get("name", ""))
        if isinstance(task.get("taskSpec"), dict) and "apiVersion" not in task["taskSpec"]:
            _review_task(task["taskSpec"], f"{where}.taskSpec.")
    _review_order(tasks, f"{path}tasks")


def _review_order(tasks: Iterable[Json], path: str) -> None:
    needs = {task.get("name", ""): needed_tasks(task) for task in tasks}
    for name, needed in needs.items():
        for other in sorted(needed):
            if other not in needs:
                raise _invalid(
                    f"couldn't add link between {name} and {other}: task {name} depends on {other}"
                    f" but {other} wasn't present in Pipeline",
                    path,
                )
    done: set[str] = set()
    while ready := [name for name in needs if name not in done and needs[name] <= done]:
        done.update(ready)
    left = [name for name in needs if name not in done]
    if left:
        after = next(other for other in sorted(needs[left[0]]) if other in left)
        raise _invalid(f'cycle detected; task "{left[0]}" depends on "{after}"', path)


def needed_tasks(task: Mapping[str, Any]) -> set[str]:
    """Give the names of the tasks that a task of a pipeline runs after, said or by results."""
    found = set(task.get("runAfter") or ())
    asked = [task.get(key) for key in ("params", "when", "matrix")]
    texts = [asked]
    while texts:
        value = texts.pop()
        if isinstance(value, dict):
            texts.extend(value.values())
        elif isinstance(value, list):
            texts.extend(value)
        elif isinstance(value, str):
            for part in value.split("$(tasks.")[1:]:
                name, _, rest = part.partition(".")
                if rest.startswith("results"):
                    found.add(name)
    return found


def _review_task(spec: Json, path: str) -> None:
    if not spec.get("steps"):
        raise denied(f"missing field(s): {path}steps")
    seen = set()
    for index, step in enumerate(_objects(spec["steps"])):
        name = step.get("name", "")
        if name and name in seen:
            raise denied(f"expected exactly one, got both: {path}steps[{index}].name")
        seen.add(name)
        if not step.get("image") and not step.get("ref"):
            raise denied(f"missing field(s): {path}steps[{index}].image")


def _review_change(kind: str, spec: Json, before: Json) -> None:
    """Refuse changes of the specification of what has begun, but for its `status`."""
    status = before.get("status") or {}
    conditions = status.get("conditions") or []
    if not conditions and not status.get("startTime"):
        return
    old = before.get("spec") or {}
    is_done = any(
        each.get("type") == "Succeeded" and each.get("status") in ("True", "False")
        for each in conditions
    )
    if is_done and spec != old:
        raise _invalid(f"Once the {kind} is complete, no updates are allowed", "spec")
    pending = "PipelineRunPending"
    if spec.get("status") == pending and old.get("status") != pending:
        raise _invalid(f"{kind} cannot be Pending after it is started", "spec.status")
    free = {"status": "", "statusMessage": ""} if kind == "TaskRun" else {"status": ""}
    if {**spec, **free} != {**old, **free}:
        was_held = old.get("status") == pending and not status.get("startTime")
        if not was_held:
            allowed = " and statusMessage" if kind == "TaskRun" else ""
            said = f"Once the {kind} has started, only status{allowed} updates are allowed"
            raise _invalid(said, "spec")
