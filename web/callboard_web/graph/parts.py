"""The tab of an entity with the picture of its relations."""

from typing import Final

from callboard.contributions import EntityCard, EntityContext, EntityTab, Fragment
from callboard.i18n import Text, Translator
from callboard_catalog.service import CatalogService
from callboard_web.graph.direction import REVERSED
from callboard_web.graph.neighbourhood import MOST, neighbourhood
from callboard_web.graph.page import picture_of, table_of
from callboard_web.graph.query import ALL, DEPTHS, Direction, GraphQuery
from callboard_web.graph.star import lay_out
from callboard_web.parts import Part
from callboard_web.words import RELATIONS, relation_words

_: Final = Translator("callboard")

DIRECTIONS: Final[tuple[tuple[Direction, Text], ...]] = (
    ("both", _.context("graph", "Both ways")),
    ("out", _.context("graph", "What it needs or holds")),
    ("in", _.context("graph", "What needs or holds it")),
)
RELATED_LIMIT: Final = 500
CHOICES: Final = tuple(name for name in RELATIONS if name not in REVERSED)


def _catalog(context: EntityContext) -> CatalogService:
    catalog = context.host.catalog
    if not isinstance(catalog, CatalogService):
        raise TypeError("The portal's own parts need the catalog service.")
    return catalog


def _card(context: EntityContext) -> Fragment | None:
    entity = context.entity
    related = _catalog(context).related(entity.ref, limit=RELATED_LIMIT)
    if not related:
        return None
    graph = lay_out(entity.ref, entity.title, related)
    return Fragment(template="portal/graph_card.html", context={"graph": graph, "ref": entity.ref})


def _tab(context: EntityContext) -> Fragment:
    catalog, ref = _catalog(context), context.entity.ref
    query = GraphQuery.of(context.query)
    area = catalog.cached(
        ("graph", ref, query),
        lambda connection: neighbourhood(connection, ref, query, sight=catalog.sight()),
    )
    kinds = {found.ref.kind for found in area.found} | catalog.counts().keys() | {*query.kinds}
    relations = [*CHOICES, *sorted({tie.type for tie in area.ties} - {*CHOICES})]
    base = ref.path("relations")
    return Fragment(
        template="portal/relations.html",
        context={
            "entity": context.entity,
            "area": area,
            "query": query,
            "url": lambda changed: changed.url(base),
            "base": base,
            "picture": picture_of(area) if len(area.found) > 1 or area.left_out else None,
            "table": table_of(area),
            "depths": (*DEPTHS, ALL),
            "all_depth": ALL,
            "most": MOST,
            "directions": DIRECTIONS,
            "relations": [(name, relation_words(name)) for name in relations],
            "kinds": sorted(kinds - {"location"}),
            "relation_words": relation_words,
        },
    )


PART: Final = Part(
    entity_cards=(
        EntityCard(name="relations", title=_("Relations"), render=_card, width=8, order=10),
    ),
    entity_tabs=(EntityTab(name="relations", title=_("Relations"), render=_tab, order=80),),
)
