"""The states of runs and tasks, and how a `Succeeded` condition becomes one of them.

The condition's status decides first, its reason second: reasons differ between releases, and one
that is not known says nothing.
"""

from collections.abc import Mapping
from typing import Any, Final

FINISHED: Final = frozenset({"succeeded", "failed", "cancelled", "timed_out", "skipped", "deleted"})
"""No other state follows these by itself. `skipped` was not to run; `deleted` left too early."""

UNFINISHED: Final = frozenset({"waiting", "held", "running", "stopping"})
"""`held` waits for a person, `stopping` was asked to end."""

_STOPS: Final = frozenset({"Cancelled", "CancelledRunFinally", "StoppedRunFinally"})
_STOPPING: Final = frozenset(
    {
        "CancelledRunningFinally",
        "StoppedRunningFinally",
        "PipelineRunStopping",
        "PipelineRunTimeoutRunningFinally",
    }
)
_CANCELLED: Final = frozenset(
    {"Cancelled", "PipelineRunCancelled", "TaskRunCancelled", "CustomRunCancelled"}
)
_TIMED_OUT: Final = frozenset(
    {"PipelineRunTimeout", "TaskRunTimeout", "CustomRunTimedOut", "CustomRunTimeout"}
)
_QUEUED: Final = frozenset(
    {"", "Started", "Pending", "ResolvingPipelineRef", "ResolvingTaskRef", "ToBeRetried",
     "ExceededNodeResources", "ExceededResourceQuota"}
)  # fmt: skip


def condition_of(status: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the condition `Succeeded`, empty before the first reconcile."""
    conditions = status.get("conditions")
    for item in conditions if isinstance(conditions, list) else ():
        if isinstance(item, Mapping) and item.get("type") == "Succeeded":
            return item
    return {}


def run_state(condition: Mapping[str, Any], asked: str) -> str:
    """Give the state of a PipelineRun; `asked` is its `spec.status`."""
    ended = _ended(condition)
    reason = condition.get("reason", "")
    if ended:
        return ended
    if asked == "PipelineRunPending" or reason == "PipelineRunPending":
        return "held"
    if asked in _STOPS or reason in _STOPPING:
        return "stopping"
    return "waiting" if reason in _QUEUED else "running"


def task_state(condition: Mapping[str, Any], asked: str) -> str:
    """Give the state of a TaskRun or CustomRun; `asked` is its `spec.status`."""
    ended = _ended(condition)
    if ended:
        return ended
    if asked in ("TaskRunCancelled", "RunCancelled", "CustomRunCancelled"):
        return "stopping"
    return "waiting" if condition.get("reason", "") in _QUEUED else "running"


def _ended(condition: Mapping[str, Any]) -> str:
    status, reason = condition.get("status"), condition.get("reason", "")
    if status == "True":
        return "succeeded"
    if status != "False":
        return ""
    if reason in _CANCELLED:
        return "cancelled"
    return "timed_out" if reason in _TIMED_OUT else "failed"
