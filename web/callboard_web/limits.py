"""No request may send more than is read in one piece, nor take for ever to send it."""

import asyncio
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callboard.errors import CallboardError
from callboard.i18n import Translator
from callboard_web.csrf import TooLargeError

_: Final = Translator("callboard")

LIMIT: Final = 5 * 1024 * 1024
"""Bytes of one request's body, as for webhooks; forms are bounded more tightly."""
SECONDS: Final = 120.0
"""Seconds in which a request's body must have come, from when it is first waited for."""


class TooSlowError(CallboardError):
    """A body did not come in time (RFC 9110, 15.5.9)."""

    status = 408
    name = "RequestTimeoutError"


class BodyLimitMiddleware:
    """Refuses bodies beyond the limit: by their stated length at once, else where they pass it.

    One that does not come within `seconds` is refused, too.
    """

    def __init__(self, app: ASGIApp, limit: int = LIMIT, seconds: float = SECONDS) -> None:
        self.app = app
        self.limit = limit
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if stated.isdigit() and int(stated) > self.limit:
            raise self._too_large()
        total, whole, until = 0, False, 0.0

        async def receive_bounded() -> Message:
            nonlocal total, whole, until
            if whole:
                # What comes now is that the client has gone, which may be in hours.
                return await receive()
            until = until or asyncio.get_running_loop().time() + self.seconds
            try:
                async with asyncio.timeout_at(until):
                    message = await receive()
            except TimeoutError as error:
                raise TooSlowError(
                    _("The body of the request did not come in time."),
                    hint=_("Send it in one piece, or less of it at a time."),
                ) from error
            whole = not message.get("more_body", False)
            total += len(message.get("body", b""))
            if total > self.limit:
                raise self._too_large()
            return message

        await self.app(scope, receive_bounded, send)

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"The body is larger than {self.limit // 1024} KiB.")
