"""When things happen in the pod of a task run: a table of moments, known beforehand.

What a pod is like at a moment follows from its body, the plan and the seconds since it was made,
and from nothing else: so a controller that begins anew goes on where the last one was. Seconds
here are those of the plan; the kubelet divides them by the speed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from callboard_sandbox.controllers.names import fraction
from callboard_sandbox.controllers.plan import Course

Json = dict[str, Any]

_NEVER: Final = float("inf")
_INIT_SECONDS: Final = 0.3
_GAP: Final = 0.02
_SIDECAR_LINGERS: Final = 0.3
_BACK_OFF: Final = 2.0


@dataclass(frozen=True, slots=True)
class Stretch:
    """A step from its start to its end; `skipped` ones end with the step that failed."""

    start: float
    end: float
    skipped: bool = False

    def lines(self, log: Sequence[str]) -> Iterator[tuple[float, str]]:
        """Give when each line of the step's log is written."""
        seconds = self.end - self.start if self.end != _NEVER else 1.0 * len(log)
        for number, line in enumerate(log):
            yield self.start + seconds * (number + 0.8) / (len(log) + 0.1), line


@dataclass(frozen=True, slots=True)
class Timeline:
    """The moments of one pod in seconds since it was made; infinity for what never happens."""

    scheduled: float
    accepted: float
    inits: Sequence[Stretch]
    running: float
    steps: Sequence[Stretch]
    finished: float
    blocked: str = ""

    def moments(self) -> list[float]:
        """Give the moments at which the pod changes, in order."""
        inner = [moment for part in (*self.inits, *self.steps) for moment in (part.start, part.end)]
        every = {self.scheduled, self.accepted, self.running, self.finished, *inner}
        if self.blocked == "imagepull":
            every.add(self.running + _BACK_OFF)
        return sorted(moment for moment in every if moment != _NEVER)

    @property
    def backs_off(self) -> float:
        """When the pull of an image that cannot be pulled is put off."""
        return self.running + _BACK_OFF


def timeline(pod: Json, courses: Sequence[tuple[Course, bool]], seed: int) -> Timeline:
    """Lay out the life of a pod; a course comes with whether the step goes on after errors."""
    spec = pod["spec"]
    slow = 0.8 + 0.6 * fraction(seed, pod["metadata"]["name"])
    blocked = next((c.mode for c, _ in courses if c.mode in ("pending", "imagepull")), "")
    if blocked == "pending":
        return Timeline(_NEVER, _NEVER, (), _NEVER, (), _NEVER, blocked)
    accepted = 0.3 * slow
    inits: list[Stretch] = []
    start = accepted + 0.3 * slow
    for _ in spec.get("initContainers") or []:
        inits.append(Stretch(start, start + _INIT_SECONDS * slow))
        start = inits[-1].end
    running = start + 0.2 * slow
    if blocked:
        return Timeline(0.1, accepted, inits, running, (), _NEVER, blocked)
    steps = list(_steps(running + 0.6 * slow, courses))
    end = steps[-1].end if steps else running
    has_sidecars = len(spec["containers"]) > len(steps)
    return Timeline(
        0.1, accepted, inits, running, steps, end + (_SIDECAR_LINGERS if has_sidecars else 0)
    )


def _steps(start: float, courses: Sequence[tuple[Course, bool]]) -> Iterator[Stretch]:
    failed = False
    for course, goes_on in courses:
        if failed:
            yield Stretch(start, start, skipped=True)
            continue
        end = _NEVER if course.mode == "hang" else start + max(0.05, course.seconds)
        yield Stretch(start, end)
        failed = bool(course.exit) and not goes_on
        start = end if failed else end + _GAP
