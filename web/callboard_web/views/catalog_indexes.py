"""The tags and the types there are, each with how often it is used."""

from typing import Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from callboard.i18n import Translator
from callboard_catalog.query import ListRequest
from callboard_web.catalog_query import ALL_KINDS
from callboard_web.portal import Crumb, portal_of
from callboard_web.routing import reading

_: Final = Translator("callboard")

PAGE: Final = 300
LONGEST: Final = 100
MOST_PAGES: Final = 10_000
TITLES: Final = {"tag": _("Tags"), "type": _("Types")}


def tags(request: Request) -> Response:
    """List the tags, of all kinds or one."""
    return _index(request, "tag", ALL_KINDS)


def types(request: Request) -> Response:
    """List the types of a kind; each kind has its own."""
    return _index(request, "type", "component")


def _index(request: Request, facet: str, usual: str) -> Response:
    portal = portal_of(request)
    service = portal.runtime.catalog
    given = request.query_params
    kind = given.get("kind", usual).replace("\0", "").lower()[:LONGEST]
    find = given.get("q", "").strip()[:LONGEST]
    by_number = given.get("sort") == "count"
    asked = ListRequest(kinds=() if kind == ALL_KINDS else (kind,))
    with service.snapshot():
        found = list(service.values(asked, facet, find=find))
        counts = service.counts()
    if by_number:
        found.sort(key=lambda item: -item.count)
    last = max(0, len(found) - 1) // PAGE
    page = min(_page(given.get("page", "")), last)
    own = {"kind": kind if kind != usual else "", "q": find, "sort": "count" if by_number else ""}
    context = {
        "facet": facet,
        "title": TITLES[facet],
        "kind": kind,
        "usual": usual,
        "kinds": sorted(counts, key=lambda name: (-counts[name], name)),
        "all_kinds": ALL_KINDS,
        "find": find,
        "by_number": by_number,
        "values": found[page * PAGE : (page + 1) * PAGE],
        "total": len(found),
        "first": page * PAGE + 1,
        "previous": _address(facet, own, page - 1) if page else "",
        "next": _address(facet, own, page + 1) if page < last else "",
        "by_name_url": _address(facet, {**own, "sort": ""}, 0),
        "by_number_url": _address(facet, {**own, "sort": "count"}, 0),
        "crumbs": (Crumb(_("Catalog"), "/catalog"), Crumb(TITLES[facet])),
    }
    return portal.page(request, "catalog/index.html", context)


def _page(text: str) -> int:
    return min(int(text), MOST_PAGES) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def _address(facet: str, parameters: dict[str, str], page: int) -> str:
    given = {**parameters, "page": str(page) if page > 0 else ""}
    query = urlencode({name: value for name, value in given.items() if value})
    return f"/{facet}s?{query}" if query else f"/{facet}s"


ROUTES = [
    reading("/tags", tags),
    reading("/types", types),
]
