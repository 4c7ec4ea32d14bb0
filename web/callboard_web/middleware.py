"""What every response has: security headers, a request id, and an answer in place of a fault."""

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callboard.logs import REQUEST_ID
from callboard.plugins import SPENT
from callboard_web.maintenance import MaintenanceError, MaintenanceWatch

log = logging.getLogger(__name__)

POLICY: Final = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "font-src 'self'",
        # Pages of the portal are framed by nobody; a plugin may answer one that says otherwise.
        "frame-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)

HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}

STRICT_TRANSPORT: Final = "max-age=31536000; includeSubDomains"
"""RFC 6797: a year of https only, for this host and whatever is below it."""

MOST_TIMINGS: Final = 12
"""Plugins told of by name in `Server-Timing`; the rest is summed up."""

OPEN: Final = ("/static/", "/healthz", "/readyz", "/metrics", "/favicon.ico", "/preferences")
"""Beginnings of the paths that are answered while the portal is closed."""

Observe = Callable[[Scope, int, float], None]
Answer = Callable[[Request, Exception], Awaitable[Response]]
Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Heading:
    """What every response has in its head."""

    observe: Observe
    is_secure: Callable[[Scope], bool]

    def head(self, scope: Scope, headers: Headers, request_id: str) -> Headers:
        """Give headers with those that every response has, where they do not say otherwise."""
        given = {name.lower() for name, _ in headers}
        found = [pair for pair in headers if pair[0].lower() not in _OURS]
        found += [pair for pair in _RAW if pair[0] not in given]
        found.append((b"x-request-id", request_id.encode()))
        if self.is_secure(scope):
            found.append((b"strict-transport-security", STRICT_TRANSPORT.encode()))
        return found

    def timing(
        self, scope: Scope, status: int, seconds: float, spent: dict[str, float]
    ) -> tuple[bytes, bytes]:
        """Note a response, and give the header that tells how long it took."""
        self.observe(scope, status, seconds)
        return (b"server-timing", _timing(seconds, spent).encode())


_RAW: Final = tuple(
    (name.encode(), value.encode())
    for name, value in {**HEADERS, "cache-control": "private, no-cache"}.items()
)
_OURS: Final = frozenset({b"x-request-id", b"strict-transport-security", b"server-timing"})


def new_request_id() -> str:
    """Give a name for one request, by which logs tell of it."""
    return secrets.token_hex(8)


class HeadersMiddleware:
    """Puts the security headers and a request id on every response, and tells how long it took."""

    def __init__(self, app: ASGIApp, heading: Heading) -> None:
        self.app = app
        self.heading = heading

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request_id = new_request_id()
        scope.setdefault("state", {})["request_id"] = request_id
        REQUEST_ID.set(request_id)
        spent: dict[str, float] = {}
        SPENT.set(spent)
        begin = time.perf_counter()

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = self.heading.head(scope, message.get("headers", []), request_id)
                seconds = time.perf_counter() - begin
                headers.append(self.heading.timing(scope, message["status"], seconds, spent))
                message["headers"] = headers
            await send(message)

        return await self.app(scope, receive, send_with_headers)


def _timing(total: float, spent: dict[str, float]) -> str:
    """Give the `Server-Timing` header (W3C): the whole request, and each plugin's calls.

    Calls of plugins run side by side, so their times may add up to more than the whole.
    """
    dearest = sorted(spent.copy().items(), key=lambda item: -item[1])
    told = [("total", total), *dearest[:MOST_TIMINGS]]
    if rest := dearest[MOST_TIMINGS:]:
        told.append(("others", sum(seconds for _, seconds in rest)))
    return ", ".join(f"{name};dur={seconds * 1000:.1f}" for name, seconds in told)


class ErrorMiddleware:
    """Answers whatever is raised inside with a page, a fragment or JSON, never a stack trace."""

    def __init__(self, app: ASGIApp, answer: Answer) -> None:
        self.app = app
        self.answer = answer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def send_noted(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self.app(scope, receive, send_noted)
        except Exception as error:
            if scope["type"] != "http" or started:
                raise
            response = await self.answer(Request(scope, receive), error)
            await response(scope, receive, send)


class MaintenanceMiddleware:
    """Answers 503 while the portal is closed; files, health and language go on."""

    def __init__(self, app: ASGIApp, watch: MaintenanceWatch, now: Callable[[], datetime]) -> None:
        self.app = app
        self.watch = watch
        self.now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not scope["path"].startswith(OPEN):
            if self.watch.is_due:
                await asyncio.to_thread(self.watch.look)
            if self.watch.state is not None:
                raise MaintenanceError(self.watch.state, self.now())
        return await self.app(scope, receive, send)
