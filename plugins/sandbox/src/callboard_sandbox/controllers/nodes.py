"""Moves pods of task runs and volume claims, as kubelet, scheduler and provisioner would."""

from datetime import timedelta
from typing import Any, Final

from callboard_sandbox.api.store import Store
from callboard_sandbox.controllers import events, kubelet
from callboard_sandbox.controllers.context import PODS, TASK_RUNS, Context
from callboard_sandbox.controllers.names import fraction
from callboard_sandbox.controllers.plan import Step
from callboard_sandbox.controllers.timeline import timeline
from callboard_sandbox.controllers.times import parsed

Json = dict[str, Any]

CLAIMS: Final = "persistentvolumeclaims"
CLASSES: Final = "storageclasses.storage.k8s.io"
_LOOK_AGAIN: Final = timedelta(minutes=2)


def reconcile_claim(context: Context, namespace: str, name: str) -> None:
    """Bind a claim, unless it asks for a storage class that is not there."""
    claim = context.store.find(CLAIMS, namespace, name)
    if claim is None or (claim.get("status") or {}).get("phase") == "Bound":
        return
    class_name = claim["spec"].get("storageClassName", "")
    if class_name and context.store.find(CLASSES, "", class_name) is None:
        message = f'storageclass.storage.k8s.io "{class_name}" not found'
        about = (claim, context.now(), "Warning", "ProvisioningFailed", message)
        events.record(context.store, *about)
        # Nothing tells of a class that comes: look again from time to time.
        context.wake((CLAIMS, namespace, name), context.now() + _LOOK_AGAIN)
        return
    capacity = (claim["spec"].get("resources") or {}).get("requests") or {}
    bound = {
        "phase": "Bound",
        "accessModes": claim["spec"].get("accessModes") or [],
        "capacity": capacity,
    }

    def bind(claim: Json) -> None:
        claim["spec"]["volumeName"] = f"pvc-{claim['metadata']['uid']}"

    context.store.update(CLAIMS, namespace, name, bind)
    context.store.set_status(CLAIMS, namespace, name, bound)


def reconcile_pod(context: Context, namespace: str, name: str) -> None:
    """Bring a pod of a task run to where its time line has it, and write what is due to its logs.

    Other pods are left alone.
    """
    pod = context.store.find(PODS, namespace, name)
    labels = (pod or {}).get("metadata", {}).get("labels") or {}
    if pod is None or "tekton.dev/taskRun" not in labels:
        return
    if pod["metadata"].get("deletionTimestamp") or _is_over(pod):
        context.forget(pod)
        return
    if claim := _unbound(context.store, pod):
        status = kubelet.unbound(pod, context.now(), claim)
        if status != pod.get("status"):
            _put(context, pod, status)
            _complain(context, pod, status)
        # Time begins when the claim is bound; the claim wakes its pods.
        context.began[pod["metadata"]["uid"]] = context.now()
        return
    _live(context, pod, labels["tekton.dev/taskRun"])


def _is_over(pod: Json) -> bool:
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")


def _unbound(store: Store, pod: Json) -> str:
    for volume in pod["spec"].get("volumes") or []:
        name = (volume.get("persistentVolumeClaim") or {}).get("claimName")
        if name:
            claim = store.find(CLAIMS, pod["metadata"]["namespace"], name)
            if claim is None or (claim.get("status") or {}).get("phase") != "Bound":
                return str(name)
    return ""


def _live(context: Context, pod: Json, task_run: str) -> None:
    metadata = pod["metadata"]
    run = context.store.find(TASK_RUNS, metadata["namespace"], task_run)
    if run is None:
        return
    courses = [context.plan.course(step) for step in _planned(pod, run)]
    goes_on = [kubelet.goes_on(container) for container in pod["spec"]["containers"]]
    moments = timeline(pod, list(zip(courses, goes_on, strict=False)), context.seed)
    began = context.began.setdefault(metadata["uid"], parsed(metadata["creationTimestamp"]))
    life = kubelet.Life(pod, moments, courses, began=began, now=context.now(), speed=context.speed)
    if life.passed(moments.scheduled) and not pod["spec"].get("nodeName"):
        pod = _schedule(context, pod)
        life.pod = pod
    kubelet.write_logs(context.store, life, context.written)
    if change := life.next_change():
        context.wake((PODS, metadata["namespace"], metadata["name"]), change)
    status = kubelet.status(life)
    if status != pod.get("status"):
        _put(context, pod, status)
        _complain(context, pod, status)


def _schedule(context: Context, pod: Json) -> Json:
    metadata = pod["metadata"]
    run = (metadata.get("labels") or {}).get("tekton.dev/pipelineRun", metadata["name"])
    # Pods that share a claim run on one node.
    node = kubelet.NODES[int(fraction(context.seed, run) * len(kubelet.NODES))]

    def bind(pod: Json) -> None:
        pod["spec"]["nodeName"] = node

    return context.store.update(PODS, metadata["namespace"], metadata["name"], bind)


def _put(context: Context, pod: Json, status: Json) -> None:
    metadata = pod["metadata"]
    context.store.set_status(PODS, metadata["namespace"], metadata["name"], status)


def _complain(context: Context, pod: Json, status: Json) -> None:
    """Write the events by which people find out why a pod does not start."""
    for condition in status.get("conditions") or []:
        if condition.get("reason") == "Unschedulable":
            message = condition["message"]
            events.record(context.store, pod, context.now(), "Warning", "FailedScheduling", message)
    for container in status.get("containerStatuses") or []:
        waiting = container["state"].get("waiting") or {}
        if waiting.get("reason") in ("ErrImagePull", "ImagePullBackOff"):
            reason = "Failed" if waiting["reason"] == "ErrImagePull" else "BackOff"
            events.record(context.store, pod, context.now(), "Warning", reason, waiting["message"])


def _planned(pod: Json, run: Json) -> list[Step]:
    """Describe the steps of a pod to the plan."""
    labels = pod["metadata"].get("labels") or {}
    task = (run.get("status") or {}).get("taskSpec") or run["spec"].get("taskSpec") or {}
    declared = task.get("steps") or []
    params = {p["name"]: p["default"] for p in task.get("params") or [] if "default" in p}
    params |= {p["name"]: p.get("value") for p in run["spec"].get("params") or []}
    found = []
    for index, step in enumerate(declared):
        found.append(
            Step(
                run=labels.get("tekton.dev/pipelineRun", run["metadata"]["name"]),
                task=labels.get("tekton.dev/pipelineTask", labels.get("tekton.dev/task", "")),
                name=step["name"],
                attempt=_attempt(pod),
                pod=pod["metadata"]["name"],
                image=step.get("image", ""),
                script=step.get("script", ""),
                params=params,
                results=task.get("results") or [],
                is_last=index == len(declared) - 1,
                labels=labels,
            )
        )
    return found


def _attempt(pod: Json) -> int:
    _, found, number = pod["metadata"]["name"].rpartition("-retry")
    return int(number) if found and number.isdigit() else 0
