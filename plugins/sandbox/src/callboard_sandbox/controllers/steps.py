"""What a task run says of its steps, sidecars and results, read from its pod."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from callboard_sandbox.controllers.times import parsed, stamp

Json = dict[str, Any]

# The entrypoint writes results with type 1 and its own remarks with type 3 into one message.
_RESULT: Final = 1
_INTERNAL: Final = 3


def first_steps(task: Json) -> list[Json]:
    """Give the steps before the pod says anything of them."""
    return [{"name": step["name"], "provenance": {}} for step in task["steps"]]


def steps(pod: Json) -> list[Json]:
    """Give `status.steps`; empty while the pod says nothing of its containers."""
    return [_step(status) for status in _containers(pod, "step-")]


def sidecars(pod: Json) -> list[Json]:
    """Give `status.sidecars`."""
    return [_named(status, "sidecar-") | status["state"] for status in _containers(pod, "sidecar-")]


def results(pod: Json) -> dict[str, str]:
    """Give the results that all steps left, as text."""
    found: dict[str, str] = {}
    for status in _containers(pod, "step-"):
        message = status["state"].get("terminated", {}).get("message", "")
        found.update(_told(message, _RESULT))
    return found


def typed_results(
    declared: Sequence[Mapping[str, Any]], found: Mapping[str, str]
) -> tuple[list[Json], str]:
    """Give `status.results` by name, and what is wrong with those of another type."""
    types = {result["name"]: result.get("type", "string") for result in declared}
    good: list[Json] = []
    wrong: list[str] = []
    for name, text in sorted(found.items()):
        if name not in types:
            continue
        value, type_ = _typed(text)
        if type_ == types[name]:
            good.append({"name": name, "type": type_, "value": value})
        elif types[name] == "string":
            good.append({"name": name, "type": "string", "value": text})
        else:
            wrong.append(
                f'"{name}": task result is expected to be "{types[name]}" type but was '
                f'initialized to a different type "{type_}"'
            )
    return good, ", ".join(wrong)


def failure(pod: Json) -> tuple[str, str] | None:
    """Give reason and message of the first step that failed, None where none did."""
    for status in _containers(pod, "step-"):
        ended = status["state"].get("terminated")
        if ended and ended["exitCode"]:
            reason = "StepOOM" if ended["reason"] == "OOMKilled" else "StepFailed"
            message = f'"{status["name"]}" exited with code {ended["exitCode"]}: {ended["reason"]}'
            return reason, message
    return None


def all_ended(pod: Json) -> bool:
    """Say whether every step's container has terminated."""
    found = list(_containers(pod, "step-"))
    return bool(found) and all("terminated" in status["state"] for status in found)


def unpullable(pod: Json) -> tuple[str, str] | None:
    """Give step and message where the pull of an image is put off, None otherwise."""
    for status in _containers(pod, "step-"):
        waiting = status["state"].get("waiting") or {}
        if waiting.get("reason") == "ImagePullBackOff":
            return status["name"].removeprefix("step-"), waiting["message"]
    return None


def stopped(known: Sequence[Json], pod: str, reason: str, since: str, now: datetime) -> list[Json]:
    """Give the steps after their pod was taken away: what had not ended ends now."""
    return [_stopped(step, pod, reason, since, now) for step in known]


def _stopped(step: Json, pod: str, reason: str, since: str, now: datetime) -> Json:
    if "running" not in step and "waiting" not in step:
        return step
    started = (step.get("running") or {}).get("startedAt", since)
    kept = {key: value for key, value in step.items() if key not in ("running", "waiting")}
    ended = {
        "exitCode": 1,
        "finishedAt": stamp(now),
        "message": f"Step {step['name']} terminated as pod {pod} is terminated",
        "reason": reason,
        "startedAt": started,
    }
    return kept | {"terminated": ended, "terminationReason": reason}


def _containers(pod: Json, prefix: str) -> Iterator[Json]:
    for status in (pod.get("status") or {}).get("containerStatuses") or []:
        if status["name"].startswith(prefix):
            yield status


def _named(status: Json, prefix: str) -> Json:
    result = {"container": status["name"], "name": status["name"].removeprefix(prefix)}
    return result | ({"imageID": status["imageID"]} if status.get("imageID") else {})


def _step(status: Json) -> Json:
    result = _named(status, "step-") | {"provenance": {}}
    ended = status["state"].get("terminated")
    if ended is None:
        waiting = status["state"].get("waiting")
        return result | ({"waiting": waiting} if waiting else status["state"])
    message = ended.get("message", "")
    remarks = dict(_told(message, _INTERNAL))
    result["terminated"] = _ended(ended, message, remarks)
    result["terminationReason"] = remarks.get("Reason") or (
        "Continued" if "ExitCode" in remarks else ended["reason"]
    )
    return result


def _ended(ended: Json, message: str, remarks: Mapping[str, str]) -> Json:
    new = {key: value for key, value in ended.items() if key != "message"}
    left = [{"key": k, "value": v, "type": _RESULT} for k, v in sorted(_told(message, _RESULT))]
    if left:
        new["message"] = json.dumps(left, separators=(",", ":"), ensure_ascii=False)
    if "StartedAt" in remarks:
        new["startedAt"] = stamp(parsed(remarks["StartedAt"]))
    if "ExitCode" in remarks:
        new["exitCode"] = int(remarks["ExitCode"])
    return new


def _told(message: str, type_: int) -> Iterator[tuple[str, str]]:
    if message:
        for item in json.loads(message):
            if item["type"] == type_:
                yield item["key"], item["value"]


def _typed(text: str) -> tuple[Any, str]:
    """Results that are JSON arrays or objects of strings are taken as such."""
    try:
        value = json.loads(text)
    except ValueError:
        return text, "string"
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value, "array"
    if isinstance(value, dict) and all(isinstance(item, str) for item in value.values()):
        return value, "object"
    return text, "string"
