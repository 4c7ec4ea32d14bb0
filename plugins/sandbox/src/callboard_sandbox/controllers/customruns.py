"""Stands in for the controllers of custom tasks: ends what is cancelled, and decides nothing.

A task waits until somebody patches `/status` with the condition `Succeeded`; those that refer to
the kind ApprovalTask are left to their own controller.
"""

from copy import deepcopy
from typing import Any, Final

from callboard_sandbox.controllers import approvals
from callboard_sandbox.controllers.context import CUSTOM_RUNS, Context, is_done, set_condition
from callboard_sandbox.controllers.times import stamp

Json = dict[str, Any]

CANCELLED: Final = "RunCancelled"


def reconcile(context: Context, namespace: str, name: str) -> None:
    """End a custom run that was cancelled, or have people asked for it."""
    run = context.store.find(CUSTOM_RUNS, namespace, name)
    if run is None or is_done(run):
        return
    if run["spec"].get("status") != CANCELLED:
        if approvals.is_asked_for(run):
            approvals.begin(context, run)
        return
    now = context.now()
    status: Json = deepcopy(run.get("status") or {})
    status.setdefault("startTime", stamp(now))
    status["completionTime"] = stamp(now)
    message = run["spec"].get("statusMessage") or f'CustomRun "{name}" was cancelled'
    set_condition(status, now, "False", "CustomRunCancelled", message)
    context.put_status(CUSTOM_RUNS, run, status)
