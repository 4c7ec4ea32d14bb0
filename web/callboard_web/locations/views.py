"""The list of registered locations, registering one after a look at it, removing one."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.entities import EntityRef
from callboard.errors import CallboardError, ConflictError
from callboard.i18n import Translator
from callboard_catalog.locations.model import TYPE
from callboard_catalog.locations.preview import Preview, preview
from callboard_web.forms import Form, read_form
from callboard_web.locations.parts import CREATE, DELETE, READ
from callboard_web.locations.service import listed
from callboard_web.portal import Crumb, Portal, portal_of
from callboard_web.routing import guarded

_: Final = Translator("callboard")

LIMIT: Final = 50
MOST_OFFSET: Final = 100_000
MOST_SHOWN: Final = 100
"""Entities and faults of a preview that are shown."""

STATE_STATUS: Final = {"ok": "ok", "failing": "bad", "rejected": "bad", "new": "todo"}
STATE_WORDS: Final = {
    "ok": _.context("location", "Read"),
    "failing": _.context("location", "Cannot be read"),
    "rejected": _.context("location", "Has faults"),
    "new": _.context("location", "Not read yet"),
}


def locations(request: Request) -> Response:
    """List what is registered, the newest first."""
    portal = portal_of(request)
    start = request.query_params.get("from", "0")
    offset = min(int(start), MOST_OFFSET) if start.isdecimal() and len(start) < 8 else 0
    found = listed(portal.runtime.catalog, offset=offset, limit=LIMIT + 1)
    context = {
        "items": found[:LIMIT],
        "refs": {item.location.id: EntityRef.parse(item.location.ref) for item in found},
        "offset": offset,
        "limit": LIMIT,
        "more": len(found) > LIMIT,
        "may_create": portal.allows(request, CREATE),
        "may_remove": portal.allows(request, DELETE),
        "state_status": STATE_STATUS,
        "state_words": STATE_WORDS,
        "crumbs": (Crumb(_("Sources"), "/sources"), Crumb(_("Registered locations"))),
    }
    return portal.page(request, "locations/list.html", context)


def register(request: Request) -> Response:
    """Show the form; an address in the query is filled in."""
    url = request.query_params.get("url", "")[:2_000]
    return _form(portal_of(request), request, Form.of({"url": url}))


async def send(request: Request) -> Response:
    """Look at an address, or register it with `register`."""
    form = await read_form(request)
    return await asyncio.to_thread(_send, request, form)


def _send(request: Request, form: Form) -> Response:
    portal = portal_of(request)
    registered = portal.runtime.locations
    try:
        kind, target = registered.check(TYPE, form["url"])
        if "register" in form:
            registered.add(kind, target)
            response = RedirectResponse("/locations", 303)
            portal.flash(request, response, _("The location is registered and is read soon."))
            return response
        known = registered.find(kind, target)
        found = preview(portal.runtime.engine, kind, target)
    except ConflictError as error:
        form.faults["url"] = error.message
    except CallboardError as error:
        form.faults["url"] = _("%(said)s %(hint)s", said=error.message, hint=error.hint)
    if form.faults:
        return _form(portal, request, form, status=422)
    return _form(portal, request, form, found=found, is_known=known is not None)


def _form(
    portal: Portal,
    request: Request,
    form: Form,
    *,
    found: Preview | None = None,
    is_known: bool = False,
    status: int = 200,
) -> Response:
    context = {
        "form": form,
        "found": found,
        "refs": [EntityRef.parse(item.ref) for item in found.entities] if found else [],
        "is_known": is_known,
        "most": MOST_SHOWN,
        "crumbs": (
            Crumb(_("Registered locations"), "/locations"),
            Crumb(_("Register a location")),
        ),
    }
    return portal.page(request, "locations/register.html", context, status=status)


async def remove(request: Request) -> Response:
    """Remove a location, after a question."""
    form = await read_form(request)
    return await asyncio.to_thread(_remove, request, form)


def _remove(request: Request, form: Form) -> Response:
    portal = portal_of(request)
    number = request.path_params["id"]
    found = portal.runtime.locations.get(number)
    if not form.confirmed:
        return portal.confirm(
            request, form,
            title=_("Remove this location?"),
            text=_("%(target)s is read no more, and its entities leave the catalog.",
                   target=found.target),
            verb=_("Remove the location"), back="/locations",
        )  # fmt: skip
    portal.runtime.locations.remove(number)
    response = RedirectResponse("/locations", 303)
    portal.flash(request, response, _("The location is removed."))
    return response


ROUTES = [
    guarded("/locations", locations, READ),
    guarded("/register", register, CREATE),
    guarded("/register", send, CREATE, methods=["POST"]),
    guarded("/locations/{id}/remove", remove, DELETE, methods=["POST"]),
]
