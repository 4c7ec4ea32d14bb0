"""The pages of announcements, writing them, and putting one away."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard import events
from callboard.audit import record
from callboard.errors import NotFoundError
from callboard.i18n import Text, Translator
from callboard_web.announcements.service import Announcement
from callboard_web.formats import address, safe_url
from callboard_web.forms import Form, read_form
from callboard_web.portal import Crumb, Portal, number_of, portal_of
from callboard_web.preferences import Reader
from callboard_web.routing import guarded, reading

_: Final = Translator("callboard")

PERMISSION: Final = "portal.announcement.write"
LIMIT: Final = 50
LONGEST_TITLE: Final = 120
LONGEST_TEXT: Final = 1_000
STATUSES: Final[Mapping[str, Text]] = {
    "run": _.context("announcement", "Notice"),
    "warn": _.context("announcement", "Warning"),
    "bad": _.context("announcement", "Outage"),
}
STATES: Final[Mapping[str, tuple[str, Text]]] = {
    "current": ("ok", _.context("announcement", "Shown")),
    "planned": ("wait", _.context("announcement", "Planned")),
    "past": ("skip", _.context("announcement", "Over")),
    "withdrawn": ("skip", _.context("announcement", "Withdrawn")),
}
_LOCAL: Final = "%Y-%m-%dT%H:%M"
_YEARS: Final = range(2000, 3000)


def announcements(request: Request) -> Response:
    """List what was, is and will be announced."""
    portal = portal_of(request)
    before = request.query_params.get("before", "")
    number = int(before) if before.isdecimal() and len(before) < 19 else 0
    found = portal.announcements.all(before=number, limit=LIMIT + 1)
    context = {
        "items": found[:LIMIT],
        "more": len(found) > LIMIT,
        "paged": bool(number),
        "now": portal.runtime.now(),
        "statuses": STATUSES,
        "states": STATES,
        "may_write": portal.allows(request, PERMISSION),
    }
    return portal.page(request, "announcements/list.html", context)


def new(request: Request) -> Response:
    """Show the empty form."""
    portal = portal_of(request)
    form = Form.of(
        {"status": "run", "begins": _local(portal.runtime.now(), portal.reader(request))}
    )
    return _edit(portal, request, form, None)


def edit(request: Request) -> Response:
    """Show the form with what is announced."""
    portal = portal_of(request)
    found = _find(portal, request)
    reader = portal.reader(request)
    values = {
        "status": found.status,
        "path": found.path,
        "begins": _local(found.begins_at, reader),
        "ends": _local(found.ends_at, reader) if found.ends_at else "",
    }
    for language, said in found.texts.items():
        values |= {f"title-{language}": said["title"], f"text-{language}": said["text"]}
    return _edit(portal, request, Form.of(values), found)


async def save(request: Request) -> Response:
    """Write a new announcement, or over an old one; `preview` only shows how it will look."""
    portal = portal_of(request)
    form = await read_form(request)
    return await asyncio.to_thread(_save, portal, request, form)


def _save(portal: Portal, request: Request, form: Form) -> Response:
    found = _find(portal, request) if "number" in request.path_params else None
    values = _values(portal, request, form)
    if form.faults:
        return _edit(portal, request, form, found, status=422)
    if "preview" in form:
        return _edit(portal, request, form, found, preview=_preview(values))
    with portal.runtime.database.write() as connection:
        if found:
            portal.announcements.change(connection, found.id, values)
            _record(portal, connection, "changed", found.id, _plain(found), values)
        else:
            number = portal.announcements.add(
                connection, values, str(portal.subject(request).principal)
            )
            _record(portal, connection, "announced", number, None, values)
    portal.announcements.forget()
    response = RedirectResponse("/announcements", 303)
    portal.flash(request, response, _("Saved."))
    return response


def withdraw(request: Request) -> Response:
    """Take an announcement away; it can be brought back."""
    portal = portal_of(request)
    response = _set_withdrawn(portal, request, portal.runtime.now(), "withdrawn")
    undo = f"/announcements/{request.path_params['number']}/restore"
    portal.flash(request, response, _("The announcement was withdrawn."), undo=undo)
    return response


def restore(request: Request) -> Response:
    """Bring back what was withdrawn."""
    portal = portal_of(request)
    response = _set_withdrawn(portal, request, None, "restored")
    portal.flash(request, response, _("The announcement is back."))
    return response


async def dismiss(request: Request) -> Response:
    """Put an announcement away for the one who asks, and go back to the page."""
    portal = portal_of(request)
    form = await read_form(request)
    response = RedirectResponse(address(form["next"] or "/"), 303)
    key = portal.remembered(request, response)
    found = await asyncio.to_thread(_find, portal, request)
    await asyncio.to_thread(portal.announcements.dismiss, key, found.id)
    return response


def _set_withdrawn(
    portal: Portal, request: Request, at: datetime | None, what: str
) -> RedirectResponse:
    found = _find(portal, request)
    with portal.runtime.database.write() as connection:
        portal.announcements.change(connection, found.id, {"withdrawn_at": at})
        _record(portal, connection, what, found.id, None, {"withdrawn": at is not None})
    portal.announcements.forget()
    return RedirectResponse("/announcements", 303)


def _find(portal: Portal, request: Request) -> Announcement:
    found = portal.announcements.get(number_of(request))
    if found is None:
        raise NotFoundError(
            _("There is no such announcement."), hint=_("The list has all there are.")
        )
    return found


def _edit(
    portal: Portal,
    request: Request,
    form: Form,
    found: Announcement | None,
    *,
    preview: Announcement | None = None,
    status: int = 200,
) -> Response:
    title = _("Change the announcement") if found else _("New announcement")
    context = {
        "form": form,
        "found": found,
        "preview": preview,
        "title": title,
        "statuses": list(STATUSES.items()),
        "longest_title": LONGEST_TITLE,
        "longest_text": LONGEST_TEXT,
        "crumbs": (Crumb(_("Announcements"), "/announcements"), Crumb(title)),
    }
    return portal.page(request, "announcements/edit.html", context, status=status)


def _values(portal: Portal, request: Request, form: Form) -> dict[str, Any]:
    """Read what was sent, noting what is wrong with it."""
    languages = portal.runtime.portal.languages
    texts = {
        language: {
            "title": form[f"title-{language}"][:LONGEST_TITLE],
            "text": form[f"text-{language}"][:LONGEST_TEXT],
        }
        for language in languages
        if form[f"title-{language}"]
    }
    if not texts:
        form.faults[f"title-{languages[0]}"] = _("Write a title in one language at least.")
    for language in languages:
        if form[f"text-{language}"] and language not in texts:
            form.faults.setdefault(f"title-{language}", _("Write a title for this text."))
    if form["status"] not in STATUSES:
        form.faults["status"] = _("Choose what kind of announcement it is.")
    if form["path"] and safe_url(form["path"]) == "#":
        form.faults["path"] = _("Write an address that begins with / or https://.")
    begins = _moment(form, "begins", portal.reader(request)) or portal.runtime.now()
    ends = _moment(form, "ends", portal.reader(request))
    if ends and ends <= begins and "ends" not in form.faults:
        form.faults["ends"] = _("Choose an end after the beginning.")
    return {
        "status": form["status"], "texts": texts, "path": form["path"][:1000],
        "begins_at": begins, "ends_at": ends,
    }  # fmt: skip


def _moment(form: Form, name: str, reader: Reader) -> datetime | None:
    """Read a time in the reader's zone; a fault for what is none."""
    if not form[name]:
        return None
    try:
        local = datetime.strptime(form[name][:16], _LOCAL).replace(tzinfo=reader.zone)
        if local.year not in _YEARS:  # the first and last of all are in no other time zone
            raise ValueError
        return local.astimezone(UTC)
    except ValueError:
        form.faults[name] = _("Write a time such as 2026-11-20T22:00.")
        return None


