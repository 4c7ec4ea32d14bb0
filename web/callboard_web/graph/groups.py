"""Puts things that are alike into one unit: fewer lines say the same."""

from collections import defaultdict
from collections.abc import Sequence

from callboard_web.graph.model import Link, Sizes, Thing, Unit

HEAD = 30
"""Pixels of a group's head, with its number and kind."""

PADDING = 10
CHIP_GAP = 6
_MOST_ROWS = ((8, 1), (24, 2), (75, 3))


def units_of(
    things: Sequence[Thing], links: Sequence[Link], sizes: Sizes
) -> tuple[list[Unit], dict[str, int]]:
    """Give the units in the order of the things, and the unit of each thing by its key.

    Things are alike that are of one kind and have the same relations to the same others: then no
    two of a group are related to each other, and one line stands for those of all of them.
    """
    around: defaultdict[str, set[tuple[str, str, bool]]] = defaultdict(set)
    for link in links:
        around[link.source].add((link.target, link.type, True))
        around[link.target].add((link.source, link.type, False))
    alike: defaultdict[object, list[Thing]] = defaultdict(list)
    for thing in things:
        alone = thing.centre
        key = thing.key if alone else (thing.kind, frozenset(around[thing.key]))
        alike[key].append(thing)
    units: list[Unit] = []
    place: dict[str, int] = {}
    for members in alike.values():
        together = 0 < sizes.group_from <= len(members)
        parts = [members] if together else [[member] for member in members]
        for part in parts:
            for member in part:
                place[member.key] = len(units)
            units.append(_unit(part, sizes))
    return units, place


def _unit(things: list[Thing], sizes: Sizes) -> Unit:
    if len(things) == 1:
        return Unit(things, sizes.width, sizes.height)
    things.sort(key=lambda thing: thing.more > 0)  # what is left out stands last
    columns = next((columns for most, columns in _MOST_ROWS if len(things) <= most), 4)
    rows = -(-len(things) // columns)
    width = 2 * PADDING + columns * sizes.chip_width + (columns - 1) * CHIP_GAP
    height = HEAD + rows * sizes.chip_height + (rows - 1) * CHIP_GAP + PADDING
    return Unit(things, width, height, rows)
