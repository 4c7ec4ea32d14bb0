"""Where entities come from, how each source fares, and a button to read it again."""

import asyncio
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.audit import record
from callboard.errors import ConflictError, NotFoundError
from callboard.i18n import Translator
from callboard.jobs import runs
from callboard_catalog.pushing import owner_of
from callboard_catalog.pushing.service import Asker
from callboard_catalog.sources.base import PUSHED
from callboard_web.catalog_api.pushing import ADMINISTER, PUSH
from callboard_web.forms import Form, read_form
from callboard_web.portal import Crumb, Portal, portal_of
from callboard_web.routing import guarded
from callboard_web.words import PROBLEM_KINDS, PROBLEM_STATUS, problem_advice

_: Final = Translator("callboard")

PROBLEM_LIMIT: Final = 100
STATE_STATUS: Final = {
    "ok": "ok",
    "pushed": "ok",
    "partial": "warn",
    "failing": "bad",
    "new": "todo",
    "reading": "run",
}
STATE_WORDS: Final = {
    "ok": _.context("source", "Read"),
    "pushed": _.context("source", "Pushed"),
    "partial": _.context("source", "Partly read"),
    "failing": _.context("source", "Failing"),
    "new": _.context("source", "Not read yet"),
    "reading": _.context("source", "Reading"),
}
_RANK: Final = {"failing": 0, "partial": 1, "new": 2}


def sources(request: Request) -> Response:
    """List the sources, those that fail first."""
    portal = portal_of(request)
    found = portal.runtime.catalog.sources()
    context = {
        "pushed": portal.runtime.engine.pusher.sources(),
        "sources": sorted(found, key=lambda item: (_RANK.get(item.state, 3), item.name)),
        "failing": sum(item.state == "failing" for item in found),
        "reading": _reading(portal),
        "state_status": STATE_STATUS,
        "state_words": STATE_WORDS,
    }
    return portal.page(request, "sources.html", context)


def source(request: Request) -> Response:
    """Show one source: how it fares, since when and why, and what it holds that is refused."""
    portal = portal_of(request)
    name = request.path_params["name"]
    found = portal.runtime.catalog.source(name)
    if found is None:
        raise _no_source(name)
    pushed = portal.runtime.engine.pusher.sources().get(name)
    context = {
        "source": found,
        "pushed": pushed,
        "may_remove": pushed is not None and _may_remove(request, pushed.owner),
        "reading": name in _reading(portal),
        "problems": portal.runtime.catalog.problems(source=name, limit=PROBLEM_LIMIT),
        "limit": PROBLEM_LIMIT,
        "problem_kinds": PROBLEM_KINDS,
        "problem_status": PROBLEM_STATUS,
        "problem_advice": problem_advice,
        "state_status": STATE_STATUS,
        "state_words": STATE_WORDS,
        "crumbs": (Crumb(_("Sources"), "/sources"), Crumb(found.name)),
    }
    return portal.page(request, "source.html", context)


def refresh(request: Request) -> Response:
    """Ask for a source to be read again, and go back to its page."""
    portal = portal_of(request)
    runtime = portal.runtime
    name = request.path_params["name"]
    found = runtime.catalog.source(name)
    if found is None:
        raise _no_source(name)
    if found.type == PUSHED:
        raise ConflictError(
            _("The source %(name)s is pushed: there is nothing to read.", name=name),
            hint=_("Push to it again."),
        )
    with runtime.database.write() as connection:
        runtime.jobs.submit(connection, "catalog", "refresh", {"source": name}, key=name)
        record(connection, "catalog.source.refresh", name, at=runtime.now())
    return RedirectResponse(f"/sources/{name}", 303)


async def remove(request: Request) -> Response:
    """Ask whether a pushed source is meant to go, and take it out."""
    form = await read_form(request)
    return await asyncio.to_thread(_remove, request, form)


def _remove(request: Request, form: Form) -> Response:
    portal = portal_of(request)
    runtime, name = portal.runtime, request.path_params["name"]
    found = runtime.catalog.source(name)
    if found is None or found.type != PUSHED:
        raise _no_source(name)
    if not form.confirmed:
        return portal.confirm(
            request,
            form,
            title=_("Remove the source %(name)s?", name=name),
            text=_.plural(
                "%(number)s entity leaves the catalog with it. A push brings it back.",
                "%(number)s entities leave the catalog with it. A push brings them back.",
                found.entities,
            ),
            verb=_("Remove it"),
            back=f"/sources/{name}",
        )
    with runtime.database.write() as connection:
        runtime.engine.pusher.remove_in(connection, name, _asker(request))
        runtime.jobs.submit(connection, "catalog", "forget")
    response = RedirectResponse("/sources", 303)
    portal.flash(request, response, _("The source %(name)s is being removed", name=name))
    return response


def _asker(request: Request) -> Asker:
    portal = portal_of(request)
    subject = portal.subject(request)
    administers = portal.allows(request, ADMINISTER)
    return Asker(by=str(subject.principal), owner=owner_of(subject), administers=administers)


def _may_remove(request: Request, owner: str) -> bool:
    asker = _asker(request)
    allowed = portal_of(request).allows(request, PUSH)
    return asker.administers or (allowed and asker.owner == owner)


def _no_source(name: str) -> NotFoundError:
    return NotFoundError(
        _("There is no source named %(name)s.", name=name), hint=_("It may have been removed.")
    )


def _reading(portal: Portal) -> set[str]:
    """Give the sources that are being read, or will be in a moment."""
    with portal.runtime.database.read() as connection:
        found = [
            run
            for state in ("waiting", "running")
            for run in runs(connection, state=state, plugin="catalog", name="refresh", limit=500)
        ]
    return {run.key for run in found if run.state == "running" or not run.error}


ROUTES = [
    guarded("/sources", sources, "catalog.source.read"),
    guarded("/sources/{name}", source, "catalog.source.read"),
    guarded("/sources/{name}/remove", remove, PUSH, methods=["POST"]),
    guarded("/sources/{name}/refresh", refresh, "catalog.source.refresh", methods=["POST"]),
]
