"""Counting what was found by its facets."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from pyroaring import BitMap

from callboard_catalog.facets import NONE, FacetIndex
from callboard_catalog.search.ranking import Found

MOST_VALUES: Final = 8


@dataclass(frozen=True, slots=True)
class Count:
    """A value of a facet and how many have it. `label` is what an entity is called."""

    value: str
    label: str
    number: int
    selected: bool = False


def count(
    index: FacetIndex, facet: str, items: Sequence[Found], selected: Collection[str]
) -> list[Count]:
    """Count the values of a facet, the commonest first; those selected are always among them."""
    counted = _tags(index, items) if facet == "tag" else _column(facet, items)
    common = sorted(counted, key=lambda value: (-counted[value], value))[:MOST_VALUES]
    values = dict.fromkeys([*common, *sorted(selected)])
    return [
        Count(value, index.label(facet, value), counted[value], value in selected)
        for value in values
    ]


def _column(facet: str, items: Sequence[Found]) -> Counter[str]:
    return Counter(value for item in items if (value := getattr(item, facet)))


def _tags(index: FacetIndex, items: Sequence[Found]) -> Counter[str]:
    # Several documents may be about one entity, whose tags count for each.
    times = Counter(item.entity_id for item in items if item.entity_id is not None)
    once = BitMap(times)
    often = BitMap(number for number, count in times.items() if count > 1)
    found: Counter[str] = Counter()
    for tag, rows in index.values["tag"].items():
        if number := rows.intersection_cardinality(once):
            found[tag] = number + sum(times[row] - 1 for row in rows & often)
    found.pop("", None)
    return found


def commonest(index: FacetIndex, operator: str, most: int) -> list[Count]:
    """Give the commonest values of an operator among what an index has."""
    counted = {value: len(rows) for value, rows in index.values[operator].items() if value}
    common = sorted(counted, key=lambda value: (-counted[value], value))[:most]
    known = index.named if operator in _REFS else {}
    return [
        Count(value, index.titles[value] if known.get(value, NONE) in index.everything else "",
              counted[value])
        for value in common
    ]  # fmt: skip


_REFS: Final = frozenset({"owner", "system", "domain"})
