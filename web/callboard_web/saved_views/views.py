"""Saving a list under a name, changing and deleting it."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.errors import InputError
from callboard.i18n import Translator
from callboard_web import catalog_parts as parts
from callboard_web.catalog_query import CatalogQuery
from callboard_web.forms import Form, read_form
from callboard_web.portal import Crumb, Portal, number_of, portal_of
from callboard_web.routing import reading
from callboard_web.saved_views.service import LONGEST_NAME, MANAGE, SHARE, Asking, SavedViews
from callboard_web.words import Words

_: Final = Translator("callboard")

CRUMB: Final = Crumb(_("Catalog"), "/catalog")
LIST_CRUMB: Final = Crumb(_("Views"), "/views")


def views_of(portal: Portal) -> SavedViews:
    """Give the saved views of the portal."""
    return SavedViews(portal.runtime.database, portal.runtime.now)


def asking(request: Request, key: str | None = None) -> Asking:
    """Say who asks; `key` is that of one who was just welcomed."""
    portal = portal_of(request)
    return Asking(
        portal.person(request).key if key is None else key,
        portal.allows(request, MANAGE),
    )


def index(request: Request) -> Response:
    """List all views that one can open."""
    portal = portal_of(request)
    found = views_of(portal).all(asking(request))
    context = {
        "shared": [item for item in found if item.shared],
        "own": [item for item in found if not item.shared],
        "crumbs": (CRUMB, Crumb(_("Views"))),
    }
    return portal.page(request, "saved_views/list.html", context)


def new(request: Request) -> Response:
    """Ask for the name of a new view."""
    query = CatalogQuery.read(request.url.query)
    return _form(request, Form.of({"name": ""}), query=query)


def edit(request: Request) -> Response:
    """Show a view's name and whom it is for, to be changed."""
    portal = portal_of(request)
    found = views_of(portal).get(number_of(request), asking(request))
    sent = {"name": found.name, "shared": "yes" if found.shared else "no"}
    return _form(request, Form.of(sent), view=found, query=CatalogQuery.read(found.query))


def open_view(request: Request) -> Response:
    """Go to the list of a view."""
    found = views_of(portal_of(request)).get(number_of(request), asking(request))
    return _to(CatalogQuery.read(found.query).viewed(found.id))


def _create(request: Request, form: Form) -> Response:
    portal = portal_of(request)
    if form["shared"] == "yes":
        portal.require(request, SHARE)
    query = CatalogQuery.read(form["query"])
    response = RedirectResponse("/catalog", 303)
    key = portal.remembered(request, response)
    try:
        number = views_of(portal).save(
            form["name"], query.saved(), form["shared"] == "yes", asking(request, key)
        )
    except InputError as error:
        form.faults["name"] = error.message
        return _form(request, form, query=query, status=422)
    response.headers["location"] = query.at("").expanded("").viewed(number).url()
    portal.flash(request, response, _("The view %(name)s is saved", name=form["name"]))
    return response


def _change(request: Request, form: Form) -> Response:
    portal, number = portal_of(request), number_of(request)
    views, who = views_of(portal), asking(request)
    found = views.get(number, who)
    if form["shared"] == "yes" and not found.shared:
        portal.require(request, SHARE)
    try:
        views.change(number, who, name=form["name"], shared=form["shared"] == "yes")
    except InputError as error:
        form.faults["name"] = error.message
        query = CatalogQuery.read(found.query)
        return _form(request, form, view=found, query=query, status=422)
    response = _to(CatalogQuery.read(found.query).viewed(number))
    portal.flash(request, response, _("The view %(name)s is saved", name=form["name"]))
    return response


def _update(request: Request, form: Form) -> Response:
    """Let a view be the list that one sees now."""
    portal, number = portal_of(request), number_of(request)
    query = CatalogQuery.read(form["query"])
    views, who = views_of(portal), asking(request)
    before = views.get(number, who)
    views.change(number, who, query=query.saved())
    response = _to(query.at("").expanded("").viewed(number))
    told = _("The view %(name)s is saved", name=before.name)
    fields = {"query": before.query}
    undo = f"/views/{number}/query" if len(before.query) < 900 else ""
    portal.flash(request, response, told, undo, fields if undo else None)
    return response


def _delete(request: Request, form: Form) -> Response:
    portal, number = portal_of(request), number_of(request)
    gone = views_of(portal).delete(number, asking(request))
    response = _to(CatalogQuery())
    told = _("The view %(name)s is deleted", name=gone.name)
    portal.flash(request, response, told, f"/views/{number}/restore")
    return response


def _restore(request: Request, form: Form) -> Response:
    portal = portal_of(request)
    found = views_of(portal).restore(number_of(request), asking(request))
    return _to(CatalogQuery.read(found.query).viewed(found.id))


def _form(request: Request, form: Form, *, status: int = 200, **context: Any) -> Response:
    query: CatalogQuery = context["query"]
    runtime = portal_of(request).runtime
    words = Words(runtime.kinds)
    title = _("Change the view") if context.get("view") else _("Save this list as a view")
    shared = {
        "view": None, "form": form, "query": query, "title": title, "longest": LONGEST_NAME,
        "chips": parts.chips(query, runtime.catalog.facets(query.request()), words),
        "saved": query.saved(), "back": query.url(), "crumbs": (CRUMB, LIST_CRUMB, Crumb(title)),
    }  # fmt: skip
    page = {**shared, **context}
    return portal_of(request).page(request, "saved_views/form.html", page, status=status)


def _to(query: CatalogQuery) -> RedirectResponse:
    return RedirectResponse(query.url(), 303)


def _posted(act: Callable[[Request, Form], Response]) -> Callable[[Request], Any]:
    """Read the form, then act in a thread, as the database is asked there."""

    async def answer(request: Request) -> Response:
        return await asyncio.to_thread(act, request, await read_form(request))

    return answer


ROUTES = [
    reading("/views", index),
    reading("/views", _posted(_create), methods=["POST"]),
    reading("/views/new", new),
    reading("/views/{number:int}", edit),
    reading(
        "/views/{number:int}",
        _posted(_change),
        methods=["POST"],
    ),
    reading("/views/{number:int}/open", open_view),
    reading(
        "/views/{number:int}/query",
        _posted(_update),
        methods=["POST"],
    ),
    reading(
        "/views/{number:int}/delete",
        _posted(_delete),
        methods=["POST"],
    ),
    reading(
        "/views/{number:int}/restore",
        _posted(_restore),
        methods=["POST"],
    ),
]
