"""The pages for signing in and out, and what keeps a session from ending."""

import asyncio
import re
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from callboard.access import Access
from callboard.access.service import READ
from callboard.i18n import Translator
from callboard.identity import NOBODY
from callboard_web.formats import address
from callboard_web.forms import Form, read_form
from callboard_web.middleware import POLICY
from callboard_web.portal import Portal, portal_of
from callboard_web.routing import public
from callboard_web.sessions import break_glass, demo

_: Final = Translator("callboard")

_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]+")
DONE: Final = "/sign-in/done"
"""Where one goes who signed in beside a page that waits to be sent."""

WHY: Final = "Nobody is signed in before signing in."


SAMPLE: Final = """\
sign_in:
  providers:
    - name: company
      issuer: https://id.example.com
      client_id: callboard
      client_secret: ${CALLBOARD_CLIENT_SECRET}"""
"""What the page shows where nobody can sign in."""


def next_of(text: str) -> str:
    """Give where to go after signing in: a path of the portal, not one of these pages."""
    path = address(text)
    return "/" if path.startswith(("/sign-in", "/sign-out")) and path != DONE else path


def sign_in(request: Request) -> Response:
    """List the ways to sign in."""
    portal = portal_of(request)
    wanted = next_of(request.query_params.get("next", ""))
    by_demo = demo.is_offered(portal, request)
    if by_demo and not portal.sign_in_methods and not portal.subject(request).signed_in:
        return RedirectResponse(f"/sign-in/demo?next={quote(wanted)}", 303)
    context = {"next": wanted, "by_demo": by_demo, "sample": SAMPLE}
    return _page(portal, request, "sessions/sign_in.html", context)


def sign_in_done(request: Request) -> Response:
    """Say that one may go back to the page where something waits to be sent."""
    return _page(portal_of(request), request, "sessions/done.html", {"next": "/"})


def _page(
    portal: Portal, request: Request, template: str, context: dict[str, Any], status: int = 200
) -> Response:
    """Draw a page outside of the shell: who has not signed in sees nothing of the portal."""
    shared = {
        "methods": portal.sign_in_methods,
        "by_local": portal.sessions.settings.break_glass is not None,
        "safe": portal.sessions.cookie.is_safe(request),
        "ended": bool(portal.sessions.cookie.read(request))
        and not portal.subject(request).signed_in,
        "subject": portal.subject(request),
        "strangers": _strangers_may_read(portal.runtime.services.access),
    }
    headers = {"content-security-policy": _policy(portal), "cache-control": "no-store"}
    return portal.page(
        request, template, {**shared, **context}, status=status, headers=headers, counts=False
    )


def _policy(portal: Portal) -> str:
    """Let forms lead to the providers as well: browsers hold redirects against the policy too."""
    origins = {origin for method in portal.sign_in_methods for origin in method.origins}
    allowed = " ".join(["'self'", *sorted(filter(_ORIGIN.fullmatch, origins))])
    return POLICY.replace("form-action 'self'", f"form-action {allowed}")


def _strangers_may_read(access: Access) -> bool:
    return access.anywhere(NOBODY, READ)


# As a person of the demo


def sign_in_demo(request: Request) -> Response:
    """List the people of the demo: one for each role, then all."""
    portal = portal_of(request)
    demo.require_offered(portal, request)
    people = demo.people(portal)
    context = {
        "next": next_of(request.query_params.get("next", "")),
        "offered": _one_for_each_role(people),
        "people": people,
        "tells": demo.TELLS,
        "roles": portal.runtime.services.access.policy.roles,
    }
    response = _page(portal, request, "sessions/demo.html", context)
    if not people:
        response.headers["refresh"] = "2"  # the first seconds of the demo: they are being read
    return response


def _one_for_each_role(people: Sequence[demo.DemoPerson]) -> list[demo.DemoPerson]:
    first = {person.role: person for person in reversed(people)}
    return [first[role] for role in demo.ORDER if role in first]


async def sign_in_as(request: Request) -> Response:
    """Sign in as one of them."""
    form = await read_form(request)
    return await asyncio.to_thread(_sign_in_as, portal_of(request), request, form)


