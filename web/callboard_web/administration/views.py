"""The pages of administration, and running a job now."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.audit import record
from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard.jobs import cancel, find
from callboard_web.administration import health as health_module
from callboard_web.administration import options, software
from callboard_web.administration import watchers as watchers_module
from callboard_web.loading import SECTIONS
from callboard_web.portal import Portal, number_of, portal_of
from callboard_web.routing import guarded, reading

_: Final = Translator("callboard")

RANK: Final = {"bad": 0, "warn": 1}


def health(request: Request) -> Response:
    """Say how the portal fares, the worst first."""
    portal = portal_of(request)
    findings = sorted(health_module.look(portal.runtime), key=lambda item: RANK.get(item.status, 2))
    context = {
        "findings": findings,
        "bad": sum(item.status == "bad" for item in findings),
        "warn": sum(item.status == "warn" for item in findings),
        "readers": portal.runtime.events.subscribers,
    }
    return portal.page(request, "administration/health.html", context)


def settings(request: Request) -> Response:
    """Show every setting with where it comes from; `changed=1` leaves defaults out."""
    portal = portal_of(request)
    only_changed = request.query_params.get("changed") == "1"
    found = options.sections(portal.runtime.settings, SECTIONS)
    shown = [
        (name, [item for item in items if not (only_changed and item.is_default)])
        for name, items in found
    ]
    context = {
        "sections": [(name, items) for name, items in shown if items],
        "file": portal.runtime.settings.file,
        "only_changed": only_changed,
        "total": sum(len(items) for _name, items in found),
        "changed": sum(not item.is_default for _name, items in found for item in items),
    }
    return portal.page(request, "administration/settings.html", context)


def watchers(request: Request) -> Response:
    """Show who follows the event log and how far each has come."""
    portal = portal_of(request)
    with portal.runtime.database.read() as connection:
        newest, newest_at = watchers_module.log_size(connection)
    found = watchers_module.watchers(portal.runtime)
    context = {
        "watchers": found,
        "late_before": portal.runtime.now() - watchers_module.LATE,
        "behind": sum(bool(item.behind) for item in found),
        "newest": newest,
        "newest_at": newest_at,
        "readers": portal.runtime.events.subscribers,
    }
    return portal.page(request, "administration/watchers.html", context)


def about(request: Request) -> Response:
    """Say what runs here, in which versions, under which licences."""
    portal = portal_of(request)
    records = portal.runtime.plugins.records.values()
    plugins = [record.distribution for record in records if record.distribution]
    roots = tuple(sorted({"callboard", *plugins}))
    context = {
        "versions": software.versions(portal.runtime),
        "packages": software.packages(roots),
        "vendored": software.VENDORED,
    }
    return portal.page(request, "administration/about.html", context)


def run_job(request: Request) -> Response:
    """Run a scheduled job now, without waiting for its turn."""
    portal = portal_of(request)
    name = (request.path_params["plugin"], request.path_params["name"])
    job = portal.runtime.jobs.known.get(name)
    if job is None or job.every is None:
        raise NotFoundError(
            _("There is no scheduled job %(name)s.", name=".".join(name)),
            hint=_("The page of jobs lists them."),
        )
    number = _submit(portal, name, {}, "")
    return RedirectResponse(f"/jobs/{number}", 303)


def run_again(request: Request) -> Response:
    """Ask for the work of a finished run again."""
    portal = portal_of(request)
    with portal.runtime.database.read() as connection:
        run = find(connection, number_of(request))
    if run is None:
        raise NotFoundError(_("There is no such run."), hint=_("Old runs are deleted."))
    number = _submit(portal, (run.plugin, run.name), run.payload, run.key)
    return RedirectResponse(f"/jobs/{number}", 303)


def cancel_run(request: Request) -> Response:
    """Take back a run that has not begun; one that has is left alone."""
    portal = portal_of(request)
    number = number_of(request)
    with portal.runtime.database.write() as connection:
        if cancel(connection, number, now=portal.runtime.now()):
            record(connection, "portal.job.cancel", str(number), at=portal.runtime.now())
    return RedirectResponse(f"/jobs/{number}", 303)


def _submit(portal: Portal, name: tuple[str, str], payload: Mapping[str, Any], key: str) -> int:
    runtime = portal.runtime
    with runtime.database.write() as connection:
        number = runtime.jobs.submit(connection, *name, payload, key)
        after = {"run": number, "key": key}
        record(connection, "portal.job.run", ".".join(name), after=after, at=runtime.now())
    return number


ROUTES = [
    guarded("/health", health, "portal.health.read"),
    guarded("/settings", settings, "portal.settings.read"),
    guarded("/watchers", watchers, "portal.health.read"),
    reading("/about", about),
    guarded("/jobs/{plugin}/{name}/run", run_job, "portal.job.run", methods=["POST"]),
    guarded("/jobs/{number:int}/again", run_again, "portal.job.run", methods=["POST"]),
    guarded("/jobs/{number:int}/cancel", cancel_run, "portal.job.cancel", methods=["POST"]),
]