def _local(at: datetime, reader: Reader) -> str:
    return at.astimezone(reader.zone).strftime(_LOCAL)


def _preview(values: Mapping[str, Any]) -> Announcement:
    now = values["begins_at"]
    return Announcement(id=0, author="", created_at=now, withdrawn_at=None, **values)


def _plain(found: Announcement) -> dict[str, Any]:
    return {
        "status": found.status, "texts": found.texts, "path": found.path,
        "begins_at": found.begins_at, "ends_at": found.ends_at,
    }  # fmt: skip


def _noted(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Give values as the audit log keeps them: times as texts."""
    if values is None:
        return None
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def _record(
    portal: Portal,
    connection: Connection,
    what: str,
    number: int,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any],
) -> None:
    now, subject = portal.runtime.now(), str(number)
    record(connection, PERMISSION, subject, before=_noted(before), after=_noted(after), at=now)
    events.publish(connection, f"portal.announcement.{what}", subject, {}, at=now)


ROUTES = [
    reading("/announcements", announcements),
    guarded("/announcements/new", new, PERMISSION),
    guarded("/announcements/new", save, PERMISSION, methods=["POST"]),
    guarded("/announcements/{number:int}", edit, PERMISSION),
    guarded("/announcements/{number:int}", save, PERMISSION, methods=["POST"]),
    guarded(
        "/announcements/{number:int}/withdraw",
        withdraw,
        PERMISSION,
        methods=["POST"],
    ),
    guarded(
        "/announcements/{number:int}/restore",
        restore,
        PERMISSION,
        methods=["POST"],
    ),
    reading(
        "/announcements/{number:int}/dismiss",
        dismiss,
        methods=["POST"],
    ),
]
