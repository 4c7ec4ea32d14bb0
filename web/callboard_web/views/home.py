"""The first page: what needs attention, what changed, and the plugins' cards."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard_web.portal import portal_of

_ = Translator("callboard")

RECENT = 8


def home(request: Request) -> Response:
    """Draw the home page."""
    portal = portal_of(request)
    catalog = portal.runtime.catalog
    counts = catalog.counts()
    sources = catalog.sources()
    context = {
        "now": portal.runtime.now(),
        "counts": sorted(counts.items(), key=lambda item: (-item[1], item[0])),
        "entities": sum(counts.values()),
        "sources": sources,
        "failing": [source for source in sources if source.state == "failing"],
        "problem_counts": catalog.problem_counts(),
        "recent": catalog.recent(RECENT),
        "cards": portal.slots.home_cards(portal.asker(request)),
    }
    return portal.page(request, "home.html", context)


def card(request: Request) -> Response:
    """Draw one card again."""
    portal = portal_of(request)
    drawn = portal.slots.home_cards(portal.asker(request), only=request.path_params["key"])
    if not drawn:
        raise NotFoundError(_("There is no such card."))
    context = {"card": drawn[0], "retry": request.url.path, "again": "/"}
    return portal.fragment(request, "_card.html", context)


ROUTES = [Route("/", home), Route("/cards/{key}", card)]
