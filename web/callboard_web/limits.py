"""No request may send more than is read in one piece."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callboard_web.csrf import TooLargeError

LIMIT: Final = 5 * 1024 * 1024
"""Bytes of one request's body, as for webhooks; forms are bounded more tightly."""


class BodyLimitMiddleware:
    """Refuses bodies beyond the limit: by their stated length at once, else where they pass it."""

    def __init__(self, app: ASGIApp, limit: int = LIMIT) -> None:
        self.app = app
        self.limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if stated.isdigit() and int(stated) > self.limit:
            raise self._too_large()
        total = 0

        async def receive_bounded() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > self.limit:
                raise self._too_large()
            return message

        await self.app(scope, receive_bounded, send)

    def _too_large(self) -> TooLargeError:
        return TooLargeError(f"The body is larger than {self.limit // 1024} KiB.")
