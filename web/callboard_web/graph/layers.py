"""Puts units into columns so that lines lead to the right, and orders the columns.

The steps are those of Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical
System Structures" (1981): take out cycles, put each unit after all that lead to it, put joints
where a line passes a column, and reduce crossings by the barycentres of neighbours.
"""

from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

MOST_WORK: Final = 120_000
"""Pieces of lines that are looked at while the order of the columns is improved."""

MOST_SWEEPS: Final = 12
MOST_IN_VAIN: Final = 3
"""Sweeps in a row that lessen nothing: the later ones hardly ever do."""

MOST_JOINTS: Final = 2_000
"""Places where lines pass a column; the longest lines beyond these go round above."""

Bundle = tuple[int, str, bool, bool]


@dataclass(slots=True)
class Bond:
    """Links of one type between two units; `left` is drawn before `right`.

    `turned` says that it is read from right to left, since it closes a circle. `at_left` says that
    it shares its line with others that leave from `left`, else with those to `right`. `above` says
    that its line goes round all columns instead of through them.
    """

    left: int
    right: int
    type: str
    turned: bool
    at_left: bool = True
    above: bool = False
    route: list[int] = field(default_factory=list)

    @property
    def bundle(self) -> Bundle:
        """What it shares a line with: all of the same bundle."""
        return (self.left if self.at_left else self.right, self.type, self.turned, self.at_left)


@dataclass(slots=True)
class Columns:
    """Vertices by column: units by their number, then joints, which are numbered after them."""

    order: list[list[int]]
    layer_of: list[int]
    pieces: list[tuple[int, int]]


def without_cycles(count: int, arcs: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
    """Give the arcs to turn round so that no circle is left, found by a search in depth."""
    after: defaultdict[int, list[int]] = defaultdict(list)
    for source, target in arcs:
        after[source].append(target)
    entered = {target for _, target in arcs}
    state = [0] * count
    turned: set[tuple[int, int]] = set()
    # What nothing leads to comes first: there no circle begins.
    for start in sorted(range(count), key=lambda number: (number in entered, number)):
        if state[start]:
            continue
        state[start] = 1
        stack = [(start, iter(after[start]))]
        while stack:
            number, rest = stack[-1]
            following = next(rest, None)
            if following is None:
                state[number] = 2
                stack.pop()
            elif state[following] == 1:
                turned.add((number, following))
            elif not state[following]:
                state[following] = 1
                stack.append((following, iter(after[following])))
    return turned


def layers_of(count: int, arcs: Sequence[tuple[int, int]]) -> list[int]:
    """Give the column of each unit: after all that lead to it, and as near to what follows."""
    after: defaultdict[int, set[int]] = defaultdict(set)
    waiting = [0] * count
    for source, target in set(arcs):
        after[source].add(target)
        waiting[target] += 1
    layer = [0] * count
    entered = [number > 0 for number in waiting]
    ready = [number for number in range(count) if not waiting[number]]
    for number in ready:
        for target in sorted(after[number]):
            layer[target] = max(layer[target], layer[number] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                ready.append(target)
    for number in reversed(ready):
        if after[number] and not entered[number]:
            layer[number] = min(layer[target] for target in after[number]) - 1
    return layer


def columns_of(layer: Sequence[int], bonds: Sequence[Bond]) -> Columns:
    """Put joints into the columns that lines pass, and order each column."""
    count = max(layer, default=-1) + 1
    order: list[list[int]] = [[] for _ in range(count)]
    for number, column in enumerate(layer):
        order[column].append(number)
    layer_of = list(layer)
    joints: dict[tuple[Bundle, int], int] = {}
    pieces: set[tuple[int, int]] = set()
    _choose_way(layer, bonds)
    for bond in bonds:
        bond.route = [bond.left]
        passed = range(layer[bond.left] + 1, layer[bond.right])
        for column in () if bond.above else passed:
            key = (bond.bundle, column)
            if key not in joints:
                joints[key] = len(layer_of)
                order[column].append(len(layer_of))
                layer_of.append(column)
            bond.route.append(joints[key])
        bond.route.append(bond.right)
        if not bond.above:
            pieces.update(pairwise(bond.route))
    columns = Columns(order, layer_of, sorted(pieces))
    _reduce_crossings(columns)
    return columns


def _choose_way(layer: Sequence[int], bonds: Sequence[Bond]) -> None:
    """Lead the longest lines above where there would be too many joints."""
    longest: defaultdict[Bundle, int] = defaultdict(int)
    for bond in bonds:
        span = layer[bond.right] - layer[bond.left] - 1
        longest[bond.bundle] = max(longest[bond.bundle], span)
    left = MOST_JOINTS
    through = set()
    for bundle in sorted(longest, key=lambda bundle: (longest[bundle], bundle)):
        left -= longest[bundle]
        if left >= 0:
            through.add(bundle)
    for bond in bonds:
        adjacent = layer[bond.right] - layer[bond.left] == 1
        bond.above = not adjacent and bond.bundle not in through


def _reduce_crossings(columns: Columns) -> None:
    before: defaultdict[int, list[int]] = defaultdict(list)
    after: defaultdict[int, list[int]] = defaultdict(list)
    for left, right in columns.pieces:
        after[left].append(right)
        before[right].append(left)
    sweeps = max(2, min(MOST_SWEEPS, MOST_WORK // (len(columns.pieces) + 1)))
    best, fewest = [list(column) for column in columns.order], crossings(columns, after)
    in_vain = 0
    for sweep in range(sweeps):
        if not fewest or in_vain == MOST_IN_VAIN:
            break
        rightward = sweep % 2 == 0
        neighbours = before if rightward else after
        numbers = range(len(columns.order))
        for index in numbers if rightward else reversed(numbers):
            beside = index - 1 if rightward else index + 1
            if 0 <= beside < len(columns.order):
                _sort(columns.order[index], columns.order[beside], neighbours)
        found = crossings(columns, after)
        in_vain += 1
        if found < fewest:
            best, fewest, in_vain = [list(column) for column in columns.order], found, 0
    columns.order = best


def _sort(
    column: list[int], beside: Sequence[int], neighbours: defaultdict[int, list[int]]
) -> None:
    """Order a column by the mean place of each one's neighbours; who has none stays about."""
    place = {number: index for index, number in enumerate(beside)}
    scale = len(beside) / max(len(column), 1)
    means = {}
    for index, number in enumerate(column):
        places = [place[other] for other in neighbours[number] if other in place]
        means[number] = sum(places) / len(places) if places else index * scale
    column.sort(key=lambda number: means[number])


def crossings(columns: Columns, after: defaultdict[int, list[int]]) -> int:
    """Count the pieces that cross between all columns."""
    found = 0
    for index, column in enumerate(columns.order[:-1]):
        place = {number: at for at, number in enumerate(columns.order[index + 1])}
        seen: list[int] = []
        for number in column:
            ends = [place[other] for other in after[number]]
            for end in ends:
                found += len(seen) - bisect_right(seen, end)
            for end in ends:
                insort(seen, end)
    return found
