"""The short way to an answer: past the routes, the threads and most of the layers.

It gives what is kept, and makes what can be made of what is in memory and one read (`Fresh`).

It gives what the long way would give, headers included, or nothing at all: whatever is unusual, or
takes more than a look, goes the long way. What it must know of each request it finds out each
time: who asks, whether their token may still ask, what they may see by the policy of this moment,
whether the portal is closed, and whether the catalog has changed since the answer was made.
"""

import asyncio
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callboard.identity import CLIENT_ADDRESS, NOBODY, Subject
from callboard_web.catalog_api.answering import send_pieces
from callboard_web.catalog_api.fresh import Fresh
from callboard_web.catalog_api.kept import VARY, Kept, KeptAnswer, Question, known_form, tag_head
from callboard_web.catalog_api.model import MOUNT
from callboard_web.compression import accepted
from callboard_web.identity.afterwards import do_work, has_work
from callboard_web.identity.middleware import IDENTIFIED, Identified, Identifier
from callboard_web.maintenance import MaintenanceWatch
from callboard_web.middleware import Headers, Heading, new_request_id
from callboard_web.sessions.cookie import may_bring
from callboard_web.tokens.credential import STATE, Bearer
from callboard_web.tokens.machines import Machines

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

LOOKED_AT: Final = frozenset({b"accept-encoding", b"if-none-match"})
UNUSUAL: Final = frozenset({b"content-length", b"transfer-encoding"})
"""Headers with which a request is none of those that are answered here: it has a body."""

BY_TOKEN: Final = (b"vary", b"Accept-Encoding, Authorization")


class ShortWay:
    """Answers from what is kept or quickly made, where that is all there is to do."""

    def __init__(
        self,
        app: ASGIApp,
        runtime: "Runtime",
        kept: Kept,
        fresh: Fresh,
        identifier: Identifier,
        machines: Machines,
        watch: MaintenanceWatch,
        heading: Heading,
    ) -> None:
        self.app = app
        self.kept = kept
        self.fresh = fresh
        self.identifier = identifier
        self.machines = machines
        self.watch = watch
        self.heading = heading
        self.services = runtime.services
        self.usage = runtime.usage

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, self._watched(receive), send)
            return
        if scope["type"] != "http" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        if not scope["path"].startswith(MOUNT) or not await self._answered(scope, send):
            await self.app(scope, receive, send)

    def _watched(self, receive: Receive) -> Receive:
        """Begin and end with the server: without one, all goes the long way."""

        async def receive_watched() -> Message:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.fresh.glance.open()
            elif message["type"] == "lifespan.shutdown":
                await self.fresh.glance.close()
            return message

        return receive_watched

    async def _answered(self, scope: Scope, send: Send) -> bool:
        begin = time.perf_counter()
        asked = Question("GET", scope["path"], scope["query_string"])
        headers = _headers(scope)
        if headers is None or not self._may_answer(asked, headers) or await self._is_closed():
            return False
        subject = await self._subject(scope)
        coding = accepted(headers.get(b"accept-encoding", ""))
        found = None if subject is None else await self._find(scope, asked, subject, coding)
        if found is None:
            return False
        coding = found.coding(coding)
        told = self._taken(scope) if coding in found.forms else None
        if told is None:
            return False
        status, head = HTTPStatus.OK, found.head(coding)
        pieces = found.forms[coding]
        known = known_form(found.tag, headers.get(b"if-none-match", ""))
        if known is not None:
            status, head, pieces = HTTPStatus.NOT_MODIFIED, tag_head(found.tag, known), ()
        head = self.heading.head(scope, _with(head, told), new_request_id())
        noted = {"method": "GET", "route": found.route}
        head.append(self.heading.timing(noted, status, time.perf_counter() - begin, {}))
        self.usage.asked(asked.path)
        await send({"type": "http.response.start", "status": int(status), "headers": head})
        await send_pieces(send, pieces)
        if has_work(scope):
            await asyncio.to_thread(do_work, scope)
        return True

    async def _subject(self, scope: Scope) -> Subject | None:
        """Give who asks; None where it is refused, which the long way tells."""
        scope.setdefault("state", {})
        if not self.identifier.brought(scope):
            return NOBODY
        CLIENT_ADDRESS.set(self.identifier.trusted.client(HTTPConnection(scope)))
        identified: Identified = await asyncio.to_thread(self.identifier.find, scope)
        # The long way, if it is gone after all, must not count or record it twice.
        scope["state"][IDENTIFIED] = identified
        return identified.subject

    def _may_answer(self, asked: Question, headers: dict[bytes, str]) -> bool:
        """Say whether it is kept for anyone at all, or may be made here.

        What the client may have already is not made to find that out.
        """
        if self.kept.holds(asked):
            return True
        return b"if-none-match" not in headers and self.fresh.place(asked) is not None

    async def _is_closed(self) -> bool:
        """Say whether the portal is closed, as `MaintenanceMiddleware`."""
        if self.watch.is_due:
            await asyncio.to_thread(self.watch.look)
        return self.watch.state is not None

    async def _find(
        self, scope: Scope, asked: Question, subject: Subject, coding: str
    ) -> KeptAnswer | None:
        """Give the answer for one who asks, by the state of the database at this moment."""
        if self.kept.holds(asked):
            numbers = await self.fresh.look()
            if numbers is None:
                return None
            generation, policy = numbers
            sees = self.services.access.filter_of(policy, subject)
            if sees is None or sees.nothing:
                return None
            found = self.kept.find(generation, sees, asked)
            if found is not None:
                return found if found.is_short else None
        place = self.fresh.place(asked)
        if place is None or not self._has_left(scope):
            return None
        return await self.fresh.answer(place, asked, subject, coding)

    def _has_left(self, scope: Scope) -> bool:
        """Say whether a token may still ask: an answer that it is not given is not made."""
        bearer: Bearer | None = scope["state"].get(STATE)
        burst = self.machines.settings.burst
        return bearer is None or self.machines.buckets.has(bearer.key, bearer.rate, burst)

    def _taken(self, scope: Scope) -> Headers | None:
        """Count a request of a token; give what is told of that, None for one too many."""
        bearer: Bearer | None = scope["state"].get(STATE)
        if bearer is None:
            return []
        taken = self.machines.buckets.take(bearer.key, bearer.rate, self.machines.settings.burst)
        if not taken.allowed:
            return None
        self.machines.metrics.count("taken")
        return [(name.lower().encode(), value.encode()) for name, value in taken.headers().items()]


def _headers(scope: Scope) -> dict[bytes, str] | None:
    """Give the headers that matter; None for a request with others than are known here."""
    found: dict[bytes, str] = {}
    for name, value in scope["headers"]:
        if name in UNUSUAL:
            return None
        if name in LOOKED_AT:
            if name in found:
                return None
            found[name] = value.decode("latin-1")
    return None if may_bring(scope) else found


def _with(head: Headers, told: Headers) -> Headers:
    """Add what is told to a token, as `BearerMiddleware` does."""
    if not told:
        return head
    return [*(pair for pair in head if pair != VARY), BY_TOKEN, *told]
