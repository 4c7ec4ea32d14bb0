"""Counting what was found by its facets."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from pyroaring import BitMap
from sqlalchemy import Connection, func, select

from callboard_catalog import models
from callboard_catalog.facets import NONE, FacetIndex
from callboard_catalog.search.filters import TAG_KEY
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


def _titles(connection: Connection, refs: Collection[str]) -> dict[str, str]:
    entity = models.entity.c
    statement = select(entity.ref, entity.title).where(entity.ref.in_(list(refs)))
    return {row.ref: row.title for row in connection.execute(statement)}


def commonest(connection: Connection, operator: str, most: int) -> list[Count]:
    """Give the commonest values of an operator in the whole catalog."""
    entity = models.entity.c
    if operator == "tag":
        table, key = models.entity_field.c, models.field_key.c
        named = select(key.id).where(key.name == TAG_KEY).scalar_subquery()
        statement = select(table.value, func.count()).where(table.key_id == named)
        column = table.value
    elif operator == "source":
        source = models.source.c
        column = source.name
        statement = select(source.name, func.count()).where(source.id == entity.source_id)
    else:
        column = entity[operator]
        statement = select(column, func.count()).where(column != "")
    rows = connection.execute(
        statement.group_by(column).order_by(func.count().desc(), column).limit(most)
    ).all()
    labels = _titles(connection, [row[0] for row in rows]) if operator in _REFS else {}
    return [Count(row[0], labels.get(row[0], ""), row[1]) for row in rows]


def commonest_seen(index: FacetIndex, operator: str, most: int) -> list[Count]:
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
