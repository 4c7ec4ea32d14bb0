"""The pages of the audit log: looking things up, one entry whole, and the export."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from callboard.audit import AuditEntry, Question, record
from callboard.audit.delivery import Sent, with_places
from callboard.audit.log import SUBJECT
from callboard.audit.reading import find, page
from callboard.audit.settings import AuditSettings
from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard_web.audit import words
from callboard_web.audit.asking import FILTERS, filters_of
from callboard_web.audit.parts import EXPORT, READ
from callboard_web.audit.state import state_of
from callboard_web.audit.writing import TYPES, written
from callboard_web.log_filters import LogFilters
from callboard_web.portal import Crumb, Portal, number_of, portal_of
from callboard_web.routing import guarded

_: Final = Translator("callboard")

LIMIT: Final = 50
BATCH: Final = 500


def audit(request: Request) -> Response:
    """List who did what, the newest first."""
    portal = portal_of(request)
    asked = filters_of(request.query_params.multi_items(), portal.reader(request))
    with portal.runtime.database.read() as connection:
        found = page(connection, asked.question, before=asked.before, limit=LIMIT)
        state = state_of(connection, portal.runtime)
    wording = _wording(portal, found.entries)
    context = {
        "asked": asked,
        "filters": FILTERS,
        "lines": [wording.line(entry) for entry in found.entries],
        "following": found.next,
        "state": state,
        "actions": sorted({*portal.runtime.services.access.permissions, *words.ACTIONS}),
        "results": words.RESULTS,
        "result_status": words.RESULT_STATUS,
        "may_export": portal.allows(request, EXPORT),
        "files": tuple(TYPES),
        "keeps": portal.runtime.settings.section(AuditSettings).keep,
    }
    return portal.page(request, "audit/audit.html", context)


def entry(request: Request) -> Response:
    """Show one entry with all that is known of it."""
    portal = portal_of(request)
    number = number_of(request)
    with portal.runtime.database.read() as connection:
        found = find(connection, number)
        if found is None:
            raise NotFoundError(
                _("There is no entry %(number)s.", number=number),
                hint=_("Old entries are removed after the time the settings say."),
            )
        [sent] = with_places(connection, [found])
    line = _wording(portal, [found]).line(found)
    context = {
        "line": line,
        "entry": found,
        "position": sent["position"],
        "hash": sent["hash"],
        "difference": words.compared(found),
        "results": words.RESULTS,
        "result_status": words.RESULT_STATUS,
        "crumbs": (Crumb(_("Audit log"), "/audit"), Crumb(str(number))),
    }
    return portal.page(request, "audit/entry.html", context)


def export(request: Request) -> Response:
    """Send all that is asked for as a file, a batch at a time; that is an entry itself."""
    portal = portal_of(request)
    form = request.path_params["format"]
    if form not in TYPES:
        raise NotFoundError(_("There is no such export; there are csv and jsonl."))
    asked = filters_of(request.query_params.multi_items(), portal.reader(request))
    now = portal.runtime.now()
    with portal.runtime.database.write() as connection:
        told = {"format": form, **asked.question.told()}
        record(connection, EXPORT, SUBJECT, after=told, at=now)
    headers = {
        "content-disposition": f'attachment; filename="audit-{now:%Y-%m-%d}.{form}"',
        "cache-control": "no-store",
        "vary": "Cookie",
    }
    parts = written(form, _batches(portal, asked))
    return StreamingResponse(parts, headers=headers, media_type=TYPES[form])


def _batches(portal: Portal, asked: LogFilters[Question]) -> Iterator[list[Sent]]:
    before = 0
    while True:
        with portal.runtime.database.read() as connection:
            found = page(connection, asked.question, before=before, limit=BATCH)
            batch = with_places(connection, found.entries)
        yield batch
        before = found.next
        if not before:
            return


def _wording(portal: Portal, entries: Sequence[AuditEntry]) -> words.Wording:
    titles: Any = portal.runtime.catalog.titles(words.references(entries))
    return words.Wording(portal.runtime.services.access.permissions, titles)


ROUTES = [
    guarded("/audit", audit, READ),
    guarded("/audit/{number:int}", entry, READ),
    guarded("/audit/export/{format}", export, EXPORT),
]
