"""What steps do: how long they take, how they end, what they write and which results they leave.

A plan is a list of rules, read from JSON: `{"match": {"run": "*flaky*", "task": "unit-test",
"step": "test", "attempt": "0"}, "seconds": 3, "exit": 1, "log": [], "results": {}}`. All patterns
of a rule must fit (`*` and `?` as in a shell); rules that fit are laid over one another in their
order, and over what steps of that kind believably do (`believable.py`).

Keys of a rule: `seconds`; `exit`; `reason` (`OOMKilled`); `on_error_exit` (the exit code of a step
that goes on after errors); `log` (lines; `{now}` is the time); `results` (by name); `mode`: `hang`
(never ends), `imagepull` (its image cannot be pulled), `pending` (its pod finds no node).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

from callboard_sandbox.controllers.names import digest

Json = dict[str, Any]

_KEYS: Final = ("seconds", "exit", "reason", "on_error_exit", "log", "results", "mode")


@dataclass(frozen=True, slots=True)
class Step:
    """A step that is about to run."""

    run: str
    task: str
    name: str
    attempt: int
    pod: str
    image: str
    script: str
    params: Mapping[str, Any]
    results: Sequence[Mapping[str, Any]]
    is_last: bool
    labels: Mapping[str, str] = field(default_factory=dict)

    def fits(self, patterns: Mapping[str, str]) -> bool:
        """Say whether all patterns of a rule fit; `param.<name>` looks at a parameter."""
        facts: Mapping[str, Any] = {
            "run": self.run,
            "task": self.task,
            "step": self.name,
            "attempt": self.attempt,
            "pod": self.pod,
            "image": self.image,
            **{f"param.{name}": value for name, value in self.params.items()},
        }
        return all(
            key in facts and fnmatchcase(str(facts[key]), str(pattern))
            for key, pattern in patterns.items()
        )


@dataclass(frozen=True, slots=True)
class Course:
    """What a step will do."""

    seconds: float = 1.0
    exit: int = 0
    reason: str = ""
    on_error_exit: int = 0
    log: Sequence[str] = ()
    results: Mapping[str, Any] = field(default_factory=dict)
    mode: str = ""


class Plan:
    """Rules over what steps believably do; the same seed gives the same courses.

    Without `believable` steps take a second and write two lines.
    """

    def __init__(
        self, rules: Sequence[Mapping[str, Any]] = (), *, seed: int = 0, believable: bool = True
    ) -> None:
        self._rules: Final = list(rules)
        self._seed: Final = seed
        self._believable: Final = believable

    @classmethod
    def read(cls, path: Path, *, seed: int = 0, believable: bool = True) -> "Plan":
        """Read the rules of a file. Raises `OSError`, and `ValueError` for what is no plan."""
        content = json.loads(path.read_text(encoding="utf-8"))
        rules = content.get("rules") if isinstance(content, dict) else None
        if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
            raise ValueError("expected an object with a list of rules")
        return cls(rules, seed=seed, believable=believable)

    def course(self, step: Step) -> Course:
        """Say what a step will do."""
        told: Json = {}
        for rule in self._rules:
            if step.fits(rule.get("match") or {}):
                told.update({key: rule[key] for key in _KEYS if key in rule})
        return Course(**(self._usual(step) | told))

    def _usual(self, step: Step) -> Json:
        from callboard_sandbox.controllers.believable import usual_course

        results = usual_results(step, self._seed) if step.is_last else {}
        if not self._believable:
            lines = [f"[{step.name}] started", f"[{step.name}] done"]
            return {"seconds": 1.0, "log": lines, "results": results}
        return usual_course(step, results, self._seed)


def usual_results(step: Step, seed: int) -> Json:
    """Give a value of the right type for each result the task declares."""
    return {result["name"]: _value(step, result, seed) for result in step.results}


def _value(step: Step, result: Mapping[str, Any], seed: int) -> Any:
    name = result["name"]
    key = (seed, step.run, step.task, name)
    match result.get("type"):
        case "object":
            return {part: digest(*key, part, length=8) for part in result.get("properties") or {}}
        case "array":
            return [digest(*key, number, length=8) for number in range(2)]
    lowered = name.lower()
    if "digest" in lowered:
        return f"sha256:{digest(*key)}"
    if "commit" in lowered and "date" not in lowered:
        return digest(*key, length=40)
    return digest(*key, length=8)
