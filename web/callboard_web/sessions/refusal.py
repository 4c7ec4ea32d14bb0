"""What is answered to who must sign in first, such that nothing they wrote is lost."""

import asyncio
from typing import Final
from urllib.parse import parse_qsl, quote, urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from callboard.i18n import Text
from callboard_web import csrf
from callboard_web.formats import address
from callboard_web.portal import portal_of, wants_fragment
from callboard_web.shell import here_of

CHALLENGE: Final = ("WWW-Authenticate", 'Bearer realm="callboard"')
"""RFC 9110, section 11.6.1: a 401 names a scheme. Browsers ask nobody for this one."""

_FORM: Final = "application/x-www-form-urlencoded"
_SAFE: Final = ("GET", "HEAD")


async def answer(request: Request, message: Text) -> Response:
    """Lead a page to the sign-in and back; keep what a form sent until it can be sent again."""
    portal = portal_of(request)
    if wants_fragment(request):
        return await asyncio.to_thread(_for_htmx, request, message)
    if not _is_navigation(request):
        return PlainTextResponse(portal.text(request, message), 401)
    if request.method in _SAFE:
        return RedirectResponse(_sign_in(here_of(request)), 303)
    fields = await _fields(request)
    context = {
        "action": here_of(request),
        "fields": fields,
        "message": message,
        "next": "/",
    }
    return await asyncio.to_thread(
        portal.page, request, "sessions/again.html", context,
        status=401, counts=False,
    )  # fmt: skip


def _for_htmx(request: Request, message: Text) -> Response:
    headers = {}
    if request.method in _SAFE and "x-live" not in request.headers:
        current = urlsplit(request.headers.get("hx-current-url", ""))
        path = f"{current.path}?{current.query}" if current.query else current.path
        headers["hx-redirect"] = _sign_in(address(path or "/"))
    else:
        headers |= {"hx-retarget": "#again", "hx-reswap": "innerHTML", "hx-reselect": "unset"}
    portal = portal_of(request)
    context = {"message": message}
    return portal.fragment(request, "sessions/_again.html", context, status=401, headers=headers)


def _sign_in(path: str) -> str:
    return f"/sign-in?next={quote(path)}"


def _is_navigation(request: Request) -> bool:
    """Say whether a browser opens a page; what scripts and other programs ask for is not led on."""
    mode = request.headers.get("sec-fetch-mode")
    accept = request.headers.get("accept", "")
    return mode == "navigate" if mode else "text/html" in accept or accept in ("", "*/*")


async def _fields(request: Request) -> list[tuple[str, str]]:
    if not request.headers.get("content-type", "").startswith(_FORM):
        return []
    text = (await request.body()).decode("utf-8", "replace")
    pairs = parse_qsl(text, keep_blank_values=True)
    return [(name, value) for name, value in pairs if name != csrf.FIELD]
