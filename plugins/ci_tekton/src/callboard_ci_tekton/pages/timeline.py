"""The time line of a run: when its tasks waited, were prepared, and did their steps."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from callboard.contributions import Status
from callboard.i18n import Text
from callboard_ci_tekton.pages.nodes import Node
from callboard_ci_tekton.pages.reading import Attempt
from callboard_ci_tekton.pages.selecting import state_of
from callboard_ci_tekton.pages.words import STATES, took

NARROWEST: Final = 0.4
"""Percent of the width that the shortest bar has, so that it is seen."""

TICKS: Final = 4


@dataclass(frozen=True, slots=True)
class Bar:
    """A piece of the time line; place and width are percent of its width.

    `kind` is `queue` (nothing has begun), `init` (the pod is being prepared), or that of a step:
    `ok`, `bad`, `run`, `other`.
    """

    kind: str
    x: float
    width: float
    words: Text
    length: Text


@dataclass(frozen=True, slots=True)
class Lane:
    """One attempt of a task."""

    number: int
    title: str
    attempt: int
    status: Status
    words: Text
    bars: Sequence[Bar]
    length: Text


@dataclass(frozen=True, slots=True)
class TimeLine:
    """All lanes, and the times at the marks of the axis, from percent of the width."""

    lanes: Sequence[Lane]
    ticks: Sequence[tuple[float, Text]]


def time_line(run: Any, nodes: Sequence[Node], now: datetime) -> TimeLine | None:
    """Draw attempts in the order they began; None where none has."""
    given = [(node, attempt) for node in nodes for attempt in node.attempts
             if attempt.row.started_at]  # fmt: skip
    if not given:
        return None
    given.sort(key=lambda pair: (_begin(pair[1]), pair[1].row.id))
    start = min([run.created_at, *(_begin(attempt) for _node, attempt in given)])
    ends = [_end(attempt, now) for _node, attempt in given]
    end = max([run.finished_at or run.created_at, *ends])
    whole = max(1.0, (end - start).total_seconds())
    lanes = [_lane(node, attempt, start, whole, now) for node, attempt in given]
    ticks = [(100 * part / TICKS, took(whole * part / TICKS)) for part in range(TICKS + 1)]
    return TimeLine(lanes, ticks)


def _begin(attempt: Attempt) -> datetime:
    """Give when an attempt began: a later one has the birthday of the first."""
    row = attempt.row
    begun: datetime = row.created_at if row.attempt == 1 else row.started_at or row.created_at
    return begun


def _end(attempt: Attempt, now: datetime) -> datetime:
    row = attempt.row
    if row.finished_at:
        finished: datetime = row.finished_at
        return finished
    ended: datetime = row.started_at or row.created_at
    return ended if STATES[row.state][0] not in ("run", "wait") else max(ended, now)


def _lane(node: Node, attempt: Attempt, start: datetime, whole: float, now: datetime) -> Lane:
    row = attempt.row
    status, words = STATES[row.state]
    bars = []
    for kind, begin, end, said in _pieces(attempt, now):
        x = min(100.0, max(0.0, (begin - start).total_seconds() / whole * 100))
        width = max(NARROWEST, (end - begin).total_seconds() / whole * 100)
        length = took((end - begin).total_seconds())
        bars.append(Bar(kind, round(x, 2), round(min(width, 100 - x + NARROWEST), 2), said, length))
    length = took((_end(attempt, now) - _begin(attempt)).total_seconds())
    many = len(node.current) > 1
    title = f"{node.title} ({row.name})" if many else node.title
    number = row.attempt if len(node.attempts) > len(node.current) else 0
    return Lane(row.id, title, number, status, words, bars, length)


def _pieces(attempt: Attempt, now: datetime) -> Iterator[tuple[str, datetime, datetime, Text]]:
    """Yield kind, begin, end and name of each bar."""
    row, begin = attempt.row, _begin(attempt)
    end = _end(attempt, now)
    begun = row.started_at or end
    if begun > begin:
        yield "queue", begin, begun, ""
    steps = [step for step in attempt.steps if not step.sidecar and step.started_at]
    if not steps:
        if row.started_at and end > row.started_at:
            kind = "init" if row.state == "waiting" else _kind(row.state)
            yield kind, row.started_at, end, ""
        return
    # Steps that were stopped with their pod bear the time the pod began.
    if steps[0].started_at > begun:
        yield "init", begun, steps[0].started_at, ""
    for step in steps:
        until = step.finished_at or end
        if until >= step.started_at:
            yield _kind(state_of(attempt, step)), step.started_at, until, step.name


def _kind(state: str) -> str:
    return {"ok": "ok", "bad": "bad", "run": "run"}.get(STATES[state][0], "other")
