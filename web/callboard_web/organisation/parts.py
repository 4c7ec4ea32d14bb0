"""What teams, people, systems and domains show on the pages of their entities."""

from typing import Final

from callboard.contributions import Act, EntityCard, EntityContext, EntityTab, Fragment, NavItem
from callboard.entities import EntityRef
from callboard.i18n import Translator
from callboard_catalog.reading import stored_form
from callboard_catalog.service import CatalogService
from callboard_web.organisation import maps
from callboard_web.organisation.service import Ownership
from callboard_web.parts import Part
from callboard_web.words import relation_words

_: Final = Translator("callboard")

MOST_CROSSINGS: Final = 100


def _catalog(context: EntityContext) -> CatalogService:
    catalog = context.host.catalog
    if not isinstance(catalog, CatalogService):
        raise TypeError("The portal's own parts need the catalog service.")
    return catalog


def _health(context: EntityContext) -> Fragment | None:
    ownership = Ownership(_catalog(context))
    ref = stored_form(context.entity.ref)
    all_owners = ownership.owners(ref, with_others=True)
    asked = context.query.get("owned")
    nothing = asked != "own" and not ownership.owned([ref])  # what their teams own says more
    switched = (asked == "all" or nothing) and len(all_owners) > 1
    owners = all_owners if switched else [ref]
    if not ownership.owned(all_owners):
        return None
    return Fragment(
        template="portal/organisation/health_card.html",
        context={
            "rows": ownership.health(owners),
            "problems": ownership.problems(owners),
            "switched": switched,
            "switchable": len(all_owners) > 1,
            "is_person": context.entity.ref.kind == "user",
            "ref": context.entity.ref,
            "owner": ref if len(owners) == 1 else "",
        },
    )


def _inside(context: EntityContext) -> Fragment | None:
    catalog, ref = _catalog(context), stored_form(context.entity.ref)
    if context.entity.ref.kind == "domain":
        systems = maps.areas(catalog).inside(ref)
        if not systems:
            return None
        return Fragment(
            template="portal/organisation/domain_inside.html",
            context={
                "entity": context.entity,
                "map": maps.map_of_systems(catalog, systems),
                "relation_words": relation_words,
            },
        )
    drawn, crossing = maps.map_of_parts(catalog, ref)
    if not drawn.inside:
        return None
    known = maps.areas(catalog).systems
    return Fragment(
        template="portal/organisation/system_inside.html",
        context={
            "entity": context.entity,
            "map": drawn,
            "ref": ref,
            "outward": [item for item in crossing if item.left_system == ref][:MOST_CROSSINGS],
            "inward": [item for item in crossing if item.right_system == ref][:MOST_CROSSINGS],
            "most": MOST_CROSSINGS,
            "url_of": lambda text: EntityRef.parse(text).path(),
            "systems": known,
            "relation_words": relation_words,
        },
    )


PART: Final = Part(
    navigation=(
        NavItem(name="systems", title=_("Systems"), path="/systems", icon="env", order=25),
        NavItem(name="teams", title=_("Teams"), path="/teams", icon="users", order=26),
    ),
    entity_cards=(
        EntityCard(
            name="health", title=_("Ownership"), render=_health, width=8, order=12,
            applies=lambda entity: entity.ref.kind in ("group", "user"),
        ),
    ),
    entity_tabs=(
        EntityTab(
            name="inside", title=_("Inside"), render=_inside, order=70,
            applies=lambda entity: entity.ref.kind in ("system", "domain"),
        ),
    ),
    acts=(
        Act(
            name="people", title=_("Find a person"), path="/people", icon="user",
            words=_("people members users colleagues"), order=75,
        ),
        Act(
            name="ownership", title=_("See what has no owner"), path="/ownership", icon="users",
            words=_("ownership gaps orphan unknown left"), order=60,
        ),
        Act(
            name="map", title=_("See which systems need which"), path="/systems?view=map",
            icon="env", words=_("map of systems domains dependencies"), order=61,
        ),
    ),
)  # fmt: skip
