"""Lays the tasks of a pipeline out in columns, so that lines lead to the right.

The steps are those of Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical
System Structures" (1981): each task stands after all that it waits for, lines that pass a column
have a joint in it, and columns are ordered by the barycentres of neighbours. Lines that others
imply are left out.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

HEIGHT: Final = 50
NARROW: Final = 132
WIDE: Final = 208
ACROSS: Final = 28
CLOSE: Final = 16
MANY: Final = 6
"""Pixels between two columns, and between those of a picture that has more than so many."""

FEW: Final = 3
DOWN_FEW: Final = 34
DOWN: Final = 14
"""Pixels between two tasks of a column, where all columns have few and where one has many."""

JOINT: Final = 8
MARGIN: Final = 8
EDGE: Final = 2
APART: Final = 14
"""Pixels before the column of what runs at last, beside those between columns."""

HEAD: Final = 22
SWEEPS: Final = 6
MOST_JOINTS: Final = 2000
"""Beyond these lines pass straight behind tasks: such a graph is not read line by line."""


@dataclass(frozen=True, slots=True)
class Line:
    """A way from one task to another."""

    path: str
    source: int
    target: int


@dataclass(frozen=True, slots=True)
class Drawing:
    """Where tasks stand, in pixels, and the lines between them. `divider` is 0 without `last`."""

    width: int
    height: int
    node_width: int
    places: Sequence[tuple[int, int]]
    lines: Sequence[Line]
    divider: int


def lay_out(after: Sequence[Collection[int]], last: Collection[int], width: int) -> Drawing:
    """Lay out tasks; `after` has for each those that it waits for, `last` run after all others.

    A circle, which no pipeline should have, is opened at its last task. The same input always
    gives the same drawing.
    """
    layers = _layers(after, last)
    arcs = _needed(after, layers)
    columns, pieces, routes = _joined(layers, arcs)
    _order(columns, pieces)
    gap = DOWN_FEW if max(map(len, columns), default=0) <= FEW else DOWN
    head = HEAD if last else 0
    middle, height = _middles(columns, len(after), gap)
    across = ACROSS if len(columns) <= MANY else CLOSE
    left = [EDGE + column * (width + across) for column in range(len(columns) + 1)]
    divider = 0
    if last:
        divider = left[len(columns) - 1] + (APART - across) // 2
        left[len(columns) - 1] += APART
        left[len(columns)] += APART
    column_of = {vertex: index for index, column in enumerate(columns) for vertex in column}
    places = [
        (left[column_of[vertex]], middle[vertex] - HEIGHT // 2 + head)
        for vertex in range(len(after))
    ]
    lines = [
        Line(_path(route, column_of, left, middle, width, head), *arc)
        for arc, route in routes.items()
    ]
    right = left[len(columns)] - across + EDGE if columns else 2 * EDGE
    return Drawing(right, height + head, width, places, lines, divider)


def _layers(after: Sequence[Collection[int]], last: Collection[int]) -> list[int]:
    """Give the column of each: behind all it waits for, what runs at last in one of its own."""
    layer = [0] * len(after)
    waiting = [len(set(item)) for item in after]
    following: list[list[int]] = [[] for _ in after]
    for target, sources in enumerate(after):
        for source in set(sources):
            following[source].append(target)
    ready = [number for number, count in enumerate(waiting) if not count]
    seen = set(ready)
    while len(seen) < len(after) or ready:
        if not ready:  # a circle
            opened = max(number for number in range(len(after)) if number not in seen)
            ready.append(opened)
            seen.add(opened)
        number = ready.pop(0)
        for target in following[number]:
            if target in seen:
                continue
            layer[target] = max(layer[target], layer[number] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
                seen.add(target)
    if last:
        end = max((layer[n] for n in range(len(after)) if n not in last), default=-1) + 1
        for number in last:
            layer[number] = end
    return layer


def _needed(after: Sequence[Collection[int]], layer: Sequence[int]) -> list[tuple[int, int]]:
    """Give the arcs that no longer way implies, those against the order left out."""
    before = [{s for s in set(given) if layer[s] < layer[t]} for t, given in enumerate(after)]
    above: list[set[int]] = [set() for _ in after]
    for number in sorted(range(len(after)), key=lambda vertex: layer[vertex]):
        for source in before[number]:
            above[number] |= above[source] | {source}
    return [
        (source, target)
        for target, sources in enumerate(before)
        for source in sorted(sources)
        if not any(source in above[other] for other in sources)
    ]


Routes = dict[tuple[int, int], list[int]]


def _joined(
    layer: Sequence[int], arcs: Sequence[tuple[int, int]]
) -> tuple[list[list[int]], list[tuple[int, int]], Routes]:
    """Put joints where lines pass columns; give columns, pieces of lines, and ways of arcs."""
    columns: list[list[int]] = [[] for _ in range(max(layer, default=-1) + 1)]
    for number, column in enumerate(layer):
        columns[column].append(number)
    routes: Routes = {}
    joints: dict[tuple[int, int], int] = {}
    number = len(layer)
    for source, target in sorted(arcs, key=lambda arc: layer[arc[1]] - layer[arc[0]]):
        route = [source]
        for column in range(layer[source] + 1, layer[target]):
            if (source, column) not in joints:
                if len(joints) >= MOST_JOINTS:
                    break
                joints[source, column] = number
                columns[column].append(number)
                number += 1
            route.append(joints[source, column])
        routes[source, target] = [*route, target]
    pieces = {pair for way in routes.values() for pair in pairwise(way)}
    return columns, sorted(pieces), dict(sorted(routes.items()))


def _order(columns: list[list[int]], pieces: Sequence[tuple[int, int]]) -> None:
    """Order each column by the mean place of each one's neighbours in the column before."""
    before: dict[int, list[int]] = {}
    behind: dict[int, list[int]] = {}
    for left, right in pieces:
        behind.setdefault(left, []).append(right)
        before.setdefault(right, []).append(left)
    for sweep in range(SWEEPS):
        rightward = sweep % 2 == 0
        near = before if rightward else behind
        numbers = range(1, len(columns)) if rightward else range(len(columns) - 2, -1, -1)
        for index in numbers:
            beside = columns[index - 1 if rightward else index + 1]
            place = {vertex: at / len(beside) for at, vertex in enumerate(beside)}
            means = {}
            for at, vertex in enumerate(columns[index]):
                places = [place[other] for other in near.get(vertex, ()) if other in place]
                means[vertex] = sum(places) / len(places) if places else at / len(columns[index])
            columns[index].sort(key=lambda vertex: means[vertex])


