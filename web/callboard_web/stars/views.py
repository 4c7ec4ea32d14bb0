"""Setting a star and taking it away."""

import asyncio
import json
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.entities import EntityRef
from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard_web.formats import address
from callboard_web.forms import Form, read_form
from callboard_web.portal import portal_of, wants_fragment
from callboard_web.routing import reading

_: Final = Translator("callboard")


async def star(request: Request) -> Response:
    """Set a star where `on` is 1, take it away where it is 0; `ref` names the entity.

    Goes back to `next`, or gives the button anew to htmx. Sent twice it does nothing more.
    """
    form = await read_form(request)
    return await asyncio.to_thread(_star, request, form)


def _star(request: Request, form: Form) -> Response:
    portal = portal_of(request)
    ref, on = EntityRef.parse(form["ref"]), form["on"] == "1"
    found = portal.runtime.catalog.get(ref)
    if on and found is None:
        raise NotFoundError(
            _("There is no entity named %(name)s", name=ref.name),
            hint=_("It may have been removed."),
        )
    response: Response
    if wants_fragment(request):
        told = _("Starred") if on else _("Star taken away")
        context = {
            "ref": ref,
            "title": found.title if found else ref.name,
            "starred": on,
            "next": form["next"],
        }
        headers = {"hx-trigger": json.dumps({"say": portal.text(request, told)})}
        response = portal.fragment(request, "_star.html", context, headers=headers)
    else:
        response = RedirectResponse(address(form["next"] or "/"), 303)
    portal.personal.star(portal.remembered(request, response), ref, on)
    return response


ROUTES = [reading("/me/stars", star, methods=["POST"])]
