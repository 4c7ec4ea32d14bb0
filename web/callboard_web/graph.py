"""A graph of one entity and its neighbours, laid out on the server as plain SVG."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from callboard.entities import EntityRef
from callboard.i18n import Text
from callboard_catalog.reading import Related
from callboard_web.words import RELATION_ORDER, relation_words

LEFT: Final = frozenset(
    {
        "ownedBy",
        "partOf",
        "childOf",
        "memberOf",
        "dependencyOf",
        "apiConsumedBy",
        "apiProvidedBy",
    }
)
"""Relations to those above this entity or in need of it; all others point away, to the right."""

MOST: Final = 6
NODE_WIDTH: Final = 156
NODE_HEIGHT: Final = 48
STEP: Final = 60
GAP: Final = 84
TITLE_UNITS: Final = 16
_WIDE: Final = frozenset("WF")


@dataclass(frozen=True, slots=True)
class Node:
    """A box. `ref` is None for the one that stands for all that are left out."""

    x: int
    y: int
    title: str
    full_title: str
    kind: str
    ref: EntityRef | None
    words: Text = ""
    missing: bool = False
    more: int = 0


@dataclass(frozen=True, slots=True)
class Edge:
    """A curve from a neighbour to the entity, with a word on it."""

    path: str
    words: Text
    x: int
    y: int
    dashed: bool


@dataclass(frozen=True, slots=True)
class Graph:
    """What the template draws, in pixels. `shown` of `total` relations are in it."""

    width: int
    height: int
    centre: Node
    nodes: Sequence[Node]
    edges: Sequence[Edge]
    node_width: int
    node_height: int
    shown: int
    total: int


def lay_out(ref: EntityRef, title: str, related: Sequence[Related]) -> Graph:
    """Put those before the entity to its left and those after it to its right."""
    ordered = sorted(related, key=lambda item: (_rank(item.type), item.title))
    left = [item for item in ordered if item.type in LEFT]
    right = [item for item in ordered if item.type not in LEFT]
    rows = max(_rows(left), _rows(right), 1)
    height = rows * STEP + 4
    centre_x = NODE_WIDTH + GAP if left else 0
    middle = height // 2
    centre = Node(centre_x + 1, middle - NODE_HEIGHT // 2, shorten(title), title, ref.kind, ref)
    width = centre_x + NODE_WIDTH + (GAP + NODE_WIDTH if right else 0) + 2
    nodes: list[Node] = []
    edges: list[Edge] = []
    _side(left, 1, height, centre, nodes, edges)
    _side(right, centre_x + NODE_WIDTH + GAP + 1, height, centre, nodes, edges)
    shown = sum(node.ref is not None for node in nodes)
    return Graph(width, height, centre, nodes, edges, NODE_WIDTH, NODE_HEIGHT, shown, len(ordered))


def _side(
    items: Sequence[Related],
    x: int,
    height: int,
    centre: Node,
    nodes: list[Node],
    edges: list[Edge],
) -> None:
    rows = _rows(items)
    shown = items if len(items) <= MOST else items[: MOST - 1]
    top = (height - rows * STEP) // 2 + (STEP - NODE_HEIGHT) // 2
    for index, item in enumerate(shown):
        node = Node(
            x, top + index * STEP, shorten(item.title), item.title, item.kind, item.ref,
            words=relation_words(item.type), missing=not item.exists,
        )  # fmt: skip
        nodes.append(node)
        edges.append(_edge(node, centre))
    if len(shown) < len(items):
        left_out = len(items) - len(shown)
        nodes.append(Node(x, top + len(shown) * STEP, "", "", "", None, more=left_out))


def _edge(node: Node, centre: Node) -> Edge:
    on_left = node.x < centre.x
    begin_x = node.x + NODE_WIDTH if on_left else node.x
    end_x = centre.x if on_left else centre.x + NODE_WIDTH
    begin_y, end_y = node.y + NODE_HEIGHT // 2, centre.y + NODE_HEIGHT // 2
    bend = (begin_x + end_x) // 2
    path = f"M{begin_x} {begin_y}C{bend} {begin_y} {bend} {end_y} {end_x} {end_y}"
    return Edge(path, node.words, bend, (begin_y + end_y) // 2, node.missing)


def _rows(items: Sequence[Related]) -> int:
    return min(len(items), MOST)


def _rank(relation: str) -> int:
    return RELATION_ORDER.get(relation, len(RELATION_ORDER))


def shorten(text: str, units: int = TITLE_UNITS) -> str:
    """Cut a text at a width: a Chinese character is as wide as two Latin ones."""
    width = 0
    for index, character in enumerate(text):
        width += 2 if unicodedata.east_asian_width(character) in _WIDE else 1
        if width > units:
            return f"{text[: max(index - 1, 1)].rstrip()}…"
    return text
