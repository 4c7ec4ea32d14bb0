"""The page about the reader, what they say of themselves, and what they opened."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final
from zoneinfo import available_timezones

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.entities import Entity, EntityRef
from callboard.errors import ConflictError, InputError
from callboard.i18n import Translator
from callboard_catalog.query import ListRequest
from callboard_web.formats import address
from callboard_web.forms import Form, read_form
from callboard_web.portal import Portal, portal_of
from callboard_web.preferences import zone_named
from callboard_web.routing import reading
from callboard_web.usage.recorder import PERSON
from callboard_web.usage.views import usage_of

_: Final = Translator("callboard")

PEOPLE: Final = 12
RECENT: Final = 20
ZONES: Final = (
    "UTC", "Asia/Shanghai", "Asia/Hong_Kong", "Asia/Singapore", "Asia/Tokyo", "Asia/Kolkata",
    "Europe/London", "Europe/Berlin", "Europe/Moscow", "America/New_York", "America/Chicago",
    "America/Los_Angeles", "America/Sao_Paulo", "Australia/Sydney",
)  # fmt: skip
"""Offered first; any other is written."""


def me(request: Request) -> Response:
    """Draw the page."""
    portal = portal_of(request)
    return portal.page(request, "me.html", _context(portal, request, Form({})))


def _context(portal: Portal, request: Request, form: Form) -> dict[str, Any]:
    person = portal.person(request)
    catalog = portal.runtime.catalog
    stars = portal.personal.stars(person.key)
    known = catalog.get_many([*stars, *person.mine])
    text = request.query_params.get("who", "").strip()[:100]
    return {
        "form": form,
        "person": person,
        "groups": [known[ref] for ref in person.mine[1:] if ref in known],
        "stars": [(ref, known.get(ref)) for ref in stars],
        "visits": portal.personal.visits(person.key, limit=RECENT),
        "who": text,
        "people": [] if person.me else _people(portal, text),
        "most_people": PEOPLE,
        "zones": ZONES,
        "everyone": catalog.counts().get("user", 0),
        "usage": _usage(portal, person.key),
    }


def _usage(portal: Portal, key: str) -> dict[str, Any]:
    """Give what is kept of a person's looks, and whether looks are counted at all."""
    usage = usage_of(portal)
    return {
        "enabled": usage.settings.enabled and key.startswith(PERSON),
        "keep": usage.settings.keep,
        "kept": usage.of_person(key),
    }


def _people(portal: Portal, text: str) -> Sequence[Entity]:
    """Give the people a name may mean, or the first ones there are."""
    name = text.removeprefix("user:").removeprefix("default/")  # references are pasted too
    asked = ListRequest(kinds=("user",), text=name, sort="title", limit=PEOPLE)
    return portal.runtime.catalog.list(asked).entities


async def introduce(request: Request) -> Response:
    """Keep who someone says they are; without `ref` it is forgotten."""
    portal = portal_of(request)
    form = await read_form(request)
    return await asyncio.to_thread(_introduce, portal, request, form)


def _introduce(portal: Portal, request: Request, form: Form) -> Response:
    if portal.subject(request).signed_in or portal.offers_sign_in(request):
        raise ConflictError(
            _("Who you are is known by signing in here."),
            hint=_("Sign out, and sign in as somebody else."),
        )
    ref = EntityRef.parse(form["ref"], default_kind="user") if form["ref"] else None
    found = portal.runtime.catalog.get(ref) if ref else None
    if ref and (found is None or ref.kind != "user"):
        raise InputError(
            _("There is no person %(name)s in the catalog.", name=ref.name),
            hint=_("Look for yourself on your page; people come from catalog files."),
        )
    before = portal.person(request).me
    response = RedirectResponse(address(form["next"] or "/me"), 303)
    portal.personal.introduce(portal.remembered(request, response), ref)
    if found:
        portal.flash(request, response, _("You are %(name)s here.", name=found.title))
    else:
        undo = {"ref": str(before)} if before else {}
        told = _("The portal no longer knows who you are.")
        portal.flash(request, response, told, undo="/me/who" if undo else "", fields=undo)
    return response


async def visited(request: Request) -> Response:
    """Note a page that was opened, as its script tells; what is not ours is passed over."""
    portal = portal_of(request)
    form = await read_form(request)
    response = Response(status_code=204)
    path = form["path"]
    if path and path == address(path) and form["title"]:
        key = portal.remembered(request, response)
        ref = _ref(form["ref"])
        await asyncio.to_thread(portal.personal.visited, key, path, form["title"], ref)
    return response


def _ref(text: str) -> EntityRef | None:
    try:
        return EntityRef.parse(text) if text else None
    except InputError:
        return None


async def forget_visits(request: Request) -> Response:
    """Forget every page that was opened."""
    portal = portal_of(request)
    response = RedirectResponse("/me", 303)
    key = portal.person(request).key
    await asyncio.to_thread(portal.personal.forget_visits, key)
    portal.flash(request, response, _("The list of pages is empty."))
    return response


async def choose_zone(request: Request) -> Response:
    """Keep a time zone; an empty one follows the browser."""
    portal = portal_of(request)
    form = await read_form(request)
    name = form["zone"]
    if name and (zone_named(name) is None or name not in available_timezones()):
        form.faults["zone"] = _("Write a time zone such as Asia/Shanghai.")
        context = await asyncio.to_thread(_context, portal, request, form)
        return await asyncio.to_thread(portal.page, request, "me.html", context, status=422)
    response = RedirectResponse("/me#preferences", 303)
    portal.keep_zone(request, response, name)
    portal.flash(request, response, _("Saved."))
    return response


ROUTES = [
    reading("/me", me),
    reading("/me/who", introduce, methods=["POST"]),
    reading("/me/visits", visited, methods=["POST"]),
    reading("/me/visits/clear", forget_visits, methods=["POST"]),
    reading("/me/zone", choose_zone, methods=["POST"]),
]
