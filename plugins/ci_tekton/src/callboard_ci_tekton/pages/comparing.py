"""What is different from the last good run: the first question where something fails."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from callboard.i18n import Text
from callboard_ci_tekton.pages.reading import Found, Whole
from callboard_ci_tekton.pages.words import took

MOST: Final = 20
"""Rows of each part that are shown."""

GREW: Final = 1.25
GREW_BY: Final = 5
"""A task that took more than this many times as long, and seconds more, is told of."""

LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class Difference:
    """A thing that was one way then and is another now; empty where it was not there."""

    name: str
    then: Text
    now: Text


@dataclass(frozen=True, slots=True)
class Comparison:
    """What changed since a good run. `images` are of steps, `slower` are durations of tasks."""

    good: Any
    is_same_branch: bool
    is_same_commit: bool
    parameters: Sequence[Difference]
    images: Sequence[Difference]
    tasks: Sequence[Difference]
    slower: Sequence[Difference]

    @property
    def is_nothing(self) -> bool:
        """Whether all that is compared is as it was."""
        parts = (self.parameters, self.images, self.tasks, self.slower)
        return self.is_same_commit and not any(parts)


def compare(found: Found, titles: Mapping[str, str]) -> Comparison | None:
    """Compare a run with the last good one before it; None without one.

    `titles` are those of tasks, by their names.
    """
    good, run = found.good, found.run
    if good is None:
        return None
    then, now = good.row, run.row
    return Comparison(
        good=then,
        is_same_branch=then.branch == now.branch,
        is_same_commit=then.commit == now.commit,
        parameters=_changed(_parameters(good), _parameters(run)),
        images=_changed(*_images(good, run), titles),
        tasks=_changed(*_references(good, run), titles),
        slower=_slower(good, run, titles),
    )


def _changed(
    then: Mapping[str, str],
    now: Mapping[str, str],
    titles: Mapping[str, str] = MappingProxyType({}),
) -> list[Difference]:
    names = sorted({*then, *now})
    found = [
        Difference(_titled(name, titles), then.get(name, ""), now.get(name, ""))
        for name in names
        if then.get(name) != now.get(name)
    ]
    return found[:MOST]


def _titled(name: str, titles: Mapping[str, str]) -> str:
    """Give the title of a task, or of a step of one, as it stands elsewhere on the page."""
    task, slash, step = name.partition(" / ")
    return f"{titles.get(task, task)}{slash}{step}"


def _parameters(whole: Whole) -> dict[str, str]:
    """Give parameters as texts, without those that are the commit itself."""
    found = {item["name"]: shown(item["value"]) for item in whole.detail["parameters"]}
    commit = whole.row.commit
    return {name: value for name, value in found.items() if not commit or value != commit}


def shown(value: Any) -> str:
    """Give a value of a parameter or result as people read it: texts bare, all else as JSON."""
    if isinstance(value, str):
        return value
    import orjson

    return orjson.dumps(value).decode()


def _images(good: Whole, run: Whole) -> tuple[dict[str, str], dict[str, str]]:
    """Give the images of the steps that ran both times, by task and step."""
    then, now = _images_of(good), _images_of(run)
    both = then.keys() & now.keys()
    return {name: then[name] for name in both}, {name: now[name] for name in both}


def _images_of(whole: Whole) -> dict[str, str]:
    return {
        f"{attempt.row.task} / {step.name}": step.image[:LONGEST]
        for attempt in whole.attempts
        for step in attempt.steps
        if attempt.is_current and step.image
    }


def _references(good: Whole, run: Whole) -> tuple[dict[str, str], dict[str, str]]:
    """Give which Task each task of the two pipelines is."""
    then, now = _references_of(good), _references_of(run)
    return (then, now) if then and now else ({}, {})


def _references_of(whole: Whole) -> dict[str, str]:
    nodes = (whole.detail["graph"] or {}).get("nodes", ())
    return {node["name"]: node["reference"] or node["kind"] for node in nodes}


def _slower(good: Whole, run: Whole, titles: Mapping[str, str]) -> list[Difference]:
    """Give the tasks that took much longer, the most first."""
    then, now = _lengths(good), _lengths(run)
    grown = [
        (now[name] - then[name], name)
        for name in then.keys() & now.keys()
        if now[name] >= then[name] + GREW_BY and now[name] > then[name] * GREW
    ]
    return [
        Difference(_titled(name, titles), took(then[name]), took(now[name]))
        for _more, name in sorted(grown, key=lambda item: (-item[0], item[1]))[:MOST]
    ]


def _lengths(whole: Whole) -> dict[str, int]:
    """Give the seconds of tasks that ended; of a matrix those of the longest."""
    found: dict[str, int] = {}
    for attempt in whole.attempts:
        row = attempt.row
        if attempt.is_current and row.duration is not None and row.finished_at is not None:
            found[row.task] = max(found.get(row.task, 0), row.duration)
    return found
