"""The task runs and custom runs that a pipeline run makes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from callboard_sandbox.controllers.context import owner_reference
from callboard_sandbox.controllers.graph import combinations
from callboard_sandbox.controllers.names import child_name, digest
from callboard_sandbox.controllers.resolution import is_custom
from callboard_sandbox.controllers.values import Values, replaced

Json = dict[str, Any]

_DEFAULT_TIMEOUT: Final = "1h0m0s"
_NOT_COPIED: Final = ("kubectl.kubernetes.io/last-applied-configuration",)
# What Tekton keeps in an embedded task for the pipeline alone.
_ONLY_EMBEDDED: Final = ("metadata", "spec", "apiVersion", "kind")


def bodies(run: Json, task: Json, member_of: str, values: Values) -> Iterator[Json]:
    """Give the children of one pipeline task, several for a matrix.

    `values` are the results and statuses that the task refers to.
    """
    ready = replaced(task, values)
    if matrix := ready.get("matrix"):
        for number, extra in enumerate(combinations(matrix)):
            yield _body(run, ready, member_of, f"-{task['name']}-{number}", extra)
    else:
        yield _body(run, ready, member_of, f"-{task['name']}", {})


def reference(child: Json, task: Json, when: Sequence[Json]) -> Json:
    """Give the entry of `status.childReferences` for a child."""
    metadata = child["metadata"]
    found = {
        "apiVersion": child["apiVersion"],
        "kind": child["kind"],
        "name": metadata["name"],
        "pipelineTaskName": task["name"],
    }
    if task.get("displayName"):
        found["displayName"] = task["displayName"]
    if when:
        found["whenExpressions"] = list(when)
    return found


def claim_name(run: Json, workspace: str) -> str:
    """Give the name of the volume claim made for a workspace of a run."""
    return f"pvc-{digest(run['metadata']['uid'], workspace, length=10)}"


def claims(run: Json) -> Iterator[Json]:
    """Give the volume claims that a run's templates ask for."""
    for workspace in run["spec"].get("workspaces") or []:
        if template := workspace.get("volumeClaimTemplate"):
            spec = {"volumeMode": "Filesystem", **template.get("spec", {})}
            yield {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {
                    "name": claim_name(run, workspace["name"]),
                    "namespace": run["metadata"]["namespace"],
                    "labels": dict((template.get("metadata") or {}).get("labels") or {}),
                    "ownerReferences": [owner_reference(run)],
                },
                "spec": spec,
                "status": {"phase": "Pending"},
            }


def _body(run: Json, task: Json, member_of: str, suffix: str, extra: Mapping[str, Any]) -> Json:
    custom = is_custom(task)
    params = [*(task.get("params") or [])]
    params += [{"name": name, "value": value} for name, value in extra.items()]
    spec: Json = {"serviceAccountName": _account(run, task)}
    if params:
        spec["params"] = params
    if workspaces := list(_workspaces(run, task)):
        spec["workspaces"] = workspaces
    if retries := task.get("retries"):
        spec["retries"] = retries
    if custom:
        spec |= _custom_parts(task)
    else:
        spec |= _task_parts(task)
    name = child_name(run["metadata"]["name"], suffix)
    return {
        "apiVersion": "tekton.dev/v1beta1" if custom else "tekton.dev/v1",
        "kind": "CustomRun" if custom else "TaskRun",
        "metadata": _metadata(run, task, name, member_of, custom, spec),
        "spec": spec,
    }


def _custom_parts(task: Json) -> Json:
    parts: Json = {"timeout": task["timeout"]} if task.get("timeout") else {}
    if "taskRef" in task:
        return parts | {"customRef": task["taskRef"]}
    return parts | {"customSpec": task["taskSpec"]}


def _task_parts(task: Json) -> Json:
    parts: Json = {"timeout": task.get("timeout") or _DEFAULT_TIMEOUT}
    if "taskRef" in task:
        return parts | {"taskRef": task["taskRef"]}
    embedded = {k: v for k, v in task["taskSpec"].items() if k not in _ONLY_EMBEDDED}
    return parts | {"taskSpec": embedded}


def _account(run: Json, task: Json) -> str:
    for own in run["spec"].get("taskRunSpecs") or []:
        if own.get("pipelineTaskName") == task["name"] and own.get("serviceAccountName"):
            return str(own["serviceAccountName"])
    return str((run["spec"].get("taskRunTemplate") or {}).get("serviceAccountName", "default"))


def _workspaces(run: Json, task: Json) -> Iterator[Json]:
    bound = {workspace["name"]: workspace for workspace in run["spec"].get("workspaces") or []}
    for wanted in task.get("workspaces") or []:
        source = bound.get(wanted.get("workspace") or wanted["name"])
        if source is None:
            continue
        binding = {k: v for k, v in source.items() if k not in ("name", "volumeClaimTemplate")}
        if "volumeClaimTemplate" in source:
            claim = {"claimName": claim_name(run, source["name"])}
            binding["persistentVolumeClaim"] = claim
        if path := wanted.get("subPath"):
            binding["subPath"] = path
        yield {"name": wanted["name"], **binding}


def _metadata(run: Json, task: Json, name: str, member_of: str, custom: bool, spec: Json) -> Json:
    own = run["metadata"]
    labels = {
        **(own.get("labels") or {}),
        "tekton.dev/memberOf": member_of,
        "tekton.dev/pipelineRun": own["name"],
        "tekton.dev/pipelineRunUID": own["uid"],
        "tekton.dev/pipelineTask": task["name"],
    }
    if not custom:
        labels["app.kubernetes.io/managed-by"] = "tekton-pipelines"
    annotations = {
        key: value
        for key, value in (own.get("annotations") or {}).items()
        if key not in _NOT_COPIED
    }
    shares_claim = any("persistentVolumeClaim" in w for w in spec.get("workspaces") or [])
    if shares_claim and not custom:
        assistant = f"affinity-assistant-{digest(own['uid'], 'assistant', length=10)}"
        annotations["pipeline.tekton.dev/affinity-assistant"] = assistant
    embedded = (task.get("taskSpec") or {}).get("metadata") or {}
    metadata: Json = {
        "name": name,
        "namespace": own["namespace"],
        "labels": {**(embedded.get("labels") or {}), **labels},
        "ownerReferences": [owner_reference(run)],
    }
    if annotations := {**(embedded.get("annotations") or {}), **annotations}:
        metadata["annotations"] = annotations
    return metadata
