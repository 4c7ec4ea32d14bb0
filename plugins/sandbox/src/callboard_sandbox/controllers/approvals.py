"""The manual approval gate: custom runs that wait for people.

Each CustomRun that refers to the kind ApprovalTask gets an object of it, and ends as people answer:
by one rejection, or by as many different people as are asked for.
"""

from collections.abc import Iterator
from copy import deepcopy
from typing import Any, Final

from callboard_sandbox.api.approvals import ANSWERS, KEY, approvers
from callboard_sandbox.controllers.context import (
    CUSTOM_RUNS,
    Context,
    is_done,
    owner_reference,
    set_condition,
)
from callboard_sandbox.controllers.times import stamp

Json = dict[str, Any]

APPROVALS: Final = KEY
_VERSION: Final = "openshift-pipelines.org/v1alpha1"


def is_asked_for(run: Json) -> bool:
    """Say whether a custom run waits for an approval task."""
    reference = run["spec"].get("customRef") or {}
    return reference.get("apiVersion") == _VERSION and reference.get("kind") == "ApprovalTask"


def begin(context: Context, run: Json) -> None:
    """Make the approval task of a custom run, and end the run where it is decided."""
    namespace, name = run["metadata"]["namespace"], run["metadata"]["name"]
    task = context.store.find(APPROVALS, namespace, name)
    if task is None:
        context.store.create(APPROVALS, _task(run))
        _wait(context, run)
        return
    state = (task.get("status") or {}).get("state")
    if state in ("approved", "rejected"):
        _end(context, run, approved=state == "approved")


def reconcile(context: Context, namespace: str, name: str) -> None:
    """Write down how an approval task stands."""
    task = context.store.find(APPROVALS, namespace, name)
    if task is None:
        return
    answers = list(_answers(task))
    required = task["spec"].get("numberOfApprovalsRequired", 1)
    received = len({who for _entry, who, answer, _said in answers if answer == "approve"})
    state = "pending"
    if any(answer == "reject" for _entry, _who, answer, _said in answers):
        state = "rejected"
    elif received >= required:
        state = "approved"
    status = {
        **deepcopy(task.get("status") or {"startTime": stamp(context.now())}),
        "state": state,
        "approvers": [approver["name"] for approver in approvers(task)],
        "approvalsRequired": required,
        "approvalsReceived": received,
        "approversResponse": [
            {"name": who, "type": entry.get("type", "User"), "message": said,
             "response": "approved" if answer == "approve" else "rejected"}
            for entry, who, answer, said in answers
        ],
    }  # fmt: skip
    if status != task.get("status"):
        context.store.set_status(APPROVALS, namespace, name, status)
    run = context.store.find(CUSTOM_RUNS, namespace, name)
    if run is not None and not is_done(run) and state != "pending":
        _end(context, run, approved=state == "approved")


def _answers(task: Json) -> Iterator[tuple[Json, str, str, str]]:
    """Give entry, person, answer and comment of each who has answered."""
    for entry in approvers(task):
        own = entry.get("users") or () if entry.get("type") == "Group" else (entry,)
        for one in own:
            if one.get("input") in ANSWERS:
                yield entry, one["name"], one["input"], one.get("message", "")


def _task(run: Json) -> Json:
    given = {item["name"]: item.get("value") for item in run["spec"].get("params") or []}
    names = given.get("approvers")
    entries = [_entry(name) for name in dict.fromkeys(names if isinstance(names, list) else ())]
    number = str(given.get("numberOfApprovalsRequired", "1"))
    metadata = run["metadata"]
    return {
        "apiVersion": _VERSION,
        "kind": "ApprovalTask",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": {**(metadata.get("labels") or {}), "tekton.dev/customRun": metadata["name"]},
            "ownerReferences": [owner_reference(run)],
        },
        "spec": {
            "approvers": entries,
            "numberOfApprovalsRequired": int(number) if number.isdecimal() else 1,
            "description": str(given.get("description") or ""),
        },
    }


def _entry(name: str) -> Json:
    group = name.removeprefix("group:")
    return {"name": group, "input": "pending", "type": "User" if group == name else "Group"}


def _wait(context: Context, run: Json) -> None:
    now = context.now()
    status: Json = deepcopy(run.get("status") or {})
    status.setdefault("startTime", stamp(now))
    set_condition(status, now, "Unknown", "Running", "Approval Task is waiting for approvals")
    context.put_status(CUSTOM_RUNS, run, status)


def _end(context: Context, run: Json, *, approved: bool) -> None:
    now = context.now()
    status: Json = deepcopy(run.get("status") or {})
    status.setdefault("startTime", stamp(now))
    status["completionTime"] = stamp(now)
    if approved:
        set_condition(status, now, "True", "Succeeded", "TaskRun succeeded")
    else:
        set_condition(status, now, "False", "Failed", "Approval Task denied")
    context.put_status(CUSTOM_RUNS, run, status)
