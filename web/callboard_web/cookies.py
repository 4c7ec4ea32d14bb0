"""Cookies that only this host can set: over https each is sent under the prefix `__Host-`.

RFC 6265bis, section 4.1.3.2: a browser takes such a cookie only with `Secure`, `Path=/` and no
`Domain`, so that neither another host of the same domain nor plain http can plant one.
"""

from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREFIX: Final = b"__Host-"
OURS: Final = b"callboard_"
BY_SCRIPT: Final = frozenset({b"callboard_zone"})
"""Set by the portal's own script in the browser, and taken as no more than a wish."""


class HostCookieMiddleware:
    """Adds the prefix on the way out and takes it off on the way in.

    Over https a cookie of ours without the prefix is none: it may be planted.
    """

    def __init__(self, app: ASGIApp, is_secure: Callable[[Scope], bool]) -> None:
        self.app = app
        self.is_secure = is_secure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not self.is_secure(scope):
            await self.app(scope, receive, send)
            return
        headers = [
            (name, _received(value) if name == b"cookie" else value)
            for name, value in scope["headers"]
        ]

        async def send_prefixed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    (name, _sent(value) if name.lower() == b"set-cookie" else value)
                    for name, value in message["headers"]
                ]
            await send(message)

        await self.app({**scope, "headers": headers}, receive, send_prefixed)


def _received(header: bytes) -> bytes:
    kept = []
    for pair in header.split(b";"):
        cookie = pair.strip()
        name = cookie.partition(b"=")[0].strip()
        if name.startswith(PREFIX + OURS):
            kept.append(cookie.removeprefix(PREFIX))
        elif not name.startswith(OURS) or name in BY_SCRIPT:
            kept.append(cookie)
    return b"; ".join(kept)


def _sent(value: bytes) -> bytes:
    name = value.partition(b"=")[0]
    if not name.startswith(OURS) or name in BY_SCRIPT:
        return value
    attributes = {part.strip().lower() for part in value.split(b";")[1:]}
    return PREFIX + value + (b"" if b"secure" in attributes else b"; Secure")
