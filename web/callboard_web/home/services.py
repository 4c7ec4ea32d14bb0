"""What a person owns, with what plugins know of it, in one batch for the whole table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from callboard.entities import Entity, EntityRef
from callboard_catalog.query import ListRequest, ListResult
from callboard_web.portal import Portal
from callboard_web.slots import Asker, Column

ROWS: Final = 10
COLUMNS: Final = 6
"""Columns of plugins the table has room for, the first by their order."""

NOT_OWNED: Final = frozenset({"group", "user", "location"})


@dataclass(frozen=True, slots=True)
class Services:
    """The first things someone owns: their components, or whatever it is where they have none.

    `kinds` counts all that is owned, by kind; `problems` counts those of the rows.
    """

    result: ListResult
    columns: Sequence[Column]
    kinds: Mapping[str, int]
    problems: Mapping[EntityRef, int]

    def context_of(self, entity: Entity) -> str:
        """Give the system an entity is part of, by its title, or its type."""
        for ref in entity.related("partOf"):
            return self.result.titles.get(ref, ref.name)
        return entity.type


def services_of(portal: Portal, asker: Asker) -> Services:
    """Read what the reader and their groups own."""
    catalog, mine = portal.runtime.catalog, tuple(map(str, asker.mine))
    with catalog.snapshot():
        index = catalog.facet_index()
        owned = index.owned_by(mine)
        kinds = {
            kind: count
            for kind, rows in index.values["kind"].items()
            if kind not in NOT_OWNED and (count := rows.intersection_cardinality(owned))
        }
        listed = ("component",) if "component" in kinds else tuple(kinds)
        result = catalog.list(ListRequest(kinds=listed, owned_by=mine, limit=ROWS))
        tally = catalog.problem_tally().owners
    problems = {
        entity.ref: tally.get(str(entity.owner), {}).get(str(entity.ref), 0)
        for entity in result.entities
    }
    there = {entity.ref.kind for entity in result.entities}
    contributed = portal.runtime.plugins.contributions.catalog_columns
    keys = [item.key for item in contributed if item.value.kinds & there][:COLUMNS]
    columns = portal.slots.columns(keys, result.entities, asker) if keys else []
    return Services(result, columns, kinds, problems)
