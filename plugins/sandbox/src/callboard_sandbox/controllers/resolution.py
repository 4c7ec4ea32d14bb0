"""Find the pipelines and tasks that runs refer to, and check what the runs give them."""

from collections.abc import Mapping
from typing import Any, Final

from callboard_sandbox.api.store import Store
from callboard_sandbox.controllers.values import params_table, replaced

Json = dict[str, Any]

PIPELINES: Final = "pipelines.tekton.dev"
TASKS: Final = "tasks.tekton.dev"


class UnresolvedError(Exception):
    """A run cannot start: `reason` and `message` are for its condition."""

    def __init__(self, reason: str, message: str, *, transient: str = "") -> None:
        super().__init__(message)
        self.reason: Final = reason
        self.message: Final = message
        self.transient: Final = transient


def pipeline_of(store: Store, run: Json) -> tuple[Json, Json]:
    """Give specification and metadata of the pipeline of a run. Raises `UnresolvedError`."""
    spec, metadata = run["spec"], run["metadata"]
    if "pipelineSpec" in spec:
        return spec["pipelineSpec"], {"name": metadata["name"]}
    namespace, name = metadata["namespace"], metadata["name"]
    wanted = spec["pipelineRef"].get("name", "")
    found = store.find(PIPELINES, namespace, wanted) if wanted else None
    if found is not None:
        return found["spec"], found["metadata"]
    if not wanted:
        error = "this cluster has no resolver; only pipelines of the namespace can be used"
    else:
        error = (
            f"tekton client cannot get pipeline {wanted} from local cluster: "
            f'pipelines.tekton.dev "{wanted}" not found'
        )
    error = f"error when getting Pipeline for PipelineRun {name}: {error}"
    message = f"Error retrieving pipeline for pipelinerun {namespace}/{name}: {error}"
    raise UnresolvedError("CouldntGetPipeline", message, transient=error)


def check_pipeline_run(store: Store, run: Json, pipeline: Json, pipeline_name: str) -> None:
    """Check parameters, workspaces and the tasks that are referred to. Raises `UnresolvedError`."""
    namespace, name = run["metadata"]["namespace"], run["metadata"]["name"]
    where = f"PipelineRun {namespace}/{name}"
    of = f"Pipeline {namespace}/{pipeline_name}"
    given = {parameter["name"] for parameter in run["spec"].get("params") or []}
    wanted = [p["name"] for p in pipeline.get("params") or [] if "default" not in p]
    if missing := [parameter for parameter in wanted if parameter not in given]:
        raise UnresolvedError(
            "ParameterMissing",
            f"[User error] {where} is missing some parameters required by {of}: "
            f"pipelineRun missing parameters: [{' '.join(missing)}]",
        )
    _check_types(run, pipeline, f"[User error] {where} parameters types don't match {of}: ")
    bound = {workspace["name"] for workspace in run["spec"].get("workspaces") or []}
    for workspace in pipeline.get("workspaces") or []:
        if workspace["name"] not in bound and not workspace.get("optional"):
            raise UnresolvedError(
                "InvalidWorkspaceBindings",
                f"[User error] {where} doesn't bind {of}'s Workspaces correctly: pipeline "
                f'requires workspace with name "{workspace["name"]}" be provided by pipelinerun',
            )
    _check_tasks(store, namespace, pipeline, f"[User error] {of} can't be Run")


def _check_types(run: Json, pipeline: Json, prefix: str) -> None:
    kinds: Mapping[str, type] = {"string": str, "array": list, "object": dict}
    types = {p["name"]: p.get("type", "string") for p in pipeline.get("params") or []}
    wrong = [
        parameter["name"]
        for parameter in run["spec"].get("params") or []
        if parameter["name"] in types
        and not isinstance(parameter.get("value"), kinds[types[parameter["name"]]])
    ]
    if wrong:
        text = f"parameters have wrong types: [{' '.join(wrong)}]"
        raise UnresolvedError("ParameterTypeMismatch", prefix + text)


def _check_tasks(store: Store, namespace: str, pipeline: Json, prefix: str) -> None:
    for task in (pipeline.get("tasks") or []) + (pipeline.get("finally") or []):
        reference = task.get("taskRef")
        if not reference or is_custom(task):
            continue
        name = reference.get("name", "")
        if not name or store.find(TASKS, namespace, name) is None:
            raise UnresolvedError(
                "CouldntGetTask",
                f"{prefix}; it contains Tasks that don't exist: Couldn't retrieve Task "
                f'"{name}": tasks.tekton.dev "{name}" not found',
            )


def is_custom(task: Json) -> bool:
    """Say whether a pipeline task is run by another controller than Tekton's."""
    reference = task.get("taskRef") or task.get("taskSpec") or {}
    version = reference.get("apiVersion", "")
    return bool(version) and not version.startswith("tekton.dev/")


def task_of(store: Store, run: Json) -> tuple[Json, Json]:
    """Give specification and metadata of the task of a task run. Raises `UnresolvedError`."""
    spec = run["spec"]
    if "taskSpec" in spec:
        return spec["taskSpec"], {}
    name = spec["taskRef"].get("name", "")
    found = store.find(TASKS, run["metadata"]["namespace"], name) if name else None
    if found is None:
        where = f"{run['metadata']['namespace']}/{run['metadata']['name']}"
        raise UnresolvedError(
            "TaskRunResolutionFailed",
            f'error when listing tasks for taskRun {where}: tasks.tekton.dev "{name}" not found',
        )
    return found["spec"], found["metadata"]


def resolved_task(run: Json, task: Json) -> Json:
    """Give the task with the parameters, results and workspaces of a task run put in.

    Raises `UnresolvedError` where a parameter or a workspace is missing.
    """
    _check_task_run(run, task)
    metadata = run["metadata"]
    values: dict[str, Any] = params_table(task_params(run, task))
    values |= {
        "context.taskRun.name": metadata["name"],
        "context.taskRun.namespace": metadata["namespace"],
        "context.taskRun.uid": metadata["uid"],
        "context.task.name": run["spec"].get("taskRef", {}).get("name", metadata["name"]),
        "context.task.retry-count": str(len((run.get("status") or {}).get("retriesStatus") or [])),
    }
    for result in task.get("results") or []:
        values[f"results.{result['name']}.path"] = f"/tekton/results/{result['name']}"
    bound = {workspace["name"] for workspace in run["spec"].get("workspaces") or []}
    for workspace in task.get("workspaces") or []:
        name = workspace["name"]
        path = workspace.get("mountPath") or f"/workspace/{name}"
        values[f"workspaces.{name}.path"] = path if name in bound else ""
        values[f"workspaces.{name}.bound"] = "true" if name in bound else "false"
    kept = {key: task[key] for key in ("params", "results", "workspaces") if key in task}
    resolved: Json = replaced({k: v for k, v in task.items() if k not in kept}, values)
    for step in resolved.get("steps") or []:
        if not step.get("args", True):
            del step["args"]
    return resolved | kept


def task_params(run: Json, task: Json) -> dict[str, Any]:
    """Give the values of a task's parameters by name: given ones, else their defaults."""
    found = {p["name"]: p["default"] for p in task.get("params") or [] if "default" in p}
    return found | {p["name"]: p.get("value") for p in run["spec"].get("params") or []}


def _check_task_run(run: Json, task: Json) -> None:
    name = run["metadata"]["name"]
    known = task_params(run, task)
    if missing := [p["name"] for p in task.get("params") or [] if p["name"] not in known]:
        raise UnresolvedError(
            "TaskRunValidationFailed",
            f"[User error] Validation failed for TaskRun {name}: missing values for these params "
            f"which have no default values: [{' '.join(missing)}]",
        )
    bound = {workspace["name"] for workspace in run["spec"].get("workspaces") or []}
    for workspace in task.get("workspaces") or []:
        if workspace["name"] not in bound and not workspace.get("optional"):
            raise UnresolvedError(
                "TaskRunValidationFailed",
                f"[User error] Validation failed for TaskRun {name}: declared workspace "
                f'"{workspace["name"]}" is required but has not been bound',
            )
