"""Protection of every unsafe request against forgery by other sites.

A signed double-submit cookie (OWASP CSRF Prevention Cheat Sheet): a form or header must bring a
token made for the cookie, and the request must come from this origin.
"""

import secrets
from typing import Final
from urllib.parse import parse_qs, urlsplit

from itsdangerous import BadSignature
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callboard.errors import CallboardError, InputError, NotAllowedError
from callboard.i18n import Translator
from callboard.identity import NOBODY, Subject
from callboard_web.signing import timed_signer

_: Final = Translator("callboard")

COOKIE: Final = "callboard_csrf"
FIELD: Final = "csrf_token"
HEADER: Final = "x-csrf-token"
FORM_LIMIT: Final = 1024 * 1024
DAYS: Final = 30
_SECONDS: Final = DAYS * 24 * 3600
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
_FORM: Final = "application/x-www-form-urlencoded"
SIGNED: Final = ("/hooks/", "/sign-out/backchannel/")
"""Beginnings of the paths to which other servers send what they have signed."""

FOR_PROGRAMS: Final = "/api/catalog/"
"""Beginning of the paths that programs may post to as they are, such as to query by a body."""

_OF_BROWSERS: Final = ("cookie", "origin", "referer", "sec-fetch-site")


class Csrf:
    """Makes and checks tokens. `base_url` names the origin people use, if a proxy hides it."""

    def __init__(self, secret: str, base_url: str = "") -> None:
        self._cookie = timed_signer(secret, "callboard.csrf.cookie")
        self._token = timed_signer(secret, "callboard.csrf.token")
        self._base = urlsplit(base_url)

    def identity(self, connection: HTTPConnection) -> str:
        """Give what the cookie says, or empty where there is none that is valid."""
        try:
            return str(self._cookie.loads(connection.cookies.get(COOKIE, ""), max_age=_SECONDS))
        except BadSignature:
            return ""

    def token(self, identity: str) -> str:
        """Give a token for a page. Each is different, so that compression betrays none."""
        return str(self._token.dumps([identity, secrets.token_urlsafe(6)]))

    def set_cookie(self, response: Response, identity: str, *, secure: bool) -> None:
        """Keep a new identity in the browser."""
        value = str(self._cookie.dumps(identity))
        response.set_cookie(
            COOKIE, value, max_age=_SECONDS, httponly=True, samesite="lax", secure=secure
        )

    def check(self, request: HTTPConnection, token: str) -> None:
        """Raise `NotAllowedError` unless the request comes from a page of this portal."""
        self._check_origin(request)
        identity = self.identity(request)
        try:
            owner = self._token.loads(token, max_age=_SECONDS)[0]
        except BadSignature:
            owner = ""
        if not identity or not secrets.compare_digest(str(owner), identity):
            raise NotAllowedError(
                _("This page is too old to send from, or cookies are off."),
                hint=_("Load the page again and repeat the action."),
            )

    def _check_origin(self, request: HTTPConnection) -> None:
        origin = request.headers.get("origin") or request.headers.get("referer", "")
        if not origin and request.headers.get("sec-fetch-site", "same-origin") == "same-origin":
            return
        asked = urlsplit(origin).netloc.lower()
        if asked and asked in (request.headers.get("host", "").lower(), self._base.netloc.lower()):
            return
        raise NotAllowedError(
            _("The request comes from another site."),
            hint=_("Open the portal by its own address, portal.base_url, and repeat the action."),
        )


class CsrfMiddleware:
    """Refuses unsafe requests without a token. What is signed instead (`SIGNED`) is let by.

    So are requests of machines, which show a token of their own in a header, and those to the
    catalog's API that no browser can have been made to send.
    """

    def __init__(self, app: ASGIApp, csrf: Csrf) -> None:
        self.app = app
        self.csrf = csrf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in _SAFE:
            return await self.app(scope, receive, send)
        if scope["path"].startswith(SIGNED) or _is_by_token(scope):
            return await self.app(scope, receive, send)
        request = Request(scope, receive)
        if scope["path"].startswith(FOR_PROGRAMS) and _is_by_program(request):
            return await self.app(scope, receive, send)
        token = request.headers.get(HEADER, "")
        if not token and request.headers.get("content-type", "").startswith(_FORM):
            body = await read_body(request, FORM_LIMIT)
            token = (parse_qs(body.decode("utf-8", "replace")).get(FIELD) or [""])[0]
            receive = _again(body, receive)
        self.csrf.check(request, token)
        return await self.app(scope, receive, send)


def _is_by_token(scope: Scope) -> bool:
    """Say whether who asks showed a token: no page can make a browser send one, and cookies beside
    it are not looked at (see `BearerMiddleware`)."""
    subject: Subject = scope.get("state", {}).get("subject", NOBODY)
    return subject.principal.kind in ("token", "workload")


def _is_by_program(request: Request) -> bool:
    """Say whether what browsers send with every unsafe request is missing: `Origin` (Fetch, "append
    a request Origin header"), and cookies, without which there is nobody's name to act in."""
    return not any(name in request.headers for name in _OF_BROWSERS)


class TooLargeError(CallboardError):
    """More was sent than is taken."""

    status = 413
    name = "ContentTooLargeError"


async def read_body(request: Request, limit: int) -> bytes:
    """Read a request's body, at most `limit` bytes; raises `TooLargeError` and `InputError`."""
    size = request.headers.get("content-length", "0")
    if not size.isdigit():
        raise InputError("Content-Length is not a number.")
    parts: list[bytes] = []
    total = 0
    async for chunk in request.stream():
        total += len(chunk)
        if max(total, int(size)) > limit:
            raise TooLargeError(f"The body is larger than {limit // 1024} KiB.")
        parts.append(chunk)
    return b"".join(parts)


def _again(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
