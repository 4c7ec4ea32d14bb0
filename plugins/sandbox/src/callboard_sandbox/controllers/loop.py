"""The loop that runs the controllers on a store."""

import heapq
import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from threading import Event
from typing import Any, Final

from callboard_sandbox.api.failures import ApiError
from callboard_sandbox.api.store import Clock, Store
from callboard_sandbox.controllers import approvals, customruns, nodes, pipelineruns, taskruns
from callboard_sandbox.controllers.context import (
    CUSTOM_RUNS,
    PIPELINE_RUNS,
    PODS,
    TASK_RUNS,
    Context,
    Key,
    is_done,
)
from callboard_sandbox.controllers.plan import Plan

log = logging.getLogger(__name__)

Json = dict[str, Any]

_RECONCILERS: Final[Mapping[str, Callable[[Context, str, str], None]]] = {
    PIPELINE_RUNS: pipelineruns.reconcile,
    TASK_RUNS: taskruns.reconcile,
    CUSTOM_RUNS: customruns.reconcile,
    approvals.APPROVALS: approvals.reconcile,
    PODS: nodes.reconcile_pod,
    nodes.CLAIMS: nodes.reconcile_claim,
}
_KINDS: Final = {"PipelineRun": PIPELINE_RUNS, "TaskRun": TASK_RUNS}
_AFTER_FAULT: Final = timedelta(seconds=1)
_LONGEST_WAIT_SECONDS: Final = 5.0
_ENOUGH_AT_ONCE: Final = 10_000


class Controllers:
    """All controllers on one store. One of them at a time may work on a store.

    `speed` is how many seconds of the plan pass in one second; `keep` is how many ended runs of
    each pipeline stay, all of them without it. What they know is in the store: another one takes
    up where this one ends.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Clock,
        plan: Plan | None = None,
        speed: float = 1.0,
        seed: int = 0,
        keep: int | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._keep = keep
        self._version: int | None = None
        self._queue: dict[Key, None] = {}
        self._due: list[tuple[datetime, Key]] = []
        self._context = Context(store, clock, plan or Plan(seed=seed), speed, seed, self._wake_at)

    def step(self) -> datetime | None:
        """Do all that is due now; give when something is due next by itself, None for never."""
        self._take_due()
        for _ in range(_ENOUGH_AT_ONCE):
            self._take_changes()
            if not self._queue:
                break
            key = next(iter(self._queue))
            del self._queue[key]
            self._reconcile(key)
        if self._queue:
            return self._clock()
        return self._due[0][0] if self._due else None

    def run(self, stop: Event) -> None:
        """Work until `stop` is set; it is noticed within five seconds, at once after a write."""
        while not stop.is_set():
            try:
                due = self.step()
            except Exception:
                # What is wrong with one object must not hold up all others.
                log.exception("A controller of the sandbox failed; it goes on with other objects.")
                stop.wait(_AFTER_FAULT.total_seconds())
                continue
            seconds = _LONGEST_WAIT_SECONDS
            if due is not None:
                seconds = min(seconds, (due - self._clock()).total_seconds())
            if seconds > 0:
                self._store.wait(self._version or 0, seconds)

    def _wake_at(self, key: Key, at: datetime) -> None:
        heapq.heappush(self._due, (at, key))

    def _take_due(self) -> None:
        now = self._clock()
        while self._due and self._due[0][0] <= now:
            self._queue[heapq.heappop(self._due)[1]] = None

    def _take_changes(self) -> None:
        if self._version is None:
            self._begin()
            return
        while True:
            latest = self._store.version
            try:
                changes = self._store.changes(self._version, resources=tuple(_RECONCILERS))
            except ApiError as error:
                if error.code != 410:
                    raise
                self._begin()
                return
            if not changes:
                # What nobody here looks at is seen too, so that waiting does not end for it.
                self._version = max(self._version, latest)
                return
            for change in changes:
                self._version = change.version
                self._notice(change.resource, change.object, gone=change.type == "DELETED")

    def _begin(self) -> None:
        """Look at everything that is not at its end."""
        self._version = self._store.version
        for resource in _RECONCILERS:
            for found in self._store.list(resource):
                if resource in (PODS, nodes.CLAIMS) or not is_done(found):
                    self._notice(resource, found, gone=False)

    def _notice(self, resource: str, found: Json, *, gone: bool) -> None:
        metadata = found["metadata"]
        namespace = metadata.get("namespace", "")
        if not gone:
            self._queue[(resource, namespace, metadata["name"])] = None
        for owner in metadata.get("ownerReferences") or []:
            if resource != nodes.CLAIMS and owner.get("kind") in _KINDS:
                self._queue[(_KINDS[owner["kind"]], namespace, owner["name"])] = None
        if resource == nodes.CLAIMS and not gone:
            self._notice_users(namespace, metadata["name"])
        if resource == PIPELINE_RUNS and not gone and is_done(found):
            self._prune(namespace)

    def _notice_users(self, namespace: str, claim: str) -> None:
        for pod in self._store.list(PODS, namespace):
            for volume in pod["spec"].get("volumes") or []:
                if (volume.get("persistentVolumeClaim") or {}).get("claimName") == claim:
                    self._queue[(PODS, namespace, pod["metadata"]["name"])] = None

    def _reconcile(self, key: Key) -> None:
        resource, namespace, name = key
        try:
            _RECONCILERS[resource](self._context, namespace, name)
        except ApiError as error:
            # Somebody deleted or changed it meanwhile: the next look sees what is left.
            if error.code not in (404, 409):
                raise
            self._wake_at(key, self._clock() + _AFTER_FAULT)

    def _prune(self, namespace: str) -> None:
        if self._keep is None:
            return
        runs = self._store.list(PIPELINE_RUNS, namespace)
        for run in pipelineruns.pruned(runs, self._keep, _pipeline):
            name = run["metadata"]["name"]
            self._store.delete(PIPELINE_RUNS, namespace, name, uid=run["metadata"]["uid"])


def _pipeline(run: Json) -> str:
    return str((run["metadata"].get("labels") or {}).get("tekton.dev/pipeline", ""))
