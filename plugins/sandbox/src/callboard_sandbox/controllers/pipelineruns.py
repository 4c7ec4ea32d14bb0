"""Moves a pipeline run: resolves its pipeline, starts tasks in order, skips, stops and ends."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from datetime import datetime
from typing import Any, Final

from callboard_sandbox.controllers import children, customruns, events, taskruns
from callboard_sandbox.controllers.context import (
    CUSTOM_RUNS,
    FEATURE_FLAGS,
    PIPELINE_RUNS,
    TASK_RUNS,
    Context,
    is_done,
    set_condition,
)
from callboard_sandbox.controllers.progress import TIMEOUTS, Counts, Limits, Progress
from callboard_sandbox.controllers.resolution import (
    UnresolvedError,
    check_pipeline_run,
    pipeline_of,
)
from callboard_sandbox.controllers.times import parsed, seconds, stamp
from callboard_sandbox.controllers.values import params_table, replaced

Json = dict[str, Any]

PENDING: Final = "PipelineRunPending"
CANCELLED: Final = "Cancelled"
CANCELLED_RUN_FINALLY: Final = "CancelledRunFinally"
STOPPED_RUN_FINALLY: Final = "StoppedRunFinally"
_AS_CANCELLED: Final = "TaskRun cancelled as the PipelineRun it belongs to has been cancelled."
_AS_TIMED_OUT: Final = "TaskRun cancelled as the PipelineRun it belongs to has timed out."
_NOT_COPIED: Final = ("kubectl.kubernetes.io/last-applied-configuration",)
_CLAIMS: Final = "persistentvolumeclaims"


def reconcile(context: Context, namespace: str, name: str) -> None:
    """Bring a pipeline run one step on, as far as what is stored allows."""
    run = context.store.find(PIPELINE_RUNS, namespace, name)
    if run is None or is_done(run) or run["metadata"].get("deletionTimestamp"):
        return
    _Run(context, run).go_on()


class _Run:
    def __init__(self, context: Context, run: Json) -> None:
        self.context = context
        self.store = context.store
        self.run = run
        self.now: datetime = context.now()
        self.status: Json = deepcopy(run.get("status") or {})
        self.namespace: str = run["metadata"]["namespace"]
        self.name: str = run["metadata"]["name"]
        self.wish: str = run["spec"].get("status", "")

    def go_on(self) -> None:
        if self.wish == PENDING:
            message = f'PipelineRun "{self.name}" is pending'
            set_condition(self.status, self.now, "Unknown", PENDING, message)
            self._write()
            return
        self.status.setdefault("startTime", stamp(self.now))
        if self.wish == CANCELLED:
            self._cancel()
            return
        try:
            self._accept()
        except UnresolvedError as error:
            if error.transient:
                about = (self.run, self.now, "Warning", "InternalError", error.transient)
                events.record(self.store, *about)
            self._end("False", error.reason, error.message)
            return
        self._move()

    def _write(self) -> None:
        self.context.put_status(PIPELINE_RUNS, self.run, self.status)

    def _end(self, value: str, reason: str, message: str) -> None:
        self.status["completionTime"] = stamp(self.now)
        set_condition(self.status, self.now, value, reason, message)
        self._write()

    # the beginning

    def _accept(self) -> None:
        """Resolve the pipeline once and keep it in the status."""
        if "pipelineSpec" in self.status:
            return
        wanted = (self.run["spec"].get("pipelineRef") or {}).get("name") or self.name
        try:
            pipeline, metadata = pipeline_of(self.store, self.run)
        except UnresolvedError:
            self._label({"name": wanted})
            raise
        self._label(metadata)
        self.status["pipelineSpec"] = pipeline
        self.status["provenance"] = {"featureFlags": dict(FEATURE_FLAGS)}
        check_pipeline_run(self.store, self.run, pipeline, metadata["name"])
        self.status["pipelineSpec"] = self._substituted(pipeline, metadata["name"])
        for claim in children.claims(self.run):
            where = (_CLAIMS, self.namespace, claim["metadata"]["name"])
            if self.store.find(*where) is None:
                self.store.create(_CLAIMS, claim)

    def _label(self, pipeline: Json) -> None:
        def copy(run: Json) -> None:
            own = run["metadata"]
            labels = {**(pipeline.get("labels") or {}), **(own.get("labels") or {})}
            own["labels"] = labels | {"tekton.dev/pipeline": pipeline["name"]}
            annotations = {
                key: value
                for key, value in (pipeline.get("annotations") or {}).items()
                if key not in _NOT_COPIED
            }
            if annotations := annotations | (own.get("annotations") or {}):
                own["annotations"] = annotations

        self.run = self.store.update(PIPELINE_RUNS, self.namespace, self.name, copy)

    def _substituted(self, pipeline: Json, pipeline_name: str) -> Json:
        """Put parameters and context into the tasks; results come when they are there."""
        params = {p["name"]: p["default"] for p in pipeline.get("params") or [] if "default" in p}
        params |= {p["name"]: p.get("value") for p in self.run["spec"].get("params") or []}
        metadata = self.run["metadata"]
        values = params_table(params) | {
            "context.pipelineRun.name": self.name,
            "context.pipelineRun.namespace": self.namespace,
            "context.pipelineRun.uid": metadata["uid"],
            "context.pipeline.name": pipeline_name,
        }
        bound = {workspace["name"] for workspace in self.run["spec"].get("workspaces") or []}
        for workspace in pipeline.get("workspaces") or []:
            key = f"workspaces.{workspace['name']}.bound"
            values[key] = "true" if workspace["name"] in bound else "false"
        filled = {
            key: [_substituted_task(task, values) for task in pipeline[key]]
            for key in ("tasks", "finally")
            if key in pipeline
        }
        return pipeline | filled

    # cancelling

    def _cancel(self) -> None:
        for child in self._all_children():
            if not is_done(child):
                self._cancel_child(child, _AS_CANCELLED)
        self._end("False", CANCELLED, f'PipelineRun "{self.name}" was cancelled')

    def _cancel_child(self, child: Json, message: str) -> None:
        resource = TASK_RUNS if child["kind"] == "TaskRun" else CUSTOM_RUNS
        word = taskruns.CANCELLED if child["kind"] == "TaskRun" else customruns.CANCELLED

        def patch(child: Json) -> None:
            if not child["spec"].get("status"):
                child["spec"] |= {"status": word, "statusMessage": message}

        self.store.update(resource, self.namespace, child["metadata"]["name"], patch)

    def _all_children(self) -> list[Json]:
        found = self.store.children(self.run["metadata"]["uid"])
        return [child for resource, child in found if resource in (TASK_RUNS, CUSTOM_RUNS)]

    # the middle

    def _move(self) -> None:
        progress = self._progress(Limits())
        if self.wish == STOPPED_RUN_FINALLY and self._tasks_run(progress):
            # Until they end the real controller only reads its children anew, in their order.
            self.status["childReferences"].sort(key=lambda child: child["name"])
            self._write()
            self._wake_at_limits()
            return
        limits = self._limits(progress)
        if limits.pipeline:
            self._stop_children(progress, (*progress.tasks, *progress.last))
        elif limits.tasks:
            self._stop_children(progress, progress.tasks)
        elif limits.finally_:
            self._stop_children(progress, progress.last)
        progress = self._progress(limits)
        if self.wish == CANCELLED_RUN_FINALLY:
            self._cancel_tasks(progress)
        self._order_references(progress)
        self._start(progress)
        self._conclude(self._progress(limits), limits)

    def _progress(self, limits: Limits) -> Progress:
        by_task: dict[str, list[Json]] = {}
        for child in self._all_children():
            task = (child["metadata"].get("labels") or {}).get("tekton.dev/pipelineTask", "")
            by_task.setdefault(task, []).append(child)
        return Progress(self.status["pipelineSpec"], by_task, self.wish, limits)

    def _tasks_run(self, progress: Progress) -> bool:
        return any(progress.running(task["name"]) for task in progress.tasks)

    def _cancel_tasks(self, progress: Progress) -> None:
        for task in progress.tasks:
            if progress.running(task["name"]):
                for child in progress.children[task["name"]]:
                    if not is_done(child):
                        self._cancel_child(child, _AS_CANCELLED)

    def _stop_children(self, progress: Progress, tasks: Iterable[Json]) -> None:
        for task in tasks:
            for child in progress.children.get(task["name"], ()):
                if not is_done(child):
                    self._cancel_child(child, _AS_TIMED_OUT)

    def _start(self, progress: Progress) -> None:
        if progress.tasks_done and "finallyStartTime" not in self.status and progress.last:
            self.status["finallyStartTime"] = stamp(self.now)
        member_of = "finally" if progress.tasks_done else "tasks"
        values: dict[str, Any] = dict(progress.values)
        if progress.tasks_done:
            values |= progress.status_values()
        for task in progress.startable():
            for body in children.bodies(self.run, task, member_of, values):
                resource = TASK_RUNS if body["kind"] == "TaskRun" else CUSTOM_RUNS
                name = body["metadata"]["name"]
                child = self.store.find(resource, self.namespace, name)
                child = child or self.store.create(resource, body)
                when = progress.when(task["name"])
                reference = children.reference(child, task, when)
                self.status.setdefault("childReferences", []).append(reference)

    def _order_references(self, progress: Progress) -> None:
        """List the children that are there, in the order of the pipeline."""
        found = [
            children.reference(child, task, progress.when(task["name"]))
            for task in (*progress.tasks, *progress.last)
            for child in progress.children.get(task["name"], ())
        ]
        known = [reference["name"] for reference in self.status.get("childReferences") or []]
        order = {name: number for number, name in enumerate(known)}
        if self.wish != STOPPED_RUN_FINALLY:
            found.sort(key=lambda reference: order.get(reference["name"], len(order)))
        if found:
            self.status["childReferences"] = found

    # the end

    def _conclude(self, progress: Progress, limits: Limits) -> None:
        counts = progress.counts()
        if skipped := progress.skipped():
            self.status["skippedTasks"] = skipped
        else:
            self.status.pop("skippedTasks", None)
        if limits.pipeline:
            timeout = self._timeout("pipeline")
            message = f'PipelineRun "{self.name}" failed to finish within "{timeout}"'
            self._finish(progress, "False", "PipelineRunTimeout", message)
        elif counts.incomplete:
            reason = self._reason(progress, counts)
            set_condition(self.status, self.now, "Unknown", reason, counts.message)
            self._write()
            self._wake_at_limits()
        else:
            self._finish(progress, *self._outcome(progress, counts))

    def _reason(self, progress: Progress, counts: Counts) -> str:
        if self.wish == CANCELLED_RUN_FINALLY:
            return "CancelledRunningFinally"
        if self.wish == STOPPED_RUN_FINALLY:
            return "StoppedRunningFinally"
        if self._tasks_timed_out(progress):
            return "PipelineRunTimeoutRunningFinally"
        return "PipelineRunStopping" if counts.cancelled else "Running"

    def _outcome(self, progress: Progress, counts: Counts) -> tuple[str, str, str]:
        if self._tasks_timed_out(progress):
            timeout = self._timeout("tasks")
            failed = f'failed due to tasks failed to finish within "{timeout}"'
            return "False", "PipelineRunTimeout", f'PipelineRun "{self.name}" {failed}'
        by_time = any(entry["reason"] in TIMEOUTS for entry in progress.skipped())
        if counts.failed or by_time:
            return "False", "Failed", counts.message
        if self.wish in (CANCELLED_RUN_FINALLY, STOPPED_RUN_FINALLY):
            return "False", CANCELLED, f'PipelineRun "{self.name}" was cancelled'
        if counts.cancelled:
            return "False", CANCELLED, counts.message
        reason = "Completed" if counts.skipped or counts.ignored else "Succeeded"
        return "True", reason, counts.message

    def _finish(self, progress: Progress, value: str, reason: str, message: str) -> None:
        declared = self.status["pipelineSpec"].get("results") or []
        results = []
        for result in declared:
            value_of = replaced(result["value"], progress.values)
            if "$(tasks." not in str(value_of):
                results.append({"name": result["name"], "value": value_of})
        if results:
            self.status["results"] = results
        self._end(value, reason, message)

    # timeouts

    def _timeout(self, which: str) -> str:
        timeouts = self.run["spec"].get("timeouts") or {}
        return str(timeouts.get(which) or "")

    def _limit(self, which: str) -> float:
        """Give the seconds for `pipeline`, `tasks` or `finally`; 0 for no limit."""
        if given := self._timeout(which):
            return seconds(given)
        other = "finally" if which == "tasks" else "tasks"
        whole, rest = seconds(self._timeout("pipeline")), seconds(self._timeout(other))
        return max(0.0, whole - rest) if rest and whole and which != "pipeline" else 0.0

    def _deadlines(self) -> dict[str, datetime]:
        found = {}
        for which, since in (
            ("pipeline", self.status.get("startTime")),
            ("tasks", self.status.get("startTime")),
            ("finally", self.status.get("finallyStartTime")),
        ):
            limit = self._limit(which)
            if limit and since:
                found[which] = self.context.deadline(since, limit)
        return found

    def _limits(self, progress: Progress) -> Limits:
        reached = {which for which, at in self._deadlines().items() if self.now >= at}
        return Limits(
            pipeline="pipeline" in reached,
            tasks="tasks" in reached and not progress.tasks_done,
            finally_="finally" in reached,
        )

    def _tasks_timed_out(self, progress: Progress) -> bool:
        """Tell from the objects alone whether the tasks ran out of time."""
        if not self._limit("tasks"):
            return False
        stopped = any(
            child["spec"].get("statusMessage") == _AS_TIMED_OUT
            for task in progress.tasks
            for child in progress.children.get(task["name"], ())
        )
        return stopped or any(
            entry["reason"] == TIMEOUTS[1] for entry in self.status.get("skippedTasks") or []
        )

    def _wake_at_limits(self) -> None:
        for at in self._deadlines().values():
            if at > self.now:
                self.context.wake((PIPELINE_RUNS, self.namespace, self.name), at)


def _substituted_task(task: Json, values: dict[str, Any]) -> Json:
    """Embedded tasks keep their own parameters where those have the same names."""
    if "taskSpec" not in task:
        result: Json = replaced(task, values)
        return result
    own = {f"params.{p['name']}" for p in task["taskSpec"].get("params") or []}
    inner = {key: value for key, value in values.items() if key not in own}
    outer = {key: value for key, value in task.items() if key != "taskSpec"}
    filled: Json = replaced(outer, values)
    return filled | {"taskSpec": replaced(task["taskSpec"], inner)}


def pruned(runs: Iterable[Json], keep: int, pipeline_of_run: Callable[[Json], str]) -> list[Json]:
    """Give the ended runs to delete so that each pipeline keeps its newest `keep`."""
    ended = sorted(
        (run for run in runs if is_done(run)),
        key=lambda run: parsed(run["metadata"]["creationTimestamp"]),
        reverse=True,
    )
    seen: dict[str, int] = {}
    surplus = []
    for run in ended:
        pipeline = pipeline_of_run(run)
        seen[pipeline] = seen.get(pipeline, 0) + 1
        if seen[pipeline] > keep:
            surplus.append(run)
    return surplus