def _sign_in_as(portal: Portal, request: Request, form: Form) -> Response:
    demo.require_offered(portal, request)
    response = RedirectResponse(next_of(form["next"]), 303)
    portal.sessions.sign_in(request, response, demo.signed_in(portal, form["ref"]))
    return response


# As the local administrator


def sign_in_local(request: Request) -> Response:
    """Show the form."""
    portal = portal_of(request)
    break_glass.settings_of(portal.sessions)
    wanted = next_of(request.query_params.get("next", ""))
    return _page(portal, request, "sessions/local.html", {"next": wanted, "form": Form({})})


async def check_local(request: Request) -> Response:
    """Check name and password."""
    form = await read_form(request)
    return await asyncio.to_thread(_check_local, portal_of(request), request, form)


def _check_local(portal: Portal, request: Request, form: Form) -> Response:
    wanted = next_of(form["next"])
    response = RedirectResponse(wanted, 303)
    # A password may begin or end with a space, which forms leave out of other fields.
    password = (form.all("password") or ("",))[0]
    if break_glass.sign_in(portal.sessions, request, response, form["user"], password):
        return response
    form.faults["password"] = _("The name or the password is wrong.")
    context = {"next": wanted, "form": form}
    return _page(portal, request, "sessions/local.html", context, status=422)


# Signing out


def signed_out(request: Request) -> Response:
    """Say that nobody is signed in, or ask whether the one who is wants to sign out."""
    return _page(portal_of(request), request, "sessions/signed_out.html", {"leads": ""})


def sign_out(request: Request) -> Response:
    """End the session, and the provider's where it has an address for that."""
    portal = portal_of(request)
    session = portal.sessions.current(request)
    ended = portal.sessions.end(session.id, "signed-out") if session else None
    leads = portal.sign_out_address(request, ended) if ended else ""
    response: Response = RedirectResponse("/sign-out", 303)
    if leads:
        # Not a redirect: the policy of pages lets forms lead to the portal only.
        request.scope["state"]["subject"] = NOBODY
        response = _page(portal, request, "sessions/signed_out.html", {"leads": leads})
        response.headers["refresh"] = f"1; url={leads}"
    portal.sessions.cookie.clear(request, response)
    response.headers["clear-site-data"] = '"cache", "storage"'
    return response


# How long a session lasts


def session(request: Request) -> Response:
    """Answer how many seconds the session lasts, without making it last longer."""
    portal = portal_of(request)
    found = portal.sessions.current(request)
    if found is None:
        return JSONResponse({"left": 0, "most": 0})
    now = portal.runtime.now()
    left = (found.ends_at - now).total_seconds()
    most = (found.limit_at - now).total_seconds()
    return JSONResponse({"left": int(left), "most": int(most)})


def stay(request: Request) -> Response:
    """Let the session last for as long as if it were used, which it is."""
    portal = portal_of(request)
    found = portal.sessions.current(request)
    ends = portal.sessions.touch(found.id) if found else None
    if found is None or ends is None:
        return JSONResponse({"left": 0, "most": 0})
    now = portal.runtime.now()
    return JSONResponse(
        {
            "left": int((ends - now).total_seconds()),
            "most": int((found.limit_at - now).total_seconds()),
        }
    )


ROUTES = [
    public("/sign-in", sign_in, why=WHY),
    public("/sign-in/done", sign_in_done, why="Says that one is signed in, to whoever asks."),
    public("/sign-in/demo", sign_in_demo, why=WHY),
    public("/sign-in/demo", sign_in_as, why=WHY, methods=["POST"]),
    public("/sign-in/local", sign_in_local, why=WHY),
    public("/sign-in/local", check_local, why=WHY, methods=["POST"]),
    public("/sign-out", signed_out, why="Tells those who signed out."),
    public("/sign-out", sign_out, why="Ends the asker's own session.", methods=["POST"]),
    public("/me/session", session, why="Tells of the asker's own session."),
    public("/me/session", stay, why="Prolongs the asker's own session.", methods=["POST"]),
]
