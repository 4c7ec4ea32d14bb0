"""Finds out who asks, and lets all that follows be asked by them."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from callboard.identity import CLIENT_ADDRESS, NOBODY, Subject, acting_for
from callboard_web.identity.address import TrustedProxies
from callboard_web.identity.afterwards import do_work, has_work

Credentials = Callable[[HTTPConnection], Subject | None]
"""Gives the subject of a request by one kind of credential, or None where it brings none.

Raises `NotSignedInError` for one that is wrong: a bad token is refused, not passed over.
"""

Brought = Callable[[Scope], bool]
"""Says, without waiting for anything, whether a request may bring a kind of credential at all."""

IDENTIFIED: Final = "identified"
"""Where who asks is kept in a request's state, if it was found out before the layers."""

UNASKED: Final = ("/static/", "/healthz", "/readyz", "/favicon.ico")
"""Beginnings of the paths where it does not matter who asks."""


@dataclass(frozen=True, slots=True)
class Credential:
    """A kind of credential that is asked for only where a request may bring one."""

    ask: Credentials
    brought: Brought

    def __call__(self, connection: HTTPConnection) -> Subject | None:
        """Give who asks, as `Credentials`."""
        return self.ask(connection)


@dataclass(frozen=True, slots=True)
class Identified:
    """Who asks, or why that was refused."""

    subject: Subject | None = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Identifier:
    """Finds out who asks. The list of credentials is the portal's own, and may still grow."""

    credentials: list[Credentials]
    trusted: TrustedProxies

    def brought(self, scope: Scope) -> bool:
        """Say whether somebody may be named; a credential that cannot tell is to be asked."""
        for ask in self.credentials:
            brought: Brought | Any = getattr(ask, "brought", None)
            if brought is None or brought(scope):
                return True
        return False

    def find(self, scope: Scope) -> Identified:
        """Ask the credentials; `CLIENT_ADDRESS` must be set. Reads the database."""
        try:
            return Identified(identify(HTTPConnection(scope), self.credentials))
        except Exception as error:
            return Identified(error=error)


class IdentityMiddleware:
    """Asks each kind of credential in turn; where none is brought, nobody asks.

    It also finds out from which address they ask: `callboard.identity.CLIENT_ADDRESS`.
    """

    def __init__(self, app: ASGIApp, identifier: Identifier) -> None:
        self.app = app
        self.identifier = identifier

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # Nothing but pages knows who asks; the portal itself is only what begins and ends it.
            with acting_for(None if scope["type"] == "lifespan" else NOBODY):
                await self.app(scope, receive, send)
            return
        subject = NOBODY
        state = scope.setdefault("state", {})
        CLIENT_ADDRESS.set(self.identifier.trusted.client(HTTPConnection(scope)))
        with acting_for(NOBODY):
            if not scope["path"].startswith(UNASKED):
                subject = await self._subject(scope)
            state["subject"] = subject
            with acting_for(subject):
                await self.app(scope, receive, send)
        if has_work(scope):
            await asyncio.to_thread(do_work, scope)

    async def _subject(self, scope: Scope) -> Subject:
        found: Identified | None = scope["state"].pop(IDENTIFIED, None)
        if found is None:
            if not self.identifier.brought(scope):
                return NOBODY
            found = await asyncio.to_thread(self.identifier.find, scope)
        if found.error is not None:
            raise found.error
        return found.subject or NOBODY


def identify(connection: HTTPConnection, credentials: Sequence[Credentials]) -> Subject:
    """Ask each kind of credential in turn who it is; raises what they raise."""
    with acting_for(None):
        for ask in credentials:
            found = ask(connection)
            if found is not None:
                return found
    return NOBODY