def _middles(columns: Sequence[Sequence[int]], count: int, gap: int) -> tuple[dict[int, int], int]:
    """Give the middle of each vertex: columns are stacked, and centred on the highest."""

    def high(vertex: int) -> int:
        return HEIGHT if vertex < count else JOINT

    heights = [sum(map(high, column)) + gap * (len(column) - 1) for column in columns]
    highest = max(heights, default=0)
    middle: dict[int, int] = {}
    for column, total in zip(columns, heights, strict=True):
        at = MARGIN + (highest - total) // 2
        for vertex in column:
            middle[vertex] = at + high(vertex) // 2
            at += high(vertex) + gap
    return middle, highest + 2 * MARGIN


def _path(
    route: Sequence[int], column_of: dict[int, int], left: Sequence[int], middle: dict[int, int],
    width: int, head: int,
) -> str:  # fmt: skip
    parts = []
    for index, (start, end) in enumerate(pairwise(route)):
        x, y = left[column_of[start]] + width, middle[start] + head
        to_x, to_y = left[column_of[end]], middle[end] + head
        half = (x + to_x) // 2
        if index:
            parts.append(f"H{x}")
        else:
            parts.append(f"M{x} {y}")
        parts.append(f"H{to_x}" if y == to_y else f"C{half} {y} {half} {to_y} {to_x} {to_y}")
    return "".join(parts)
