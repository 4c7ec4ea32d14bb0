"""What the plugin draws, from its table."""

from collections.abc import Mapping

from callboard.contributions import Cell, ColumnContext, EntityContext, Fragment
from callboard.entities import EntityRef
from callboard_oncall.rota import duties


def draw_card(context: EntityContext) -> Fragment | None:
    owner = context.entity.owner
    if owner is None:
        return None
    with context.host.read() as connection:
        duty = duties(connection, [owner]).get(owner)
    return Fragment(template="oncall/card.html", context={"owner": owner, "duty": duty})


def people(context: ColumnContext) -> Mapping[EntityRef, Cell]:
    owners = {entity.ref: entity.owner for entity in context.entities}
    with context.host.read() as connection:
        found = duties(connection, {owner for owner in owners.values() if owner})
    return {ref: Cell(text=found[owner].person) for ref, owner in owners.items() if owner in found}
