"""The catalog's list: views, facets, chips, order, columns, pages."""

import asyncio
import json
from dataclasses import replace
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.errors import InputError
from callboard.i18n import Translator
from callboard_catalog.lists import MOST_VALUES
from callboard_catalog.query import ListResult
from callboard_web import catalog_columns as columns
from callboard_web import catalog_parts as parts
from callboard_web.catalog_parts import Asked
from callboard_web.catalog_query import (
    ALL_KINDS,
    COLUMN_SORTS,
    COLUMNS,
    DENSITIES,
    LIMITS,
    NONE_WORDS,
    CatalogQuery,
    columns_of,
)
from callboard_web.forms import Form, read_form
from callboard_web.portal import Portal, portal_of, wants_fragment
from callboard_web.routing import reading
from callboard_web.saved_views.views import asking, views_of
from callboard_web.views.preferences import YEAR
from callboard_web.words import Words

_: Final = Translator("callboard")


def asked_of(request: Request, query: CatalogQuery) -> Asked:
    """Give a query with what is the reader's own, as far as it is asked for."""
    portal = portal_of(request)
    person = portal.person(request)
    return Asked(query, person.mine, portal.personal.stars(person.key))


def catalog(request: Request) -> Response:
    """Draw the list, or for htmx only what a change of the filters changes."""
    portal = portal_of(request)
    asked = asked_of(request, CatalogQuery.of(request.query_params.multi_items()))
    try:
        result = portal.runtime.catalog.list(asked.request())
    except InputError:
        if not asked.query.cursor:
            raise
        asked = replace(asked, query=asked.query.at(""))
        result = portal.runtime.catalog.list(asked.request())
    context = _context(portal, request, asked, result)
    if not wants_fragment(request):
        return portal.page(request, "catalog.html", context)
    if request.headers.get("hx-target", "").startswith("values-"):
        return portal.fragment(request, "catalog/values.html", context)
    headers = _headers(portal, request, asked.query, result)
    return portal.fragment(request, "catalog_update.html", context, headers=headers)


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


def _context(portal: Portal, request: Request, asked: Asked, result: ListResult) -> dict[str, Any]:
    service, query = portal.runtime.catalog, asked.query
    words = Words(portal.runtime.kinds)
    views = views_of(portal).all(asking(request))
    current = parts.current_view(query, views)
    with service.snapshot():
        facets = service.facets(asked.request(), more=query.more, find=query.find)
        counts = service.counts()
        source_count = len(service.sources())
        problems = portal.problems()
        tabs = parts.tabs(service, asked, views, current)
        chips = parts.chips(query, facets, words)
        removals = parts.removals(service, asked, chips) if not result.entities else []
    heads = columns.offered(portal, query, _remembered(request))
    shown = [head for head in heads if head.shown]
    return {
        "query": query,
        "result": result,
        "last": result.first + len(result.entities) - 1,
        "counts": counts,
        "source_count": source_count,
        "problems": problems,
        "tabs": tabs,
        "all_views": len(views) > parts.MOST_TABS,
        "current": current,
        "modified": current is not None and current.query != query.saved(),
        "kinds": parts.kinds(facets["kind"], counts, query, words),
        "groups": parts.groups(facets, query),
        "most_values": MOST_VALUES,
        "chips": chips,
        "removals": removals,
        "known": bool(portal.person(request).me),
        "heads": heads,
        "shown": shown,
        "table": columns.table(portal, shown, result, portal.asker(request)),
        "density": query.density or _density(request),
        "densities": DENSITIES,
        "limits": LIMITS,
        "sorts": {"name": _("Name"), **{COLUMN_SORTS[name]: title for name, title in COLUMNS.items()
                                        if name in COLUMN_SORTS}},
        "none_words": NONE_WORDS,
        "all_kinds": ALL_KINDS,
    }  # fmt: skip


def _remembered(request: Request) -> tuple[str, ...]:
    return columns_of([request.cookies.get(columns.COOKIE, "")])


def _density(request: Request) -> str:
    kept = request.cookies.get(columns.DENSITY_COOKIE, "")
    return kept if kept in DENSITIES else ""


async def display(request: Request) -> Response:
    """Keep which columns and how dense rows are wanted, and show the list so."""
    form = await read_form(request)
    return await asyncio.to_thread(_display, request, form)


def _display(request: Request, form: Form) -> Response:
    query = CatalogQuery.read(form["query"]).at("")
    chosen = () if "usual" in form else columns_of(form.all("columns")) or ("name",)
    density = form["density"] if form["density"] in DENSITIES else ""
    if "columns_shown" in form:
        query = replace(query, columns=chosen)
    response = RedirectResponse(replace(query, density="").url(), 303)
    secure = portal_of(request).is_secure(request)
    kept = {columns.DENSITY_COOKIE: density}
    if "columns_shown" in form:
        kept[columns.COOKIE] = ",".join(chosen)
    for name, value in kept.items():
        response.set_cookie(name, value, max_age=YEAR if value else 0, httponly=True,
                            samesite="lax", secure=secure)  # fmt: skip
    return response


ROUTES = [
    reading("/catalog", catalog),
    reading("/catalog/display", display, methods=["POST"]),
]
