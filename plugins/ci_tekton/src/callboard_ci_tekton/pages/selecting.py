"""Which task and step the page shows, and the addresses that lead to others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import Row

from callboard.contributions import Status
from callboard.i18n import Text
from callboard_ci_tekton.pages.nodes import Node, may_fail
from callboard_ci_tekton.pages.reading import Attempt
from callboard_ci_tekton.pages.words import STATES, WORST_FIRST, telling, took
from callboard_ci_tekton.runs.states import FINISHED, UNFINISHED
from callboard_ci_tekton.runs.values import seconds

PLACE: Final = "#log"
"""Where links to steps lead on the page."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """The task, its attempt and the step that are shown. A task may have no steps (yet)."""

    node: Node
    attempt: Attempt
    step: Row[Any] | None
    title: str
    status: Status
    words: Text
    length: Text

    @property
    def task(self) -> Row[Any]:
        """The row of the attempt."""
        return self.attempt.row

    @property
    def exit_code(self) -> int | None:
        """What the step ended with."""
        return self.step.exit_code if self.step is not None else None

    @property
    def state(self) -> Any:
        """The state of the step, that of the task where it has none."""
        return state_of(self.attempt, self.step) if self.step is not None else self.task.state

    @property
    def said(self) -> str:
        """What the cluster says of the attempt, where that tells anything."""
        return telling(self.task.message)

    @property
    def link(self) -> str:
        """The part of the address that chooses it again."""
        return link_to(self.attempt, self.step).partition("#")[0]


def choose(
    nodes: Sequence[Node], query: Mapping[str, str], now: Any, *, is_over: bool
) -> Chosen | None:
    """Give what was asked for, else what failed first, else what runs, else what ran last.

    Where the run is over, nothing runs any more, even if a task still says so.
    """
    given = [(node, attempt) for node in nodes for attempt in node.attempts]
    if not given:
        return None
    asked = query.get("task", "")
    pair = next((pair for pair in given if str(pair[1].row.id) == asked), None)
    if pair is None:
        first = min(given, key=lambda pair: _urgency(pair[0], pair[1], is_over))
        return _chosen(*first, "", now)
    return _chosen(*pair, query.get("step", ""), now)


def _urgency(
    node: Node, attempt: Attempt, is_over: bool
) -> tuple[bool, bool, bool, int, float, int]:
    """Order attempts: what failed before what runs before what is over, the last of that first."""
    row = attempt.row
    place = WORST_FIRST.index(row.state)
    urgent = ("bad",) if is_over else ("bad", "run", "wait", "pause")
    over = STATES[row.state][0] not in urgent or may_fail(attempt)
    never = over and row.started_at is None
    at = (row.finished_at or row.started_at or row.created_at).timestamp()
    # What runs at last tells of the run, not of what it did.
    later = over and node.member == "finally"
    return (
        not attempt.is_current,
        never,
        later,
        99 if over else place,
        -at if over else at,
        row.id,
    )


def _chosen(node: Node, attempt: Attempt, wanted: str, now: Any) -> Chosen:
    step = next((item for item in attempt.steps if item.container == wanted), None)
    step = step or step_of(attempt)
    state = state_of(attempt, step) if step is not None else attempt.row.state
    status, words = STATES[state]
    if step is None and node.status == "wait":  # which the cluster does not tell
        status, words = node.status, node.words
    title = f"{node.title} / {step.name}" if step is not None and step.name else node.title
    return Chosen(node, attempt, step, title, status, words, step_took(attempt, step, now))


def step_of(attempt: Attempt) -> Row[Any] | None:
    """Give the step of an attempt that is looked at first: one that failed, runs, or ran last."""
    steps = [step for step in attempt.steps if not step.sidecar] or list(attempt.steps)
    for states in (("failed", "timed_out"), ("running",)):
        found = next((step for step in steps if step.state in states), None)
        if found is not None:
            return found
    begun = [step for step in steps if step.started_at and step.state != "skipped"]
    if begun:
        return begun[-1]
    return steps[0] if steps else None


def state_of(attempt: Attempt, step: Row[Any]) -> str:
    """Give the state of a step: of a task that is over, such as a deleted one, nothing runs."""
    state = str(step.state)
    if state in UNFINISHED and attempt.row.state in FINISHED:
        return "skipped" if state == "waiting" else str(attempt.row.state)
    return state


def step_took(attempt: Attempt, step: Row[Any] | None, now: Any) -> Text:
    """Say how long a step took, or has taken; nothing of one that did not begin or was skipped."""
    if step is None or step.started_at is None or step.state in ("skipped", "waiting"):
        return ""
    return took(seconds(step.started_at, step.finished_at or attempt.row.finished_at or now))


def attempt_of(node: Node) -> Attempt | None:
    """Give the attempt of a task that is looked at first: the worst of those that count."""
    return min(node.current, key=lambda item: WORST_FIRST.index(item.row.state), default=None)


def link_to(attempt: Attempt, step: Row[Any] | None) -> str:
    """Give the address, relative to the page, that shows a step of an attempt."""
    asked = {"task": attempt.row.id, **({"step": step.container} if step is not None else {})}
    return f"?{urlencode(asked)}{PLACE}"
