"""What a picture is made of: things and links before it is laid out, shapes after."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from callboard.entities import EntityRef
from callboard.i18n import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something to draw, known by `key`. `more` is how many it stands for, 0 for itself alone.

    `note` is the grey second line; `centre` marks the one the picture is about.
    """

    key: str
    title: str
    kind: str
    url: str
    ref: EntityRef | None = None
    note: Text = ""
    missing: bool = False
    more: int = 0
    centre: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A relation between two things, by their keys, read from `source` to `target`.

    Those of one `type` at one end share a line and its `words`.
    """

    source: str
    target: str
    type: str
    words: Text
    dashed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Lengths in pixels; texts are cut at so many units of `text.units`.

    `group_from` things that are alike are drawn as a group; 0 means never.
    """

    width: int = 196
    height: int = 48
    title_units: int = 22
    chip_width: int = 172
    chip_height: int = 26
    chip_units: int = 22
    gap: int = 14
    port: int = 18
    group_from: int = 4


PAGE: Final = Sizes()
CARD: Final = Sizes(width=164, title_units=17, chip_width=150, chip_units=18, gap=12, group_from=0)


@dataclass(slots=True, kw_only=True)
class Node:
    """A box, or a chip within the box of a group. `number` is its place in the picture's order.

    `before` and `after` are the numbers of those it is linked to, on the left and on the right.
    """

    thing: Thing
    number: int
    x: int
    y: int
    width: int
    height: int
    title: str
    column: int
    chip: bool = False
    before: Sequence[int] = ()
    after: Sequence[int] = ()


@dataclass(slots=True, kw_only=True)
class Frame:
    """The box around things alike: of one kind, with the same relations to the same others."""

    x: int
    y: int
    width: int
    height: int
    kind: str
    count: int


@dataclass(frozen=True, slots=True)
class Line:
    """A piece of a line, from border to border. `arrow` is `end`, `start` or empty."""

    path: str
    dashed: bool
    arrow: str


@dataclass(frozen=True, slots=True)
class Label:
    """Words of the lines that leave from a point; `anchor` is that of SVG."""

    x: int
    y: int
    words: Text
    anchor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What a template draws, in pixels."""

    width: int
    height: int
    nodes: Sequence[Node]
    frames: Sequence[Frame] = ()
    lines: Sequence[Line] = ()
    labels: Sequence[Label] = ()

    @property
    def centre(self) -> Node | None:
        """The node the picture is about."""
        return next((node for node in self.nodes if node.thing.centre), None)


@dataclass(slots=True)
class Unit:
    """What takes a place of its own in a column: one thing, or a group of things alike."""

    things: list[Thing]
    width: int = 0
    height: int = 0
    rows: int = 1
    layer: int = 0
    links_before: dict[tuple[str, bool], list[int]] = field(default_factory=dict)
    links_after: dict[tuple[str, bool], list[int]] = field(default_factory=dict)
