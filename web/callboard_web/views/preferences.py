"""Language, theme, density and shortcuts, kept in cookies; and the navigation as a page."""

from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard_web.formats import address
from callboard_web.portal import portal_of
from callboard_web.preferences import CHOICES, COOKIES
from callboard_web.routing import public

YEAR = 365 * 24 * 3600


def navigation(request: Request) -> Response:
    """Draw the sidebar and the preferences as a page, for phones without script."""
    return portal_of(request).page(request, "navigation.html", {})


async def choose(request: Request) -> Response:
    """Keep what was chosen and go back to where it was chosen."""
    portal = portal_of(request)
    form = parse_qs((await request.body()).decode("utf-8", "replace"))
    response = RedirectResponse(address(form.get("next", ["/"])[0]), 303)
    allowed = {**CHOICES, "language": portal.runtime.portal.languages}
    for name, values in allowed.items():
        value = form.get(name, [""])[0]
        if value in values:
            response.set_cookie(
                COOKIES[name], value, max_age=YEAR, httponly=True, samesite="lax",
                secure=portal.is_secure(request),
            )  # fmt: skip
    return response


ROUTES = [
    public("/navigation", navigation, why="Language and look are chosen before signing in."),
    public(
        "/preferences",
        choose,
        why="Language and look are chosen before signing in.",
        methods=["POST"],
    ),
]
