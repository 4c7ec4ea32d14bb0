"""Where entities come from, how each source fares, and a button to read it again."""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.audit import record
from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard.jobs import runs
from callboard_web.portal import Crumb, Portal, portal_of
from callboard_web.routing import guarded
from callboard_web.words import PROBLEM_ADVICE, PROBLEM_KINDS, PROBLEM_STATUS

_: Final = Translator("callboard")

PROBLEM_LIMIT: Final = 100
STATE_STATUS: Final = {"ok": "ok", "failing": "bad", "new": "todo", "reading": "run"}
STATE_WORDS: Final = {
    "ok": _.context("source", "Read"),
    "failing": _.context("source", "Failing"),
    "new": _.context("source", "Not read yet"),
    "reading": _.context("source", "Reading"),
}
_RANK: Final = {"failing": 0, "new": 1}


def sources(request: Request) -> Response:
    """List the sources, those that fail first."""
    portal = portal_of(request)
    found = portal.runtime.catalog.sources()
    context = {
        "sources": sorted(found, key=lambda item: (_RANK.get(item.state, 2), item.name)),
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
    context = {
        "source": found,
        "reading": name in _reading(portal),
        "problems": portal.runtime.catalog.problems(source=name, limit=PROBLEM_LIMIT),
        "limit": PROBLEM_LIMIT,
        "problem_kinds": PROBLEM_KINDS,
        "problem_status": PROBLEM_STATUS,
        "problem_advice": PROBLEM_ADVICE,
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
    if runtime.catalog.source(name) is None:
        raise _no_source(name)
    with runtime.database.write() as connection:
        runtime.jobs.submit(connection, "catalog", "refresh", {"source": name}, key=name)
        record(connection, "catalog.source.refresh", name, at=runtime.now())
    return RedirectResponse(f"/sources/{name}", 303)


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
    guarded("/sources/{name}/refresh", refresh, "catalog.source.refresh", methods=["POST"]),
]
