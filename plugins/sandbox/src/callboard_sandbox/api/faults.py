"""Faults on demand: what a client must bear is tried with a real server.

A plan names a fault and for whom: the next so many requests, or a share of all, of those whose
path has a text. Plans are made in process, or by `PUT /sandbox/faults` with the token of role
`faults`; `DELETE` ends them.
"""

import random
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

Fault = Literal["disconnect", "gone", "busy", "slow", "failed"]


_KEYS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "fault": str,
    "next": int,
    "share": (int, float),
    "path": str,
    "verb": str,
    "seconds": (int, float),
    "after": int,
}


@dataclass(slots=True)
class Plan:
    """One fault. Without `next`, it befalls a `share` of the requests, from 0 to 1.

    `after` lets so many bytes of a stream through before it breaks. `seconds` is how slow a slow
    answer is, and what a busy server asks to wait.
    """

    fault: Fault
    next: int | None = None
    share: float = 1.0
    path: str = ""
    verb: str = ""
    seconds: float = 1.0
    after: int = 0
    met: int = field(default=0, init=False)


class Faults:
    """The plans in force; any thread may ask and change them."""

    def __init__(self, *, chance: random.Random | None = None) -> None:
        self._plans: list[Plan] = []
        self._lock = threading.Lock()
        # A share of requests is no secret.
        self._chance = chance or random.Random()  # noqa: S311

    def plan(self, plan: Plan) -> Plan:
        """Begin a fault; what it gives back counts how often it was met."""
        with self._lock:
            self._plans.append(plan)
        return plan

    def end(self) -> None:
        """End all faults."""
        with self._lock:
            self._plans.clear()

    def listed(self) -> list[dict[str, Any]]:
        """Give the plans in force."""
        with self._lock:
            return [asdict(plan) for plan in self._plans]

    def meet(self, verb: str, path: str) -> Plan | None:
        """Give the fault that befalls a request, None for most."""
        with self._lock:
            for plan in self._plans:
                if plan.path not in path or (plan.verb and plan.verb != verb):
                    continue
                if plan.next is None:
                    if self._chance.random() >= plan.share:
                        continue
                else:
                    plan.next -= 1
                    if plan.next <= 0:
                        self._plans.remove(plan)
                plan.met += 1
                return plan
        return None


def plan_of(document: Any) -> Plan:
    """Read a plan as it is sent. Raises `ValueError` for what is none."""
    if not isinstance(document, dict):
        raise ValueError("a plan is an object with the key fault")
    for key, value in document.items():
        if key not in _KEYS or not isinstance(value, _KEYS[key]):
            raise ValueError(f"{key} is not a key of a plan, or has a value of another type")
    if document.get("fault") not in ("disconnect", "gone", "busy", "slow", "failed"):
        raise ValueError("fault is one of disconnect, gone, busy, slow and failed")
    return Plan(**document)
