"""Lays things and links out as a picture: the same input always gives the same one."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Final

from callboard.i18n import Text
from callboard_web.graph import groups
from callboard_web.graph.layers import Bond, Columns, columns_of, layers_of, without_cycles
from callboard_web.graph.model import (
    PAGE,
    Frame,
    Label,
    Line,
    Link,
    Node,
    Picture,
    Sizes,
    Thing,
    Unit,
)
from callboard_web.graph.placing import centres
from callboard_web.graph.text import pixels, shorten

MARGIN: Final = 2
CURVE: Final = 44
"""Pixels between two columns in which lines bend, beside the room for words."""

LABEL_UNIT: Final = 6.4
LANE: Final = 12
"""Pixels above all columns, for lines that go round them."""

Port = tuple[int, str, bool, bool]
"""Where lines leave a unit: the unit, their type, whether turned, whether on its right side."""


def draw(
    things: Sequence[Thing],
    links: Sequence[Link],
    *,
    sizes: Sizes = PAGE,
) -> Picture:
    """Lay out things and the links between them, which must name things by their keys.

    Links from a thing to itself are left out. Room is made for the English words, which are the
    longest.
    """
    keys = {thing.key for thing in things}
    known = [
        link
        for link in dict.fromkeys(links)
        if link.source != link.target and link.source in keys and link.target in keys
    ]
    units, place = groups.units_of(things, known, sizes)
    bonds, words, dashed = _bonds(units, known, place)
    columns = columns_of([unit.layer for unit in units], bonds)
    return _Drawing(units, bonds, columns, words, dashed, sizes).picture()


def _bonds(
    units: list[Unit], links: Sequence[Link], place: dict[str, int]
) -> tuple[list[Bond], dict[str, Text], set[tuple[int, int, str]]]:
    """Bundle links between units, and give each unit its column."""
    words: dict[str, Text] = {}
    solid: dict[tuple[int, int, str], bool] = {}
    for link in links:
        words.setdefault(link.type, link.words)
        key = (place[link.source], place[link.target], link.type)
        solid[key] = solid.get(key, False) or not link.dashed
    arcs = list(dict.fromkeys((source, target) for source, target, _ in solid))
    turned = without_cycles(len(units), arcs)
    bonds = [
        Bond(target, source, type_, True)
        if (source, target) in turned
        else Bond(source, target, type_, False)
        for source, target, type_ in solid
    ]
    for number, layer in enumerate(layers_of(len(units), [(b.left, b.right) for b in bonds])):
        units[number].layer = layer
    for index, bond in enumerate(bonds):
        units[bond.left].links_after.setdefault((bond.type, bond.turned), []).append(index)
        units[bond.right].links_before.setdefault((bond.type, bond.turned), []).append(index)
    for bond in bonds:
        key_ = (bond.type, bond.turned)
        after, before = units[bond.left].links_after[key_], units[bond.right].links_before[key_]
        bond.at_left = len(after) >= len(before)
    return bonds, words, {key for key, is_solid in solid.items() if not is_solid}


class _Drawing:
    """Works out the shapes of one picture."""

    def __init__(
        self,
        units: list[Unit],
        bonds: list[Bond],
        columns: Columns,
        words: dict[str, Text],
        dashed: set[tuple[int, int, str]],
        sizes: Sizes,
    ) -> None:
        self.units, self.bonds, self.columns = units, bonds, columns
        self.words, self.dashed, self.sizes = words, dashed, sizes
        for unit in units:
            ports = max(len(unit.links_before), len(unit.links_after))
            unit.height = max(unit.height, ports * sizes.port + 12)
        joints = len(columns.layer_of) - len(units)
        heights = [unit.height for unit in units] + [0] * joints
        top = MARGIN + (LANE if any(bond.above for bond in bonds) else 0)
        self.middle = [round(value) + top for value in centres(columns, heights, sizes.gap)]
        self.ports = self._ports()
        self.labelled = self._labelled()
        self.left_of, self.width_of, self.rooms = self._columns_across()

    def picture(self) -> Picture:
        nodes = self._nodes()
        right = self.left_of[-1] + self.width_of[-1] if self.left_of else 0
        bottom = max((node.y + node.height for node in nodes), default=0)
        frames = self._frames()
        bottom = max([bottom, *(frame.y + frame.height for frame in frames), *self.middle])
        return Picture(
            width=right + MARGIN,
            height=bottom + MARGIN,
            nodes=nodes,
            frames=frames,
            lines=self._lines(),
            labels=self._labels(),
        )

    # Where lines leave a unit

    def _ports(self) -> dict[Port, int]:
        """Give the height of each port; those to what is further up are further up."""
        found: dict[Port, int] = {}
        for number, unit in enumerate(self.units):
            for links, on_right in ((unit.links_before, False), (unit.links_after, True)):
                height = {key: self._far_end(links[key], on_right) for key in links}
                ordered = [key for _, key in sorted((height[key], key) for key in links)]
                first = self.middle[number] - (len(ordered) - 1) * self.sizes.port // 2
                for index, (type_, turned) in enumerate(ordered):
                    found[number, type_, turned, on_right] = first + index * self.sizes.port
        return found

    def _far_end(self, links: Sequence[int], on_right: bool) -> float:
        """Give the mean height of what lines lead to next."""
        beside = [self.bonds[index].route[1 if on_right else -2] for index in links]
        return sum(self.middle[number] for number in beside) / len(beside)

    def _labelled(self) -> set[Port]:
        """Give the ports with words: each bundle has them once, where its lines come together."""
        return {bond.bundle for bond in self.bonds}

    # From left to right

    def _columns_across(self) -> tuple[list[int], list[int], list[tuple[int, int]]]:
        """Give left border and width of each column, and the room for words on its two sides."""
        count = len(self.columns.order)
        width = [0] * count
        rooms = [[0, 0] for _ in range(count)]
        for unit in self.units:
            width[unit.layer] = max(width[unit.layer], unit.width)
        for number, type_, _, on_right in self.labelled:
            needed = pixels(str(self.words[type_]), LABEL_UNIT) + 14
            room = rooms[self.units[number].layer]
            room[on_right] = max(room[on_right], needed)
        left, at = [], MARGIN
        for column in range(count):
            if column:
                at += rooms[column - 1][1] + CURVE + rooms[column][0]
            left.append(at)
            at += width[column]
        return left, width, [(room[0], room[1]) for room in rooms]

    def _unit_left(self, unit: Unit) -> int:
        """Give the left border: units stand in the middle of their column."""
        return self.left_of[unit.layer] + (self.width_of[unit.layer] - unit.width) // 2

    # Shapes

    def _nodes(self) -> list[Node]:
        nodes: list[Node] = []
        first: dict[int, int] = {}
        for column in self.columns.order:
            for number in column:
                if number < len(self.units):
                    first[number] = len(nodes)
                    nodes += self._nodes_of(number, len(nodes))
        for number, unit in enumerate(self.units):
            before = self._ends(first, unit.links_before, lambda bond: bond.left)
            after = self._ends(first, unit.links_after, lambda bond: bond.right)
            for node in nodes[first[number] : first[number] + len(unit.things)]:
                node.before, node.after = before, after
        return nodes

    def _ends(
        self,
        first: dict[int, int],
        links: dict[tuple[str, bool], list[int]],
        end: Callable[[Bond], int],
    ) -> list[int]:
        ends = {end(self.bonds[index]) for indexes in links.values() for index in indexes}
        return [first[number] for number in sorted(ends, key=lambda n: (self.middle[n], n))]

    def _nodes_of(self, number: int, begin: int) -> list[Node]:
        unit, sizes = self.units[number], self.sizes
        x, y = self._unit_left(unit), self.middle[number] - unit.height // 2
        if len(unit.things) == 1:
            thing = unit.things[0]
            return [
                Node(
                    thing=thing, number=begin, x=x, y=y, width=unit.width, height=unit.height,
                    title=shorten(thing.title, sizes.title_units), column=unit.layer,
                )
            ]  # fmt: skip
        found = []
        for index, thing in enumerate(unit.things):
            across, down = divmod(index, unit.rows)
            found.append(
                Node(
                    thing=thing, number=begin + index, chip=True, column=unit.layer,
                    x=x + groups.PADDING + across * (sizes.chip_width + groups.CHIP_GAP),
                    y=y + groups.HEAD + down * (sizes.chip_height + groups.CHIP_GAP),
                    width=sizes.chip_width, height=sizes.chip_height,
                    title=shorten(thing.title, sizes.chip_units),
                )
            )  # fmt: skip
        return found

    def _frames(self) -> list[Frame]:
        return [
            Frame(
                x=self._unit_left(unit), y=self.middle[number] - unit.height // 2,
                width=unit.width, height=unit.height, kind=unit.things[0].kind,
                count=sum(thing.more or 1 for thing in unit.things),
            )
            for number, unit in enumerate(self.units)
            if len(unit.things) > 1
        ]  # fmt: skip

    def _lines(self) -> list[Line]:
        found: dict[Line, None] = {}
        for bond in self.bonds:
            ends = (bond.right, bond.left) if bond.turned else (bond.left, bond.right)
            dashed = (*ends, bond.type) in self.dashed
            paths = self._above(bond) if bond.above else self._through(bond)
            for index, path in enumerate(paths):
                arrow = ""
                if bond.turned and index == 0:
                    arrow = "start"
                elif not bond.turned and index == len(paths) - 1:
                    arrow = "end"
                found[Line(path, dashed, arrow)] = None
        return [
            line for line in found if not line.dashed or replace(line, dashed=False) not in found
        ]

    def _through(self, bond: Bond) -> list[str]:
        """Give the way over each gap: straight past the words, bent in between."""
        return [self._over(bond, start, end) for start, end in pairwise(bond.route)]

    def _over(self, bond: Bond, start: int, end: int) -> str:
        begin, start_y = self._leaves(bond, start)
        finish, end_y = self._enters(bond, end)
        if start_y == end_y:
            return f"M{begin} {start_y}H{finish}"
        bend, unbent = self._bends(self.columns.layer_of[start])
        middle = (bend + unbent) // 2
        curve = f"C{middle} {start_y} {middle} {end_y} {unbent} {end_y}"
        return f"M{begin} {start_y}H{bend}{curve}H{finish}"

    def _above(self, bond: Bond) -> list[str]:
        """Give the way up from the left end, over all columns, and down to the right end."""
        begin, start_y = self._leaves(bond, bond.left)
        finish, end_y = self._enters(bond, bond.right)
        up = sum(self._bends(self.columns.layer_of[bond.left])) // 2
        down = sum(self._bends(self.columns.layer_of[bond.right] - 1)) // 2
        return [
            f"M{begin} {start_y}H{up}V{MARGIN}",
            f"M{up} {MARGIN}H{down}",
            f"M{down} {MARGIN}V{end_y}H{finish}",
        ]

    def _leaves(self, bond: Bond, vertex: int) -> tuple[int, int]:
        """Give where the line leaves a unit on its right, or where a joint begins."""
        if vertex >= len(self.units):
            return self.left_of[self.columns.layer_of[vertex]], self.middle[vertex]
        unit = self.units[vertex]
        return self._unit_left(unit) + unit.width, self.ports[vertex, bond.type, bond.turned, True]

    def _enters(self, bond: Bond, vertex: int) -> tuple[int, int]:
        if vertex >= len(self.units):
            return self.left_of[self.columns.layer_of[vertex]], self.middle[vertex]
        left = self._unit_left(self.units[vertex])
        return left, self.ports[vertex, bond.type, bond.turned, False]

    def _bends(self, column: int) -> tuple[int, int]:
        """Give between which places the lines in the gap after a column bend."""
        bend = self.left_of[column] + self.width_of[column] + self.rooms[column][1]
        return bend, self.left_of[column + 1] - self.rooms[column + 1][0]

    def _labels(self) -> list[Label]:
        found: defaultdict[int, list[Label]] = defaultdict(list)
        for number, type_, turned, on_right in sorted(self.labelled):
            unit = self.units[number]
            left = self._unit_left(unit)
            y = self.ports[number, type_, turned, on_right] + 4
            x = left + unit.width + 8 if on_right else left - 10
            anchor = "start" if on_right else "end"
            found[unit.layer].append(Label(x, y, self.words[type_], anchor))
        return [label for layer in sorted(found) for label in found[layer]]
