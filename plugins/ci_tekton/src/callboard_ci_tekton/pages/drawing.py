"""The graph of a run as shapes, and the tree of its steps."""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from callboard.contributions import Status
from callboard.i18n import Text, Translator
from callboard_ci_tekton.pages.layout import NARROW, WIDE, Drawing, lay_out
from callboard_ci_tekton.pages.nodes import Node
from callboard_ci_tekton.pages.reading import Attempt
from callboard_ci_tekton.pages.selecting import (
    Chosen,
    attempt_of,
    link_to,
    state_of,
    step_of,
    step_took,
)
from callboard_ci_tekton.pages.words import STATES

_ = Translator("ci_tekton")

MARKS: Final[Mapping[str, tuple[str, str]]] = {
    "ok": ("ok", "s-ok"), "run": ("run", "s-run"), "wait": ("wait", "s-wait"),
    "pause": ("wait", "s-pause"), "warn": ("warn", "s-warn"), "bad": ("bad", "s-bad"),
    "block": ("bad", "s-block"), "skip": ("idle", "s-skip"), "todo": ("idle", "s-todo"),
    "unknown": ("idle", "s-unk"),
}  # fmt: skip
"""Colour and icon of each status: within a picture a mark must bear its size itself."""

BESIDE: Final = 38
"""Pixels of a shape that its mark and margins take."""

LETTER: Final = 7.2
IDEOGRAPH: Final = 13.0


@dataclass(frozen=True, slots=True)
class Shape:
    """A task in the picture: its place in pixels, and what it leads to."""

    node: Node
    x: int
    y: int
    title: str
    link: str
    is_chosen: bool
    after: str
    mark: tuple[str, str]


@dataclass(frozen=True, slots=True)
class Way:
    """A line; `is_dashed` where it leads to what was not run."""

    path: str
    is_dashed: bool


@dataclass(frozen=True, slots=True)
class Picture:
    """The graph. `divider` is the place of the line before what runs at last, 0 without that."""

    drawing: Drawing
    shapes: Sequence[Shape]
    ways: Sequence[Way]

    @property
    def divider(self) -> int:
        """Where the line before the tasks that run at last is, in pixels."""
        return self.drawing.divider


@dataclass(frozen=True, slots=True)
class Leaf:
    """A step in the tree."""

    name: str
    link: str
    status: Status
    words: Text
    length: Text
    is_chosen: bool
    is_sidecar: bool


@dataclass(frozen=True, slots=True)
class Twig:
    """An attempt in the tree; `label` is empty where a task has only one."""

    label: Text
    link: str
    is_chosen: bool
    leaves: Sequence[Leaf]


@dataclass(frozen=True, slots=True)
class Branch:
    """A task in the tree."""

    node: Node
    link: str
    is_open: bool
    twigs: Sequence[Twig]


def picture_of(nodes: Sequence[Node], chosen: Chosen | None) -> Picture | None:
    """Draw the graph; None where nothing is known of the pipeline."""
    if not nodes:
        return None
    last = {index for index, node in enumerate(nodes) if node.member == "finally"}
    after = [() if index in last else node.after for index, node in enumerate(nodes)]
    width = max(_pixels(node.title) for node in nodes) + BESIDE
    width = max(NARROW, min(WIDE, width))
    drawing = lay_out(after, last, width)
    shapes = [
        Shape(
            node=node, x=x, y=y, title=shorten(node.title, width - BESIDE),
            link=node_link(node, index), is_chosen=chosen is not None and chosen.node is node,
            after=", ".join(nodes[place].title for place in node.after), mark=MARKS[node.status],
        )
        for index, (node, (x, y)) in enumerate(zip(nodes, drawing.places, strict=True))
    ]  # fmt: skip
    ways = [Way(line.path, not nodes[line.target].began) for line in drawing.lines]
    return Picture(drawing, shapes, ways)


def node_link(node: Node, index: int) -> str:
    """Give where a task leads: to its step, the run that it is, or its place in the tree."""
    attempt = attempt_of(node)
    if node.path:
        return node.path
    return link_to(attempt, step_of(attempt)) if attempt is not None else f"#task-{index}"


def tree_of(nodes: Sequence[Node], chosen: Chosen | None, now: Any) -> list[Branch]:
    """Give the tasks with their attempts and steps; that of the chosen step is open."""
    return [
        Branch(
            node, node_link(node, index), chosen is not None and chosen.node is node,
            [_twig(node, attempt, chosen, now) for attempt in node.attempts],
        )
        for index, node in enumerate(nodes)
    ]  # fmt: skip


def _twig(node: Node, attempt: Attempt, chosen: Chosen | None, now: Any) -> Twig:
    is_chosen = chosen is not None and chosen.attempt is attempt
    leaves = [
        Leaf(
            name=step.name or node.title, link=link_to(attempt, step),
            status=STATES[state_of(attempt, step)][0], words=STATES[state_of(attempt, step)][1],
            length=step_took(attempt, step, now),
            is_chosen=is_chosen and chosen is not None and chosen.step is step,
            is_sidecar=step.sidecar,
        )
        for step in attempt.steps
    ]  # fmt: skip
    return Twig(_label(node, attempt), link_to(attempt, None), is_chosen, leaves)


def _label(node: Node, attempt: Attempt) -> Text:
    """Tell attempts apart: by the values of the matrix, and by their number."""
    row, words = attempt.row, STATES[attempt.row.state][1]
    values = {item["name"]: item["value"] for item in row.parameters}
    of_matrix = ", ".join(str(values[name]) for name in node.matrix if name in values)
    many = len(node.current) > 1
    if many and len(node.attempts) == len(node.current):
        return of_matrix or row.name
    if many:
        named = of_matrix or row.name
        return _("%(name)s, attempt %(number)d: %(state)s", name=named, number=row.attempt,
                 state=words)  # fmt: skip
    if len(node.attempts) > 1:
        return _("Attempt %(number)d: %(state)s", number=row.attempt, state=words)
    return ""


def _pixels(text: str) -> int:
    """Estimate how wide a text is: nothing measures it before it is drawn."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return int((len(text) - wide) * LETTER + wide * IDEOGRAPH) + 1


def shorten(text: str, width: int) -> str:
    """Cut a text to a width in pixels."""
    if _pixels(text) <= width:
        return text
    while text and _pixels(f"{text}…") > width:
        text = text[:-1]
    return f"{text.rstrip()}…"
