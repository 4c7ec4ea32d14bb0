"""What every controller works with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from callboard_sandbox.api.store import Clock, Store
from callboard_sandbox.controllers import events
from callboard_sandbox.controllers.plan import Plan
from callboard_sandbox.controllers.times import parsed, stamp

Json = dict[str, Any]

PIPELINE_RUNS: Final = "pipelineruns.tekton.dev"
TASK_RUNS: Final = "taskruns.tekton.dev"
CUSTOM_RUNS: Final = "customruns.tekton.dev"
PODS: Final = "pods"

FEATURE_FLAGS: Final[Json] = {
    "awaitSidecarReadiness": True,
    "coschedule": "workspaces",
    "enableAPIFields": "beta",
    "enableProvenanceInStatus": True,
    "enforceNonfalsifiability": "none",
    "maxResultSize": 4096,
    "resultExtractionMethod": "termination-message",
    "runningInEnvWithInjectedSidecars": True,
    "sendCloudEventsForRuns": True,
    "verificationNoMatchPolicy": "ignore",
}

Key = tuple[str, str, str]
"""(resource, namespace, name)"""


@dataclass(slots=True)
class Context:
    """The store, the time and the plan; `speed` is how many seconds pass in one.

    `wake` asks that an object is looked at again at a time.
    """

    store: Store
    clock: Clock
    plan: Plan
    speed: float
    seed: int
    wake: Callable[[Key, datetime], None]
    began: dict[str, datetime] = field(default_factory=dict)
    written: dict[tuple[str, str], int] = field(default_factory=dict)

    def forget(self, pod: Json) -> None:
        """Drop what is remembered of a pod that is at its end."""
        uid = pod["metadata"]["uid"]
        self.began.pop(uid, None)
        for status in (pod.get("status") or {}).get("containerStatuses") or []:
            self.written.pop((uid, status["name"]), None)

    def now(self) -> datetime:
        return self.clock()

    def deadline(self, started: str, limit: float) -> datetime:
        """Give when `limit` seconds of the plan after a recorded start are over.

        Recorded times lack their fraction of a second, which counts when time is fast.
        """
        rounding = 0.0 if self.speed == 1 else 1.0
        return parsed(started) + timedelta(seconds=limit / self.speed + rounding)

    def put_status(self, resource: str, old: Json, status: Json) -> Json:
        """Store a status where it differs, and record the event of its condition."""
        metadata = old["metadata"]
        before = condition(old)
        new = self.store.set_status(resource, metadata["namespace"], metadata["name"], status)
        after = condition(new)
        if after is not None:
            events.condition_changed(self.store, new, self.now(), before, after)
        return new


def condition(run: Json) -> Json | None:
    """Give the condition `Succeeded` of a run, None before the first."""
    for found in (run.get("status") or {}).get("conditions") or []:
        if found.get("type") == "Succeeded":
            result: Json = found
            return result
    return None


def is_done(run: Json) -> bool:
    """Say whether a run has ended, well or not."""
    found = condition(run)
    return found is not None and found.get("status") in ("True", "False")


def set_condition(status: Json, now: datetime, value: str, reason: str, message: str) -> None:
    """Set the condition `Succeeded`; its time changes when anything of it does."""
    new = {"message": message, "reason": reason, "status": value, "type": "Succeeded"}
    old: Json = next(iter(status.get("conditions") or []), {})
    same = all(old.get(key) == new[key] for key in new)
    status["conditions"] = [
        {"lastTransitionTime": old["lastTransitionTime"] if same else stamp(now), **new}
    ]


def owner_reference(owner: Json) -> Json:
    """Give the reference by which a child names its controller."""
    return {
        "apiVersion": owner["apiVersion"],
        "blockOwnerDeletion": True,
        "controller": True,
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }
