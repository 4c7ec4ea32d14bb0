"""What a person owns, with what plugins know of it, in one batch for the whole table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from callboard.entities import Entity, EntityRef
from callboard_catalog.query import ListRequest, ListResult
from callboard_catalog.service import CatalogService
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
    kinds: Mapping[str, int]
    problems: Mapping[EntityRef, int]

    def context_of(self, entity: Entity) -> str:
        """Give the system an entity is part of, by its title, or its type."""
        for ref in entity.related("partOf"):
            return self.result.titles.get(ref, ref.name)
        return entity.type


def read_services(catalog: CatalogService, mine: Sequence[EntityRef]) -> Services:
    """Read what these own; ask within one snapshot of the catalog."""
    owners = tuple(map(str, mine))
    index = catalog.facet_index()
    owned = index.owned_by(owners)
    kinds = {
        kind: count
        for kind, rows in index.values["kind"].items()
        if kind not in NOT_OWNED and (count := rows.intersection_cardinality(owned))
    }
    listed = ("component",) if "component" in kinds else tuple(kinds)
    result = catalog.list(ListRequest(kinds=listed, owned_by=owners, limit=ROWS))
    tally = catalog.problem_tally().owners
    problems = {
        entity.ref: tally.get(str(entity.owner), {}).get(str(entity.ref), 0)
        for entity in result.entities
    }
    return Services(result, kinds, problems)


def columns_of(portal: Portal, services: Services, asker: Asker) -> Sequence[Column]:
    """Ask plugins what they know of the rows, each once for all of them."""
    entities = services.result.entities
    there = {entity.ref.kind for entity in entities}
    contributed = portal.slots.permitted(portal.runtime.plugins.contributions.catalog_columns)
    keys = [item.key for item in contributed if item.value.kinds & there][:COLUMNS]
    return portal.slots.columns(keys, entities, asker) if keys else []
