"""How far a pipeline run is: which tasks ran, which are skipped and why, what may start next.

The rules and their order are those of Tekton's `pipelinerunstate.go` and
`pipelinerunresolution.go`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from callboard_sandbox.controllers.context import condition
from callboard_sandbox.controllers.graph import parents
from callboard_sandbox.controllers.values import replaced, result_references

Json = dict[str, Any]

STOPPING: Final = "PipelineRun was stopping"
GRACEFULLY_CANCELLED: Final = "PipelineRun was gracefully cancelled"
GRACEFULLY_STOPPED: Final = "PipelineRun was gracefully stopped"
WHEN: Final = "When Expressions evaluated to false"
PARENTS: Final = "Parent Tasks were skipped"
RESULTS_MISSING: Final = "Results were missing"
PIPELINE_TIMEOUT: Final = "PipelineRun timeout has been reached"
TASKS_TIMEOUT: Final = "PipelineRun Tasks timeout has been reached"
FINALLY_TIMEOUT: Final = "PipelineRun Finally timeout has been reached"
EMPTY_MATRIX: Final = "Matrix Parameters have an empty array"
TIMEOUTS: Final = (PIPELINE_TIMEOUT, TASKS_TIMEOUT, FINALLY_TIMEOUT)

_CANCELLED_REASONS: Final = ("TaskRunCancelled", "CustomRunCancelled")


@dataclass(frozen=True, slots=True)
class Limits:
    """Which of the three timeouts of a run are reached."""

    pipeline: bool = False
    tasks: bool = False
    finally_: bool = False


@dataclass(frozen=True, slots=True)
class Counts:
    """Tasks by what became of them."""

    succeeded: int
    failed: int
    ignored: int
    cancelled: int
    skipped: int
    incomplete: int

    @property
    def message(self) -> str:
        completed = self.succeeded + self.failed + self.ignored + self.cancelled
        failed = self.failed + self.ignored
        text = f"Tasks Completed: {completed} (Failed: {failed}, Cancelled {self.cancelled})"
        open_ = f", Incomplete: {self.incomplete}" if self.incomplete else ""
        return f"{text}{open_}, Skipped: {self.skipped}"


class Progress:
    """The state of a run's tasks, from the resolved pipeline and the children by task name."""

    def __init__(
        self,
        pipeline: Json,
        children: Mapping[str, Sequence[Json]],
        spec_status: str,
        limits: Limits,
    ) -> None:
        self.tasks: Sequence[Json] = pipeline.get("tasks") or []
        self.last: Sequence[Json] = pipeline.get("finally") or []
        self.children = children
        self._spec_status = spec_status
        self._limits = limits
        self._parents = parents(self.tasks)
        self._by_name = {task["name"]: task for task in (*self.tasks, *self.last)}
        self._reasons: dict[str, str] = {}

    # one task

    def scheduled(self, name: str) -> bool:
        return bool(self.children.get(name))

    def running(self, name: str) -> bool:
        return self.scheduled(name) and any(_state(c) == "Unknown" for c in self.children[name])

    def succeeded(self, name: str) -> bool:
        return self.scheduled(name) and all(_state(c) == "True" for c in self.children[name])

    def cancelled(self, name: str) -> bool:
        return self._ended(name) and any(_is_cancelled(c) for c in self.children[name])

    def failed(self, name: str) -> bool:
        """Say whether the task failed or was cancelled."""
        return self._ended(name) and not self.succeeded(name)

    def ignored(self, name: str) -> bool:
        """Say whether the task failed and the pipeline goes on nevertheless."""
        return self.failed(name) and self._by_name[name].get("onError") == "continue"

    def done(self, name: str) -> bool:
        return self._ended(name) or bool(self.skip_reason(name))

    def _ended(self, name: str) -> bool:
        return self.scheduled(name) and not self.running(name)

    # all tasks

    @cached_property
    def stopping(self) -> bool:
        """A task failed or was cancelled: no other starts."""
        names = [task["name"] for task in self.tasks]
        return any(self.failed(name) and not self.ignored(name) for name in names)

    @cached_property
    def tasks_done(self) -> bool:
        return all(self.done(task["name"]) for task in self.tasks)

    # skipping

    def skip_reason(self, name: str) -> str:
        """Say why a task is skipped, "" where it is not (yet)."""
        if name not in self._reasons:
            self._reasons[name] = self._skip_reason(name)
        return self._reasons[name]

    def _skip_reason(self, name: str) -> str:
        if self.scheduled(name):
            return ""
        if any(task["name"] == name for task in self.last):
            return self._last_skip_reason(name)
        if self.stopping:
            return STOPPING
        if self._spec_status == "CancelledRunFinally":
            return GRACEFULLY_CANCELLED
        if self._spec_status == "StoppedRunFinally":
            return GRACEFULLY_STOPPED
        before = self._parents[name]
        if all(self.done(parent) for parent in before) and not self._when(name):
            return WHEN
        if any(self.skip_reason(parent) not in ("", WHEN) for parent in before):
            return PARENTS
        if all(self.done(parent) for parent in before) and self._lacks_results(name):
            return RESULTS_MISSING
        if self._limits.pipeline:
            return PIPELINE_TIMEOUT
        if self._limits.tasks:
            return TASKS_TIMEOUT
        return EMPTY_MATRIX if self._has_empty_matrix(name) else ""

    def _last_skip_reason(self, name: str) -> str:
        if not self.tasks_done:
            return ""
        if self._lacks_results(name):
            return RESULTS_MISSING
        if not self._when(name):
            return WHEN
        if self._limits.pipeline:
            return PIPELINE_TIMEOUT
        return FINALLY_TIMEOUT if self._limits.finally_ else ""

    def _lacks_results(self, name: str) -> bool:
        task = self._by_name[name]
        used = result_references([task.get(key) for key in ("params", "matrix", "when")])
        known = self.values
        return any(f"tasks.{parent}.results.{result}" not in known for parent, result in used)

    def _has_empty_matrix(self, name: str) -> bool:
        matrix = self._by_name[name].get("matrix") or {}
        return any(parameter.get("value") == [] for parameter in matrix.get("params") or [])

    def _when(self, name: str) -> bool:
        return all(_holds(expression) for expression in self.when(name))

    def when(self, name: str) -> list[Json]:
        """Give the task's when expressions with what is known put in."""
        expressions = self._by_name[name].get("when") or []
        found: list[Json] = replaced(expressions, self.values)
        return found

    # values that tasks leave to others

    @cached_property
    def values(self) -> dict[str, Any]:
        """Give the table of results of the tasks that ended, also of those that failed."""
        table: dict[str, Any] = {}
        for name, children in self.children.items():
            if not self._ended(name):
                continue
            for child in children:
                for result in (child.get("status") or {}).get("results") or []:
                    key = f"tasks.{name}.results.{result['name']}"
                    if "matrix" in self._by_name.get(name, {}):
                        table.setdefault(key, []).append(result["value"])
                    else:
                        table[key] = result["value"]
        return table

    def status_values(self) -> dict[str, str]:
        """Give the table of statuses, which finally tasks may ask for."""
        table = {"tasks.status": self._aggregate()}
        for task in self.tasks:
            name = task["name"]
            value = "Succeeded" if self.succeeded(name) else "Failed"
            table[f"tasks.{name}.status"] = value if self._ended(name) else "None"
            found = condition(self.children[name][0]) if self._ended(name) else None
            table[f"tasks.{name}.reason"] = found["reason"] if found else ""
        return table

    def _aggregate(self) -> str:
        names = [task["name"] for task in self.tasks]
        if any(self.failed(name) for name in names):
            return "Failed"
        return "Completed" if any(self.skip_reason(name) for name in names) else "Succeeded"

    # what follows

    def startable(self) -> list[Json]:
        """Give the tasks to start now, finally tasks once all others are done."""
        if self.tasks_done:
            return [task for task in self.last if self._may_start(task["name"])]
        return [
            task
            for task in self.tasks
            if self._may_start(task["name"])
            and all(self.done(parent) for parent in self._parents[task["name"]])
        ]

    def _may_start(self, name: str) -> bool:
        return not self.scheduled(name) and not self.skip_reason(name)

    def skipped(self) -> list[Json]:
        """Give `status.skippedTasks`."""
        found = []
        for task in (*self.tasks, *self.last):
            if reason := self.skip_reason(task["name"]):
                entry: Json = {"name": task["name"], "reason": reason}
                if when := self.when(task["name"]):
                    entry["whenExpressions"] = when
                found.append(entry)
        return found

    def counts(self) -> Counts:
        """Count the tasks, a matrix as one."""
        names = [task["name"] for task in (*self.tasks, *self.last)]
        ended = [name for name in names if self._ended(name)]
        cancelled = {name for name in ended if self.cancelled(name)}
        ignored = {name for name in ended if self.ignored(name)}
        failed = {name for name in ended if self.failed(name)} - cancelled - ignored
        skipped = [name for name in names if self.skip_reason(name)]
        return Counts(
            succeeded=sum(self.succeeded(name) for name in ended),
            failed=len(failed),
            ignored=len(ignored - cancelled),
            cancelled=len(cancelled),
            skipped=len(skipped),
            incomplete=len(names) - len(ended) - len(skipped),
        )


def _state(child: Json) -> str:
    found = condition(child)
    return found["status"] if found else "Unknown"


def _is_cancelled(child: Json) -> bool:
    found = condition(child)
    return found is not None and found["reason"] in _CANCELLED_REASONS


def _holds(expression: Json) -> bool:
    if "cel" in expression:
        return True
    values = [str(value) for value in expression.get("values") or []]
    is_in = str(expression.get("input", "")) in values
    return is_in if expression.get("operator") == "in" else not is_in
