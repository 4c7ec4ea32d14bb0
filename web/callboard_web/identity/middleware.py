"""Finds out who asks, and lets all that follows be asked by them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from callboard.identity import CLIENT_ADDRESS, NOBODY, Subject, acting_for
from callboard_web.identity.address import TrustedProxies
from callboard_web.identity.afterwards import do_work, has_work

Credentials = Callable[[HTTPConnection], Subject | None]
"""Gives the subject of a request by one kind of credential, or None where it brings none.

Raises `NotSignedInError` for one that is wrong: a bad token is refused, not passed over.
"""

UNASKED: Final = ("/static/", "/healthz", "/readyz", "/favicon.ico")
"""Beginnings of the paths where it does not matter who asks."""


class IdentityMiddleware:
    """Asks each kind of credential in turn; where none is brought, nobody asks.

    It also finds out from which address they ask: `callboard.identity.CLIENT_ADDRESS`.
    """

    def __init__(
        self, app: ASGIApp, credentials: list[Credentials], trusted: TrustedProxies
    ) -> None:
        self.app = app
        self.credentials = credentials
        self.trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # Nothing but pages knows who asks; the portal itself is only what begins and ends it.
            with acting_for(None if scope["type"] == "lifespan" else NOBODY):
                await self.app(scope, receive, send)
            return
        subject = NOBODY
        state = scope.setdefault("state", {})
        CLIENT_ADDRESS.set(self.trusted.client(HTTPConnection(scope)))
        with acting_for(NOBODY):
            if not scope["path"].startswith(UNASKED):
                subject = await asyncio.to_thread(identify, HTTPConnection(scope), self.credentials)
            state["subject"] = subject
            with acting_for(subject):
                await self.app(scope, receive, send)
        if has_work(scope):
            await asyncio.to_thread(do_work, scope)


def identify(connection: HTTPConnection, credentials: Sequence[Credentials]) -> Subject:
    """Ask each kind of credential in turn who it is; raises what they raise."""
    with acting_for(None):
        for ask in credentials:
            found = ask(connection)
            if found is not None:
                return found
    return NOBODY
