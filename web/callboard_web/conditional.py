"""Answers that need not be sent again: an entity tag for each, 304 where the browser has it.

RFC 9110, sections 8.8.3, 13.1.2 and 15.4.5. A page is different each time by its token alone, so
the tag is made of the rest: the token of the earlier answer is as good (`portal.Masked`).
"""

import hashlib
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KEPT: Final = frozenset({b"cache-control", b"content-location", b"date", b"etag", b"expires",
                          b"vary"})  # fmt: skip


class ConditionalMiddleware:
    """Tags whole answers to GET and leaves out those that `If-None-Match` names."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
            return await self.app(scope, receive, send)
        start: Message | None = None

        async def send_tagged(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if message["type"] == "http.response.body" and start is not None:
                head, start = start, None
                if _is_whole(head, message):
                    message = _tagged(scope, head, message)
                await send(head)
            await send(message)

        return await self.app(scope, receive, send_tagged)


def _is_whole(head: Message, body: Message) -> bool:
    """Say whether this is an answer that a browser may keep: not one that sets a cookie."""
    headers = Headers(raw=head["headers"])
    return (
        head["status"] == 200
        and not body.get("more_body", False)
        and "set-cookie" not in headers
        and "no-store" not in headers.get("cache-control", "")
    )


def _tagged(scope: Scope, head: Message, body: Message) -> Message:
    headers = MutableHeaders(raw=head["headers"])
    tag = headers.setdefault("etag", _tag(scope, body.get("body", b"")))
    asked = Headers(scope=scope).get("if-none-match", "")
    if not asked or tag.removeprefix("W/") not in _tags(asked):
        return body
    head["status"] = 304
    head["headers"] = [pair for pair in head["headers"] if pair[0].lower() in _KEPT]
    return {**body, "body": b""}


def _tag(scope: Scope, content: bytes) -> str:
    digest = hashlib.blake2b(digest_size=12)
    masked = scope.get("state", {}).get("masked")
    if masked is not None:
        digest.update(masked.valid.encode())
        content = content.replace(masked.token.encode(), b"")
    digest.update(content)
    # Weak: what is sent may be compressed in several ways.
    return f'W/"{digest.hexdigest()}"'


def _tags(header: str) -> set[str]:
    """Give the tags of `If-None-Match`, compared weakly as it asks for."""
    return {part.strip().removeprefix("W/") for part in header.split(",")[:50]}
