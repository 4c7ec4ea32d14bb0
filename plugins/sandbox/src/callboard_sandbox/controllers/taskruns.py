"""Moves a task run: resolves its task, makes and follows its pods, retries and stops."""

from copy import deepcopy
from datetime import datetime, timedelta
from typing import Any, Final

from callboard_sandbox.api import quotas
from callboard_sandbox.api.failures import ApiError
from callboard_sandbox.controllers import steps
from callboard_sandbox.controllers.context import (
    FEATURE_FLAGS,
    PODS,
    TASK_RUNS,
    Context,
    is_done,
    set_condition,
)
from callboard_sandbox.controllers.pods import pod_body, pod_name
from callboard_sandbox.controllers.resolution import (
    UnresolvedError,
    resolved_task,
    task_of,
)
from callboard_sandbox.controllers.times import seconds, stamp

Json = dict[str, Any]

CANCELLED: Final = "TaskRunCancelled"
TIMED_OUT: Final = "TaskRunTimeout"
_ROOM_AGAIN: Final = timedelta(minutes=1)
_READY: Final = "tekton.dev/ready"
_COPIED_FROM_RUN: Final = ("kubectl.kubernetes.io/last-applied-configuration",)
_OF_ONE_ATTEMPT: Final = ("startTime", "completionTime", "results", "retriesStatus")


def reconcile(context: Context, namespace: str, name: str) -> None:
    """Bring a task run one step on, as far as what is stored allows."""
    run = context.store.find(TASK_RUNS, namespace, name)
    if run is None or run["metadata"].get("deletionTimestamp"):
        return
    if is_done(run):
        _follow_sidecars(context, run)
        return
    _Progress(context, run).go_on()


def _follow_sidecars(context: Context, run: Json) -> None:
    status = run.get("status") or {}
    if not any("running" in sidecar for sidecar in status.get("sidecars") or []):
        return
    pod = context.store.find(PODS, run["metadata"]["namespace"], status.get("podName") or "-")
    if pod is not None and (ended := steps.sidecars(pod)):
        context.put_status(TASK_RUNS, run, status | {"sidecars": ended})


