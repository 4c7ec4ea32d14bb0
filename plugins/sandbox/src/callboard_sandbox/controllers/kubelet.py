"""Plays the node: moves the pods of task runs through their life and writes their logs."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from callboard_sandbox.api.store import Store
from callboard_sandbox.controllers.names import digest, fraction, image_id
from callboard_sandbox.controllers.plan import Course
from callboard_sandbox.controllers.timeline import Stretch, Timeline
from callboard_sandbox.controllers.times import precise, stamp

Json = dict[str, Any]

NODES: Final = ("worker-1", "worker-2", "worker-3")


class Life:
    """A pod at a moment of its time line.

    `began` is when it was made and `speed` how many seconds of the plan pass in one second.
    """

    def __init__(
        self,
        pod: Json,
        moments: Timeline,
        courses: Sequence[Course],
        *,
        began: datetime,
        now: datetime,
        speed: float,
    ) -> None:
        self.pod = pod
        self.timeline = moments
        self.courses = courses
        self._began = began
        self._speed = speed
        self.elapsed = (now - began).total_seconds() * speed

    def at(self, offset: float) -> datetime:
        """Give when a moment of the time line is."""
        return self._began + timedelta(seconds=offset / self._speed)

    def passed(self, offset: float) -> bool:
        # Clocks count microseconds, so a moment that was waited for may seem one early.
        return self.elapsed + 1e-5 * self._speed >= offset

    def next_change(self) -> datetime | None:
        """Give when the pod or one of its logs changes next, None where nothing is to come."""
        later = [offset for offset in self._offsets() if not self.passed(offset)]
        return self.at(min(later)) if later else None

    def _offsets(self) -> list[float]:
        lines = [
            at
            for stretch, course in zip(self.timeline.steps, self.courses, strict=False)
            if not stretch.skipped
            for at, _ in stretch.lines(course.log)
        ]
        return self.timeline.moments() + lines


def write_logs(store: Store, life: Life, known: dict[tuple[str, str], int]) -> None:
    """Append the lines that are due and not written yet; `known` counts those that are written."""
    metadata = life.pod["metadata"]
    for container, stretch, course in _played(life):
        if stretch.skipped or not life.passed(stretch.start):
            continue
        key = (metadata["uid"], container["name"])
        if key not in known:
            known[key] = len(store.log_lines(*key, limit=len(course.log)))
        for at, line in list(stretch.lines(course.log))[known[key] :]:
            if not life.passed(at):
                break
            moment = life.at(at)
            text = line.replace("{now}", stamp(moment)).replace("{clock}", f"{moment:%H:%M:%S}")
            store.append_log(
                metadata["namespace"], metadata["name"], container["name"], [text], at=moment
            )
            known[key] += 1


def status(life: Life) -> Json:
    """Give the status of the pod."""
    line = life.timeline
    requested = any(c.get("resources", {}).get("requests") for c in life.pod["spec"]["containers"])
    quality = {"qosClass": "Burstable" if requested else "BestEffort"}
    if line.blocked == "pending":
        return _unscheduled(life.pod, life.at(0), _NO_ROOM) | quality
    if not life.passed(line.scheduled):
        return {"phase": "Pending"} | quality
    if not life.passed(line.accepted):
        scheduled = {"type": "PodScheduled", "status": "True", "lastProbeTime": None}
        scheduled["lastTransitionTime"] = stamp(life.at(line.scheduled))
        return {"phase": "Pending", "conditions": [scheduled]} | quality
    return _accepted(life) | quality


_NO_ROOM: Final = (
    "0/3 nodes are available: 3 Insufficient memory. preemption: 0/3 nodes are available."
)


def unbound(pod: Json, now: datetime, claim: str) -> Json:
    """Give the status of a pod that waits for a volume claim."""
    message = (
        f"0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims ({claim}). "
        "preemption: 0/3 nodes are available."
    )
    return _unscheduled(pod, now, message) | {"qosClass": "BestEffort"}


def _unscheduled(pod: Json, now: datetime, message: str) -> Json:
    known = (pod.get("status") or {}).get("conditions") or []
    since = known[0]["lastTransitionTime"] if known else stamp(now)
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "lastProbeTime": None,
        "lastTransitionTime": since,
        "reason": "Unschedulable",
        "message": message,
    }
    return {"phase": "Pending", "conditions": [condition]}


def _accepted(life: Life) -> Json:
    spec, line = life.pod["spec"], life.timeline
    inits = [
        _init_status(life, container, stretch)
        for container, stretch in zip(spec.get("initContainers") or [], line.inits, strict=True)
    ]
    containers = _containers(life)
    started = bool(line.inits) and life.passed(line.inits[0].start)
    result: Json = {
        "observedGeneration": 1,
        "phase": _phase(life, containers),
        "conditions": _conditions(life, containers),
        "hostIP": "127.0.0.1",
        "hostIPs": [{"ip": "127.0.0.1"}],
        "startTime": stamp(life.at(line.scheduled)),
        "initContainerStatuses": inits,
        "containerStatuses": containers,
    }
    if started:
        address = _address(life.pod)
        result |= {"podIP": address, "podIPs": [{"ip": address}]}
    return result


def _address(pod: Json) -> str:
    uid = pod["metadata"]["uid"]
    return f"10.244.{1 + int(3 * fraction(uid))}.{2 + int(250 * fraction(uid, 'host'))}"


def _phase(life: Life, containers: Sequence[Json]) -> str:
    if not life.passed(life.timeline.running) or life.timeline.blocked:
        return "Pending"
    if not life.passed(life.timeline.finished):
        return "Running"
    failed = any(c["state"]["terminated"]["exitCode"] for c in containers)
    return "Failed" if failed else "Succeeded"


def _conditions(life: Life, containers: Sequence[Json]) -> list[Json]:
    line = life.timeline
    is_up = life.passed(line.running) and not line.blocked
    is_over = is_up and life.passed(line.finished)
    unready = [c["name"] for c in containers if not c["ready"]]
    started = line.inits[0].start if line.inits else line.running
    first_end = line.steps[0].end if line.steps else line.running
    over: Json = {}
    if is_over:
        failed = any(c["state"]["terminated"]["exitCode"] for c in containers)
        over = {"reason": "PodFailed" if failed else "PodCompleted"}
    ready: Json = {}
    if unready:
        waiting = f"containers with unready status: [{' '.join(unready)}]"
        ready = over or {"reason": "ContainersNotReady", "message": waiting}
    since = line.running if is_up and not unready else first_end if is_up else line.accepted
    has_sandbox = life.passed(started) and not is_over
    return [
        _condition(
            life,
            "PodReadyToStartContainers",
            has_sandbox,
            line.finished if is_over else started if has_sandbox else line.accepted,
        ),
        _condition(
            life,
            "Initialized",
            is_up,
            line.running if is_up else line.accepted,
            (over if over.get("reason") == "PodCompleted" else {})
            if is_up
            else {"reason": "ContainersNotInitialized"},
        ),
        _condition(life, "Ready", not unready, since, ready),
        _condition(life, "ContainersReady", not unready, since, ready),
        _condition(life, "PodScheduled", True, line.scheduled),
    ]


def _condition(
    life: Life, type_: str, holds: bool, since: float, more: Mapping[str, str] | None = None
) -> Json:
    return {
        "type": type_,
        "observedGeneration": 1,
        "status": "True" if holds else "False",
        "lastProbeTime": None,
        "lastTransitionTime": stamp(life.at(since)),
        **(more or {}),
    }


def _init_status(life: Life, container: Json, stretch: Stretch) -> Json:
    if not life.passed(stretch.start):
        return _container(life, container, {"waiting": {"reason": "PodInitializing"}}, ready=False)
    if not life.passed(stretch.end):
        state: Json = {"running": {"startedAt": stamp(life.at(stretch.start))}}
        return _container(life, container, state, ready=False)
    ended = _terminated(life, container, stretch.start, stretch.end, 0, "Completed", "")
    return _container(life, container, ended, ready=True)


def _containers(life: Life) -> list[Json]:
    containers = life.pod["spec"]["containers"]
    line = life.timeline
    if line.blocked == "imagepull" and life.passed(line.running):
        return [_unpulled(life, container) for container in containers]
    if not life.passed(line.running):
        waiting = {"waiting": {"reason": "PodInitializing"}}
        return [_container(life, container, waiting, ready=False) for container in containers]
    played = [_step_status(life, *part) for part in _played(life)]
    return played + [_sidecar(life, container) for container in containers[len(played) :]]


def _played(life: Life) -> list[tuple[Json, Stretch, Course]]:
    containers = life.pod["spec"]["containers"]
    return list(zip(containers, life.timeline.steps, life.courses, strict=False))


def _unpulled(life: Life, container: Json) -> Json:
    named = zip(life.pod["spec"]["containers"], life.courses, strict=False)
    modes = {other["name"]: course.mode for other, course in named}
    if modes.get(container["name"]) != "imagepull":
        waiting: Json = {"reason": "PodInitializing"}
    elif life.passed(life.timeline.backs_off):
        message = f'Back-off pulling image "{container["image"]}"'
        waiting = {"reason": "ImagePullBackOff", "message": message}
    else:
        message = (
            f'failed to pull and unpack image "{container["image"]}": '
            f'failed to resolve reference "{container["image"]}": not found'
        )
        waiting = {"reason": "ErrImagePull", "message": message}
    return _container(life, container, {"waiting": waiting}, ready=False)


def _step_status(life: Life, container: Json, stretch: Stretch, course: Course) -> Json:
    # Every step's container runs from the start; the entrypoint waits for its turn.
    if not life.passed(stretch.end):
        state: Json = {"running": {"startedAt": stamp(life.at(life.timeline.running))}}
        return _container(life, container, state, ready=True)
    told = [{"key": "StartedAt", "value": precise(life.at(stretch.start)), "type": 3}]
    code = course.exit
    if stretch.skipped:
        code = 1
        told.append({"key": "Reason", "value": "Skipped", "type": 3})
    else:
        told += [
            {"key": key, "value": value if isinstance(value, str) else json.dumps(value), "type": 1}
            for key, value in course.results.items()
        ]
    code_kept = course.on_error_exit or course.exit
    if goes_on(container) and code_kept and not stretch.skipped:
        code = 0
        told.append({"key": "ExitCode", "value": str(code_kept), "type": 3})
    reason = course.reason or ("Error" if code else "Completed")
    message = json.dumps(told, separators=(",", ":"), ensure_ascii=False)
    ended = _terminated(life, container, life.timeline.running, stretch.end, code, reason, message)
    return _container(life, container, ended, ready=False)


def goes_on(container: Json) -> bool:
    """Say whether the steps after this one run even when it fails (`onError: continue`)."""
    arguments = container.get("args") or []
    return "-on_error" in arguments and arguments[arguments.index("-on_error") + 1] == "continue"


def _sidecar(life: Life, container: Json) -> Json:
    line = life.timeline
    if not life.passed(line.finished):
        state: Json = {"running": {"startedAt": stamp(life.at(line.running))}}
        return _container(life, container, state, ready=True)
    ended = _terminated(life, container, line.running, line.finished, 0, "Completed", "")
    return _container(life, container, ended, ready=False)


def _terminated(
    life: Life, container: Json, start: float, end: float, code: int, reason: str, message: str
) -> Json:
    state = {
        "exitCode": code,
        "reason": reason,
        "startedAt": stamp(life.at(start)),
        "finishedAt": stamp(life.at(end)),
        "containerID": _container_id(life.pod, container),
    }
    if message:
        state["message"] = message
    return {"terminated": state}


def _container_id(pod: Json, container: Json) -> str:
    return f"containerd://{digest(pod['metadata']['uid'], container['name'])}"


def _container(life: Life, container: Json, state: Json, *, ready: bool) -> Json:
    kept = _kept(life.pod, container["name"], state)
    result = {
        "name": container["name"],
        "state": kept,
        "lastState": {},
        "ready": ready,
        "restartCount": 0,
        "image": container["image"],
        "imageID": "" if "waiting" in state else image_id(container["image"]),
        "started": "running" in state,
    }
    if "waiting" not in state:
        result["containerID"] = _container_id(life.pod, container)
    return result


def _kept(pod: Json, name: str, state: Json) -> Json:
    """What was said of the past stays, though the moments of a taken up pod may lie a bit off."""
    earlier = (pod.get("status") or {}).get("containerStatuses") or []
    known: Json = next((c["state"] for c in earlier if c["name"] == name), {})
    return known if known.keys() == state.keys() and "waiting" not in known else state
