"""The pages that list sessions: one's own, and those of everyone for administrators."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from callboard.audit import record
from callboard.errors import NotFoundError, NotSignedInError
from callboard.i18n import Text, Translator
from callboard_web.forms import read_form
from callboard_web.portal import Crumb, Portal, number_of, portal_of
from callboard_web.routing import guarded, public
from callboard_web.sessions.devices import device_of
from callboard_web.sessions.model import Session

_: Final = Translator("callboard")

LIMIT: Final = 50


def _own(portal: Portal, request: Request) -> Session:
    found = portal.sessions.current(request)
    if found is None:
        raise NotSignedInError(_("Sign in to see this."))
    return found


def mine(request: Request) -> Response:
    """List one's own sessions."""
    portal = portal_of(request)
    own = _own(portal, request)
    context = {
        "sessions": portal.sessions.of_account(own.account),
        "own": own,
        "device_of": device_of,
        "idle": portal.sessions.settings.idle,
        "crumbs": (Crumb(_("You"), "/me"), Crumb(_("Sessions"))),
    }
    return portal.page(request, "sessions/mine.html", context)


def end_mine(request: Request) -> Response:
    """End one of one's own; the one that asks is signed out."""
    portal = portal_of(request)
    own = _own(portal, request)
    found = portal.sessions.get(number_of(request))
    if found is None or found.account != own.account:
        raise _no_such_session()
    if found.id == own.id:
        return RedirectResponse("/sign-out", 303)
    portal.sessions.end(found.id, "ended")
    response = RedirectResponse("/me/sessions", 303)
    portal.flash(request, response, _("The session has ended."))
    return response


def end_others(request: Request) -> Response:
    """End all of one's own but the one that asks."""
    portal = portal_of(request)
    own = _own(portal, request)
    number = portal.sessions.end_of_account(own.account, "ended", but=own.id)
    response = RedirectResponse("/me/sessions", 303)
    told = _.plural("%(number)s session has ended.", "%(number)s sessions have ended.", number)
    portal.flash(request, response, told)
    return response


def everyone(request: Request) -> Response:
    """List the sessions of everyone; that somebody looked is written down."""
    portal = portal_of(request)
    text = request.query_params.get("q", "").strip()[:100]
    before = request.query_params.get("before", "")
    number = int(before) if before.isdecimal() and len(before) < 19 else 0
    found = portal.sessions.open(text=text, before=number, limit=LIMIT + 1)
    _looked(portal, text, found[:LIMIT])
    context = {
        "sessions": found[:LIMIT],
        "more": len(found) > LIMIT,
        "text": text,
        "paged": bool(number),
        "own": portal.sessions.current(request),
        "device_of": device_of,
        "methods": _methods(portal),
        "may_end": portal.allows(request, "portal.session.end"),
        "may_deactivate": portal.allows(request, "portal.account.update"),
        "inactive": portal.sessions.inactive(),
    }
    return portal.page(request, "sessions/everyone.html", context)


def _looked(portal: Portal, text: str, found: Sequence[Session]) -> None:
    seen = sorted({str(session.principal) for session in found})
    with portal.runtime.database.write() as connection:
        record(
            connection, "portal.session.read", text or "everyone",
            after={"people": seen}, at=portal.runtime.now(),
        )  # fmt: skip


def _methods(portal: Portal) -> Mapping[str, Text]:
    named = {method.name: method.title for method in portal.sign_in_methods}
    return {**named, "demo": _("Demo"), "local": _("Local administrator")}


def end_one(request: Request) -> Response:
    """End somebody's session."""
    portal = portal_of(request)
    if portal.sessions.end(number_of(request), "ended") is None:
        raise _no_such_session()
    return _back(portal, request, _("The session has ended."))


async def set_active(request: Request) -> Response:
    """Deactivate an account, which ends its sessions, or activate it."""
    portal = portal_of(request)
    form = await read_form(request)
    active = form["active"] == "1"
    await asyncio.to_thread(portal.sessions.set_active, number_of(request), active)
    told = _("The account is active again.") if active else _("The account is deactivated.")
    return _back(portal, request, told)


def _back(portal: Portal, request: Request, told: Text) -> Response:
    response = RedirectResponse("/sessions", 303)
    portal.flash(request, response, told)
    return response


def _no_such_session() -> NotFoundError:
    return NotFoundError(
        _("There is no such session."), hint=_("It may have ended. The list has all there are.")
    )


ROUTES: list[Any] = [
    public("/me/sessions", mine, why="Shows the asker's own sessions, and asks to sign in."),
    public(
        "/me/sessions/{number:int}/end",
        end_mine,
        why="Ends sessions of the asker's own.",
        methods=["POST"],
    ),
    public(
        "/me/sessions/end", end_others, why="Ends sessions of the asker's own.", methods=["POST"]
    ),
    guarded("/sessions", everyone, "portal.session.read"),
    guarded("/sessions/{number:int}/end", end_one, "portal.session.end", methods=["POST"]),
    guarded(
        "/sessions/accounts/{number:int}", set_active, "portal.account.update", methods=["POST"]
    ),
]