class _Progress:
    def __init__(self, context: Context, run: Json) -> None:
        self.context = context
        self.run = run
        self.now: datetime = context.now()
        self.status: Json = deepcopy(run.get("status") or {})
        self.namespace: str = run["metadata"]["namespace"]
        self.name: str = run["metadata"]["name"]

    @property
    def attempt(self) -> int:
        return len(self.status.get("retriesStatus") or [])

    def go_on(self) -> None:
        if self._waits_for_last_attempt():
            return
        self.status.setdefault("startTime", stamp(self.now))
        if self.run["spec"].get("status") == CANCELLED:
            reason = self.run["spec"].get("statusMessage", "")
            self._stop(CANCELLED, f'TaskRun "{self.name}" was cancelled. {reason}'.strip())
            return
        limit = seconds(self.run["spec"].get("timeout") or "")
        deadline = self.context.deadline(self.status["startTime"], limit)
        if limit and self.now >= deadline:
            timeout = self.run["spec"]["timeout"]
            self._stop(TIMED_OUT, f'TaskRun "{self.name}" failed to finish within "{timeout}"')
            return
        if limit:
            self.context.wake((TASK_RUNS, self.namespace, self.name), deadline)
        self._follow()

    def _waits_for_last_attempt(self) -> bool:
        """The next attempt begins when the pod of the last one has come to rest."""
        if not self.attempt or self.status.get("podName"):
            return False
        pod = self._pod(self.attempt - 1)
        if pod is None:
            return False
        if ended := steps.sidecars(pod):
            self.status["sidecars"] = self.status["retriesStatus"][-1]["sidecars"] = ended
            self.context.put_status(TASK_RUNS, self.run, self.status)
        return pod["status"].get("phase") not in ("Succeeded", "Failed")

    def _pod(self, attempt: int) -> Json | None:
        return self.context.store.find(PODS, self.namespace, pod_name(self.name, attempt))

    def _follow(self) -> None:
        pod = self._pod(self.attempt)
        if pod is None:
            try:
                self._start_attempt()
            except UnresolvedError as error:
                self._end(error.reason, error.message)
            return
        # A controller that begins anew may find the pod before the status that names it.
        if "taskSpec" not in self.status:
            self.status["taskSpec"] = self._task()
        self.status.setdefault("provenance", {"featureFlags": dict(FEATURE_FLAGS)})
        self.status["podName"] = pod["metadata"]["name"]
        self._read(pod)

    def _task(self) -> Json:
        return resolved_task(self.run, task_of(self.context.store, self.run)[0])

    def _start_attempt(self) -> None:
        task, metadata = task_of(self.context.store, self.run)
        resolved = resolved_task(self.run, task)
        self._label(metadata)
        body = pod_body(self.run, resolved, self.attempt)
        if not self._has_room(body):
            return
        self._check_account(body)
        pod = self.context.store.create(PODS, body)
        self.context.began[pod["metadata"]["uid"]] = self.now
        self.status.pop("sidecars", None)
        self.status |= {
            "podName": pod["metadata"]["name"],
            "provenance": {"featureFlags": dict(FEATURE_FLAGS)},
            "taskSpec": resolved,
        }
        self.status.setdefault("steps", steps.first_steps(resolved))
        set_condition(self.status, self.now, "Unknown", "Pending", "Pending")
        self.context.put_status(TASK_RUNS, self.run, self.status)

    def _has_room(self, pod: Json) -> bool:
        """Say whether the quotas let the pod in; where they do not, try again in a while."""
        try:
            kind = self.context.store.kinds.get(PODS)
            quotas.check(self.context.store, kind, self.namespace, pod)
        except ApiError as error:
            message = f"TaskRun Pod exceeded available resources: {error.message}"
            set_condition(self.status, self.now, "Unknown", "ExceededResourceQuota", message)
            self.context.put_status(TASK_RUNS, self.run, self.status)
            key = (TASK_RUNS, self.namespace, self.name)
            self.context.wake(key, self.now + _ROOM_AGAIN / self.context.speed)
            return False
        return True

    def _check_account(self, pod: Json) -> None:
        account = pod["spec"]["serviceAccountName"]
        where = ("serviceaccounts", self.namespace, account)
        if account == "default" or self.context.store.find(*where) is not None:
            return
        task = self.run["spec"].get("taskRef", {}).get("name")
        maybe = f"missing or invalid Task {self.namespace}/{task}" if task else "invalid TaskSpec"
        raise UnresolvedError(
            "PodCreationFailed",
            f'failed to create task run pod "{self.name}": pods "{pod["metadata"]["name"]}" is '
            f"forbidden: error looking up service account {self.namespace}/{account}: "
            f'serviceaccount "{account}" not found. Maybe {maybe}',
        )

    def _label(self, task: Json) -> None:
        """Copy what the task is labelled with; what the run says itself counts more."""

        def copy(run: Json) -> None:
            own = run["metadata"]
            labels = dict(task.get("labels") or {})
            if "taskRef" in run["spec"]:
                labels["tekton.dev/task"] = run["spec"]["taskRef"].get("name", "")
            own["labels"] = labels | (own.get("labels") or {})
            annotations = {
                key: value
                for key, value in (task.get("annotations") or {}).items()
                if key not in _COPIED_FROM_RUN
            }
            release = {"pipeline.tekton.dev/release": "unknown"}
            own["annotations"] = annotations | release | (own.get("annotations") or {})

        self.run = self.context.store.update(TASK_RUNS, self.namespace, self.name, copy)

    def _read(self, pod: Json) -> None:
        """Put what the pod says into the status."""
        phase = pod["status"].get("phase")
        if found := steps.steps(pod):
            self.status["steps"] = found
        if beside := steps.sidecars(pod):
            self.status["sidecars"] = beside
        if steps.all_ended(pod):
            self._complete(pod)
            return
        if phase == "Running":
            self._mark_ready(pod)
            message = "Not all Steps in the Task have finished executing"
            set_condition(self.status, self.now, "Unknown", "Running", message)
        elif pull := steps.unpullable(pod):
            step, error = pull
            self._stop(
                "TaskRunImagePullFailed",
                f'the step "{step}" in TaskRun "{self.name}" failed to pull the image "". '
                f'The pod errored with the message: "{error}."',
            )
            return
        else:
            set_condition(self.status, self.now, "Unknown", *_pending(pod))
        self.context.put_status(TASK_RUNS, self.run, self.status)

    def _mark_ready(self, pod: Json) -> None:
        def mark(pod: Json) -> None:
            pod["metadata"].setdefault("annotations", {})[_READY] = "READY"

        self.context.store.update(PODS, self.namespace, pod["metadata"]["name"], mark)

    def _complete(self, pod: Json) -> None:
        declared = (self.status.get("taskSpec") or {}).get("results") or []
        good, wrong = steps.typed_results(declared, steps.results(pod))
        if good:
            self.status["results"] = good
        self.status["artifacts"] = {}
        if failed := steps.failure(pod):
            self._end(*failed)
        elif wrong:
            self._end(
                "TaskRunValidationFailed",
                "[User error] Provided results don't match declared results; may be invalid JSON "
                f"or missing result declaration:  {wrong}",
            )
        else:
            self.status["completionTime"] = stamp(self.now)
            message = "All Steps have completed executing"
            set_condition(self.status, self.now, "True", "Succeeded", message)
            self.context.put_status(TASK_RUNS, self.run, self.status)

    def _stop(self, reason: str, message: str) -> None:
        """End the run or the attempt, and take its pod away."""
        pod = self._pod(self.attempt)
        if pod is not None:
            name = pod["metadata"]["name"]
            self.status["podName"] = name
            known = steps.steps(pod) or self.status.get("steps") or []
            since = pod["metadata"]["creationTimestamp"]
            self.status["steps"] = steps.stopped(known, name, reason, since, self.now)
        self._end(reason, message)
        if pod is not None:
            self.context.store.delete(PODS, self.namespace, pod["metadata"]["name"])

    def _end(self, reason: str, message: str) -> None:
        """End in failure, or make ready for the next attempt."""
        self.status["completionTime"] = stamp(self.now)
        set_condition(self.status, self.now, "False", reason, message)
        retries = self.run["spec"].get("retries", 0)
        may_retry = reason != CANCELLED and self.attempt < retries and self.status.get("podName")
        if may_retry:
            self._make_ready(message)
        self.context.put_status(TASK_RUNS, self.run, self.status)

    def _make_ready(self, message: str) -> None:
        earlier = self.status.get("retriesStatus") or []
        attempt = {key: value for key, value in self.status.items() if key != "retriesStatus"}
        for key in _OF_ONE_ATTEMPT:
            self.status.pop(key, None)
        self.status |= {"retriesStatus": [*earlier, attempt], "podName": ""}
        set_condition(self.status, self.now, "Unknown", "ToBeRetried", message)


def _pending(pod: Json) -> tuple[str, str]:
    """Say why a pod does not run yet."""
    for condition in pod["status"].get("conditions") or []:
        if condition["status"] == "True":
            continue
        message = condition.get("message", "")
        if condition.get("reason") == "Unschedulable" and "Insufficient" in message:
            return "ExceededNodeResources", "TaskRun Pod exceeded available resources"
        text = f'pod status "{condition["type"]}":"{condition["status"]}"; message: "{message}"'
        return "Pending", text
    return "Pending", "Pending"
