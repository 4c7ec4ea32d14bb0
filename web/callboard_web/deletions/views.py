"""The page that asks before an entity is deleted, and the list of what was, with undo."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.entities import EntityRef
from callboard.i18n import Translator
from callboard.identity import asking
from callboard_web.audit.words import Wording
from callboard_web.deletions.service import (
    DELETE,
    deletions_of,
    may_restore,
    restore,
    seen_deletions,
)
from callboard_web.faults import EntityNotFoundError
from callboard_web.formats import entity_url
from callboard_web.forms import read_form
from callboard_web.portal import Crumb, portal_of
from callboard_web.routing import guarded, reading

_: Final = Translator("callboard")

LIMIT: Final = 50
CLAIMS: Final = 20


def _ref(request: Request) -> EntityRef:
    path = request.path_params
    return EntityRef.of(path["kind"], path["namespace"], path["name"])


def question(request: Request) -> Response:
    """Say where an entity comes from and what its deletion means, and ask for a reason."""
    portal, ref = portal_of(request), _ref(request)
    catalog = portal.runtime.catalog
    found = catalog.get(ref)
    if found is None:
        raise EntityNotFoundError(ref.name, ())
    portal.require(request, DELETE, ref)
    conflicts = catalog.problems(ref, kind="conflict", limit=CLAIMS)
    context = {
        "entity": found,
        "provenance": catalog.provenance(ref),
        "others": sorted({item.source for item in conflicts}),
        "named_by": len(catalog.referrers(ref, limit=100)),
        "keep": deletions_of(portal).keep,
        "crumbs": (
            Crumb(_("Catalog"), "/catalog"),
            Crumb(found.title, entity_url(ref)),
            Crumb(_("Delete")),
        ),
    }
    return portal.page(request, "deletions/delete.html", context)


async def delete(request: Request) -> Response:
    """Delete the entity, and offer to undo it."""
    form = await read_form(request)

    def act() -> Response:
        portal, ref = portal_of(request), _ref(request)
        found = portal.runtime.catalog.get(ref)
        if found is None:
            raise EntityNotFoundError(ref.name, ())
        portal.require(request, DELETE, ref)
        deletions_of(portal).delete_entity(found.uid, reason=form["reason"])
        response = RedirectResponse("/deleted", 303)
        told = _("%(title)s is deleted", title=found.title)
        portal.flash(request, response, told, f"/deleted/{found.uid}/restore")
        return response

    return await asyncio.to_thread(act)


def deleted(request: Request) -> Response:
    """List what was deleted, the newest first."""
    portal = portal_of(request)
    start = request.query_params.get("before", "")
    before = int(start) if start.isdecimal() and len(start) < 19 else 0
    page = seen_deletions(portal, before=before, limit=LIMIT)
    people = {ref for item in page.items if (ref := _person(item.actor)) is not None}
    wording = Wording({}, portal.runtime.catalog.titles(people))
    context = {
        "page": page,
        "paged": bool(before),
        "keep": deletions_of(portal).keep,
        "actors": {item.uid: wording.actor(item.actor) for item in page.items},
        "may_restore": {
            item.uid for item in page.items if asking() is None or may_restore(portal, item.ref)
        },
    }
    return portal.page(request, "deletions/list.html", context)


def _person(actor: str) -> EntityRef | None:
    name = actor.partition(":")[2]
    return EntityRef.parse(name) if name.startswith("user:") and "/" in name else None


def undo(request: Request) -> Response:
    """Undo a deletion, and go to the entity."""
    portal = portal_of(request)
    restored = restore(portal, request.path_params["uid"])
    if restored.served:
        response = RedirectResponse(entity_url(restored.ref), 303)
        portal.flash(request, response, _("%(ref)s is back", ref=str(restored.ref)))
        return response
    response = RedirectResponse("/deleted", 303)
    told = _("No source gives %(ref)s now: it comes when one does", ref=str(restored.ref))
    portal.flash(request, response, told)
    return response


_BASE: Final = "/catalog/{namespace}/{kind}/{name}/delete"
ROUTES = [
    guarded(_BASE, question, DELETE, about="entity"),
    guarded(_BASE, delete, DELETE, about="entity", methods=["POST"]),
    reading("/deleted", deleted),
    guarded("/deleted/{uid}/restore", undo, DELETE, about="entity", methods=["POST"]),
]
