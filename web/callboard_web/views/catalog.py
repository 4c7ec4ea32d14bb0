"""The catalog's list: facets, chips, order, columns of plugins, pages."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import select
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from callboard.entities import Entity, EntityRef
from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard_catalog import models
from callboard_catalog.query import FacetValue, ListResult
from callboard_web.catalog_query import (
    ALL_KINDS,
    DEFAULT_LIMIT,
    FACETS,
    LIMITS,
    CatalogQuery,
)
from callboard_web.portal import Portal, portal_of, wants_fragment

_: Final = Translator("callboard")


@dataclass(frozen=True, slots=True)
class Facet:
    """A group of check boxes."""

    name: str
    title: Text
    values: Sequence[FacetValue]


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on, and the address without it."""

    name: str
    title: Text
    label: str
    url: str
    found: int = 0


def catalog(request: Request) -> Response:
    """Draw the list, or for htmx only what a change of the filters changes."""
    portal = portal_of(request)
    query = CatalogQuery.of(request.query_params.multi_items())
    try:
        result = portal.runtime.catalog.list(query.request())
    except InputError:
        if not query.cursor:
            raise
        query = query.at("")
        result = portal.runtime.catalog.list(query.request())
    context = _context(portal, request, query, result)
    if not wants_fragment(request):
        return portal.page(request, "catalog.html", context)
    return portal.fragment(
        request, "catalog_update.html", context, headers=_headers(portal, request, query, result)
    )


def _headers(
    portal: Portal, request: Request, query: CatalogQuery, result: ListResult
) -> dict[str, str]:
    if "x-live" in request.headers:
        return {}
    typing = request.headers.get("hx-trigger-name") == "q"
    found = _.plural("%(number)s result", "%(number)s results", result.total)
    return {
        "hx-replace-url" if typing else "hx-push-url": query.url(),
        "hx-trigger": json.dumps({"say": portal.text(request, found)}),
    }


def _context(
    portal: Portal, request: Request, query: CatalogQuery, result: ListResult
) -> dict[str, Any]:
    service = portal.runtime.catalog
    with service.snapshot():
        facets = {name: found.values for name, found in service.facets(query.request()).items()}
        counts = service.counts()
        source_count = len(service.sources())
        problems = portal.problems()
    chips = _chips(query, facets)
    return {
        "query": query,
        "result": result,
        "last": result.first + len(result.entities) - 1,
        "counts": counts,
        "source_count": source_count,
        "kind_values": _kind_values(facets["kind"], counts, query),
        "facets": [
            Facet(name, title, facets[name]) for name, title in FACETS.items() if facets.get(name)
        ],
        "chips": chips,
        "removals": _removals(portal, query, chips) if not result.entities else [],
        "columns": portal.slots.columns(query.kind, result.entities, portal.asker(request)),
        "known": _facts(portal, result.entities),
        "limits": LIMITS,
        "default_limit": DEFAULT_LIMIT,
        "all_kinds": ALL_KINDS,
        "problems": problems,
    }


def _kind_values(
    values: Sequence[FacetValue], counts: Mapping[str, int], query: CatalogQuery
) -> list[FacetValue]:
    """Give every kind there is, always in the same order, with what the filters leave of it."""
    found = {item.value: item.count for item in values}
    kinds = {**counts, query.kind: counts.get(query.kind, 0)}
    kinds.pop(ALL_KINDS, None)
    ordered = sorted(kinds, key=lambda kind: (-kinds[kind], kind))
    return [FacetValue(kind, kind, found.get(kind, 0), kind == query.kind) for kind in ordered]


def _chips(query: CatalogQuery, facets: Any) -> list[Chip]:
    chips = [
        Chip(name, FACETS[name], _label(facets, name, value), query.without(name, value).url())
        for name, value in query.filters()
    ]
    if query.text:
        chips.append(Chip("q", _("Text"), query.text, query.without("q", "").url()))
    return chips


def _label(facets: Any, name: str, value: str) -> str:
    return next((item.label for item in facets.get(name, ()) if item.value == value), value)


def _removals(portal: Portal, query: CatalogQuery, chips: Sequence[Chip]) -> list[Chip]:
    """Say of each filter how much would be found without it."""
    removals = []
    values = [*query.filters(), *([("q", query.text)] if query.text else [])]
    for chip, (name, value) in zip(chips, values, strict=True):
        found = portal.runtime.catalog.list(query.without(name, value).request()).total
        removals.append(Chip(chip.name, chip.title, chip.label, chip.url, found))
    return removals


def _facts(portal: Portal, entities: Sequence[Entity]) -> dict[EntityRef, Any]:
    """Give title and time of change of the entities on the page and of their owners."""
    table = models.entity
    owners = {entity.owner for entity in entities if entity.owner}
    refs = {str(ref): ref for ref in (*owners, *(entity.ref for entity in entities))}
    columns = (table.c.ref, table.c.title, table.c.updated_at)
    statement = select(*columns).where(table.c.ref.in_(refs))
    with portal.runtime.database.read() as connection:
        return {refs[row.ref]: row for row in connection.execute(statement)}


ROUTES = [Route("/catalog", catalog)]
