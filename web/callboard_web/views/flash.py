"""The message about what was just done, for pages that did it without being loaded anew."""

from starlette.requests import Request
from starlette.responses import Response

from callboard_web.portal import portal_of
from callboard_web.routing import public


def flash(request: Request) -> Response:
    """Draw the message that waits, if there is one."""
    portal = portal_of(request)
    told = portal.flashes.read(request)
    response = portal.fragment(request, "_flash.html", {"flash": told})
    portal.flashes.forget(response)
    return response


ROUTES = [public("/flash", flash, why="It shows what the browser itself was told.")]
