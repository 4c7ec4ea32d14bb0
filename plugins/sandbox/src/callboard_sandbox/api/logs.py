"""The logs of pods, as the API gives them."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from callboard_sandbox.api.failures import ApiError, invalid
from callboard_sandbox.api.logbook import Line, nanoseconds
from callboard_sandbox.api.requests import Asked, Target
from callboard_sandbox.api.stamps import nanoseconds_of_stamp, stamp_of_nanoseconds
from callboard_sandbox.api.store import Store

Json = dict[str, Any]

_NUMBERS: Final = {"tailLines": 0, "limitBytes": 1, "sinceSeconds": 1}
"""The options that are numbers, and the least each may be."""
_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class Log:
    """Which part of a container's log is wanted."""

    store: Store
    namespace: str
    pod: str
    uid: str
    container: str
    restart: int
    after: int
    is_followed: bool
    has_times: bool
    limit: int | None

    async def pieces(self, woken: asyncio.Event) -> AsyncGenerator[bytes]:
        """Yield the text as it comes, until the container ends where it is followed."""
        after, left = self.after, self.limit
        while True:
            woken.clear()
            # Asked before the lines are read: what comes later than the end is none.
            ends = not self.is_followed or self._has_ended()
            while lines := self._lines(after):
                after = lines[-1].number
                piece = b"".join(self._written(lines))
                if left is not None:
                    piece, left = piece[:left], left - len(piece)
                yield piece
                if left is not None and left <= 0:
                    return
            if ends:
                return
            await woken.wait()

    def _lines(self, after: int) -> Sequence[Line]:
        return self.store.log_lines(
            self.uid, self.container, restart=self.restart, after=after, limit=_AT_ONCE
        )

    def _written(self, lines: Sequence[Line]) -> Iterator[bytes]:
        for line in lines:
            if self.has_times:
                yield f"{stamp_of_nanoseconds(line.at)} ".encode()
            yield line.text + b"\n"

    def _has_ended(self) -> bool:
        pod = self.store.find("pods", self.namespace, self.pod)
        if pod is None or pod["metadata"]["uid"] != self.uid:
            return True
        status = _status_of(pod, self.container)
        return status.get("restartCount", 0) > self.restart or not (status.get("state") or {}).get(
            "running"
        )


def log(store: Store, target: Target, asked: Asked) -> Log | None:
    """Find the log that is asked for; None for a pod that runs nowhere yet. Raises `ApiError`."""
    numbers = _numbers(target, asked)
    pod = store.get("pods", target.namespace, target.name)
    container = _container(pod, asked.query.get("container", ""))
    if not (pod.get("spec") or {}).get("nodeName"):
        return None
    restart = _restart(pod, container, previous=asked.is_on("previous"))
    uid = pod["metadata"]["uid"]
    after = 0
    if "sinceSeconds" in numbers:
        begin = store.clock() - timedelta(seconds=numbers["sinceSeconds"])
        after = store.log_since(uid, container, nanoseconds(begin), restart=restart)
    if asked.query.get("sinceTime"):
        since = nanoseconds_of_stamp(asked.query["sinceTime"])
        after = store.log_since(uid, container, since, restart=restart)
    if "tailLines" in numbers:
        after = max(after, store.log_tail(uid, container, numbers["tailLines"], restart=restart))
    return Log(
        store,
        target.namespace,
        target.name,
        uid,
        container,
        restart,
        after,
        asked.is_on("follow"),
        asked.is_on("timestamps"),
        numbers.get("limitBytes"),
    )


def _numbers(target: Target, asked: Asked) -> dict[str, int]:
    found: dict[str, int] = {}
    causes = []
    for option, least in _NUMBERS.items():
        text = asked.query.get(option, "")
        if not text:
            continue
        try:
            found[option] = int(text)
        except ValueError as error:
            raise ApiError(400, f'strconv.ParseInt: parsing "{text}": invalid syntax') from error
        if found[option] < least:
            wanted = "greater than or equal to 0" if least == 0 else "greater than 0"
            causes.append(
                (option, "FieldValueInvalid", f"Invalid value: {found[option]}: must be {wanted}")
            )
    since = asked.query.get("sinceTime", "")
    if since:
        try:
            nanoseconds_of_stamp(since)
        except ValueError as error:
            raise ApiError(400, f'parsing time "{since}": cannot parse') from error
        if "sinceSeconds" in found:
            said = "at most one of `sinceTime` or `sinceSeconds` may be specified"
            causes.append(("", "FieldValueForbidden", f"Forbidden: {said}"))
    if causes:
        raise invalid("PodLogOptions", target.name, causes)
    return found


def _container(pod: Json, named: str) -> str:
    name, spec = pod["metadata"]["name"], pod.get("spec") or {}
    containers = [each["name"] for each in spec.get("containers") or ()]
    beside = [each["name"] for each in spec.get("initContainers") or ()]
    if named:
        if named not in (*containers, *beside):
            raise ApiError(400, f"container {named} is not valid for pod {name}")
        return named
    if len(containers) == 1:
        return str(containers[0])
    listed = " ".join(containers)
    said = f"a container name must be specified for pod {name}, choose one of: [{listed}]"
    if beside:
        said += f" or one of the init containers: [{' '.join(beside)}]"
    raise ApiError(400, said)


def _status_of(pod: Json, container: str) -> Json:
    status = pod.get("status") or {}
    for key in ("containerStatuses", "initContainerStatuses"):
        for each in status.get(key) or ():
            if each["name"] == container:
                return dict(each)
    return {}


def _restart(pod: Json, container: str, *, previous: bool) -> int:
    """Give which run of a container is meant, by its number. Raises `ApiError` 400."""
    name, status = pod["metadata"]["name"], _status_of(pod, container)
    state, count = status.get("state") or {}, int(status.get("restartCount", 0))
    has_run = bool((status.get("lastState") or {}).get("terminated"))
    is_waiting = not state.get("running") and not state.get("terminated")
    if previous:
        if not has_run:
            said = f'previous terminated container "{container}" in pod "{name}" not found'
            raise ApiError(400, said)
        # One that waits to be started again has not counted that start yet.
        return count if is_waiting else max(count - 1, 0)
    if is_waiting and not has_run:
        reason = (state.get("waiting") or {}).get("reason") or "ContainerCreating"
        if reason in ("ErrImagePull", "ImagePullBackOff"):
            reason = "image can't be pulled"
        raise ApiError(
            400, f'container "{container}" in pod "{name}" is waiting to start: {reason}'
        )
    return count
