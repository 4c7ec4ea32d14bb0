"""Jobs: their schedules, and what became of each run."""

from typing import Final, cast

from starlette.requests import Request
from starlette.responses import Response

from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard.jobs import State, counts, find, runs, summaries
from callboard_web.portal import Crumb, number_of, portal_of
from callboard_web.routing import guarded

_: Final = Translator("callboard")

LIMIT: Final = 50
STATE_STATUS: Final = {
    "waiting": "todo",
    "running": "run",
    "succeeded": "ok",
    "failed": "bad",
    "cancelled": "skip",
}
STATE_WORDS: Final = {
    "waiting": _.context("job", "Waiting"),
    "running": _.context("job", "Running"),
    "succeeded": _.context("job", "Succeeded"),
    "failed": _.context("job", "Failed"),
    "cancelled": _.context("job", "Cancelled"),
}


def jobs(request: Request) -> Response:
    """List the jobs and the newest runs."""
    portal = portal_of(request)
    parameters = request.query_params
    state = parameters.get("state", "")
    chosen = cast(State, state) if state in STATE_WORDS else None
    before = parameters.get("before", "")
    position = int(before) if before.isdecimal() and len(before) < 19 else None
    with portal.runtime.database.read() as connection:
        listed = runs(connection, state=chosen, limit=LIMIT + 1, before=position)
        found = summaries(connection)
        numbers = counts(connection)
    context = {
        "runs": listed[:LIMIT],
        "more": len(listed) > LIMIT,
        "state": chosen or "",
        "jobs": found,
        "counts": numbers,
        "total": sum(numbers.values()),
        "titles": {name: job.title for name, job in portal.runtime.jobs.known.items()},
        "state_status": STATE_STATUS,
        "state_words": STATE_WORDS,
        "may_run": portal.allows(request, "portal.job.run"),
        "paged": position is not None,
    }
    return portal.page(request, "jobs.html", context)


def run(request: Request) -> Response:
    """Show one run with its whole error."""
    portal = portal_of(request)
    number = number_of(request)
    with portal.runtime.database.read() as connection:
        found = find(connection, number)
    if found is None:
        raise NotFoundError(
            _("There is no run %(number)s.", number=number), hint=_("Old runs are deleted.")
        )
    known = portal.runtime.jobs.known.get((found.plugin, found.name))
    context = {
        "run": found,
        "title": known.title if known else found.job,
        "state_status": STATE_STATUS,
        "state_words": STATE_WORDS,
        "may_run": known is not None and portal.allows(request, "portal.job.run"),
        "may_cancel": portal.allows(request, "portal.job.cancel"),
        "crumbs": (Crumb(_("Jobs"), "/jobs"), Crumb(f"{found.job} {number}")),
    }
    return portal.page(request, "run.html", context)


ROUTES = [
    guarded("/jobs", jobs, "portal.job.read"),
    guarded("/jobs/{number:int}", run, "portal.job.read"),
]
