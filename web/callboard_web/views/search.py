"""Search: the page, and the results of the command palette as one types."""

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from callboard.i18n import Translator
from callboard_web.portal import Portal, portal_of

_: Final = Translator("callboard")

MOST_CHARACTERS: Final = 200
PAGE_LIMIT: Final = 50
PALETTE_LIMIT: Final = 10


def search(request: Request) -> Response:
    """Draw what was found, narrowed by kind."""
    portal = portal_of(request)
    kind = request.query_params.get("kind", "").lower()[:80]
    context = _find(portal, request, PAGE_LIMIT, (kind,) if kind else ())
    context |= {"kind": kind, "limit": PAGE_LIMIT}
    return portal.page(request, "search.html", context)


def palette(request: Request) -> Response:
    """Draw the results below the command palette's field."""
    portal = portal_of(request)
    context = _find(portal, request, PALETTE_LIMIT, ())
    found = len(context["hits"])
    count = _.plural("%(number)s result", "%(number)s results", found)
    said = {"say": portal.text(request, count)} if context["text"] else {}
    return portal.fragment(
        request, "_palette.html", context, headers={"hx-trigger": json.dumps(said)}
    )


def _find(portal: Portal, request: Request, limit: int, kinds: tuple[str, ...]) -> dict[str, Any]:
    text = request.query_params.get("q", "").strip()[:MOST_CHARACTERS]
    hits = portal.runtime.catalog.search(text, kinds=kinds, limit=limit) if text else []
    contributions = portal.runtime.plugins.contributions
    return {
        "text": text,
        "hits": hits,
        "sources": {item.key: item.value.title for item in contributions.search_sources},
    }


ROUTES = [Route("/search", search), Route("/search/palette", palette)]
