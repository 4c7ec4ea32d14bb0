from callboard import hookimpl
from callboard.contributions import EntityCard, EntityContext, Fragment

CALLBOARD_CONTRACT = 1


def draw_card(context: EntityContext) -> Fragment:
    return Fragment(
        source='<p class="panel-b">{{ owner or "Nobody" }} is on call.</p>',
        context={"owner": context.entity.owner},
    )


@hookimpl
def callboard_entity_cards() -> list[EntityCard]:
    return [EntityCard(name="oncall", title="On call", render=draw_card)]
