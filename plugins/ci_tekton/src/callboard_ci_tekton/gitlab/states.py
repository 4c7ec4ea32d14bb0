"""The statuses of GitLab's pipelines and jobs, and what sets a pipeline off, in the plugin's words.

The names are those of the pipelines and jobs API (version 4).
"""

from typing import Final

_STATES: Final = {
    "created": "waiting",
    "waiting_for_resource": "waiting",
    "waiting_for_callback": "waiting",
    "preparing": "waiting",
    "pending": "waiting",
    "scheduled": "waiting",
    "running": "running",
    "canceling": "stopping",
    "manual": "held",
    "success": "succeeded",
    "failed": "failed",
    "canceled": "cancelled",
    "skipped": "skipped",
}
_TIMEOUTS: Final = frozenset({"job_execution_timeout", "stuck_or_timeout_failure"})
_TRIGGERS: Final = {
    "push": "push",
    "webide": "push",
    "web": "person",
    "chat": "person",
    "ondemand_dast_scan": "person",
    "ondemand_dast_validation": "person",
    "schedule": "schedule",
    "security_orchestration_policy": "schedule",
    "merge_request_event": "merge_request",
    "external_pull_request_event": "merge_request",
}


def state_of(status: str, reason: str = "") -> str:
    """Give the state of a pipeline or job; one with a status that is not known is running."""
    if status == "failed" and reason in _TIMEOUTS:
        return "timed_out"
    return _STATES.get(status, "running")


def trigger_of(source: str, *, tag: bool) -> str:
    """Give what set a pipeline off: `trigger`, `api` and `pipeline` are `other`."""
    found = _TRIGGERS.get(source, "other")
    return "tag" if tag and found == "push" else found
