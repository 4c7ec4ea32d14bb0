"""The stream of what changes, for pages that are open: one connection for each browser."""

import asyncio
import json
import random
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse

from callboard import events
from callboard.contributions import Event
from callboard.events.stream import Batch, Subscription
from callboard_web.activity.hearing import Hearing, about_seen
from callboard_web.portal import portal_of
from callboard_web.routing import reading

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

BEAT: Final = 5.0
"""Seconds between signs of life; the page says it is not live after two of them are missing."""

PAUSE: Final = 0.25
"""Seconds to wait after a batch, so that a great change is told of in few pieces."""

SPREAD: Final = 0.02
"""Seconds for each open page, over which all of them load anew what has changed."""

MOST_SPREAD: Final = 20.0
LONGEST: Final = 900.0
"""Seconds that one connection is kept: then it is asked anew who listens."""

DECIDED: Final = 10.0
"""Seconds for which it holds what somebody may hear of."""

CHECKED: Final = 30.0
"""Seconds after which a connection of somebody whose session has ended ends as well."""

MOST_AGO: Final = timedelta(minutes=10)
OVERLAP: Final = timedelta(milliseconds=500)
"""An event bears the time at which it was written, and is seen when its transaction ends."""

MOST_SUBJECTS: Final = 200
MOST_READERS: Final = 2000
MOST_DIGITS: Final = 18


async def live(request: Request) -> Response:
    """Answer a stream of server-sent events (HTML standard, section 9.2).

    `Last-Event-ID`, or `after` where another page of the browser listened before this one, is the
    number of the last change that was heard: what came since is told first. A page that has heard
    nothing says by `ago` how many milliseconds ago it was asked for: what came while it was drawn
    and loaded is told to it as well.
    """
    runtime = portal_of(request).runtime
    stream = runtime.events
    if stream.subscribers >= MOST_READERS:
        return PlainTextResponse("Too many open pages.", 503, {"retry-after": "30"})
    heard = request.headers.get("last-event-id") or request.query_params.get("after", "")
    after = _number(heard)
    if after is None:
        after = await asyncio.to_thread(_drawn_at, runtime, request.query_params.get("ago", ""))
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    portal = portal_of(request)
    content = stream_of(
        stream.subscribe(after=after), Told(runtime), lambda: portal.is_same(request)
    )
    return StreamingResponse(content, media_type="text/event-stream", headers=headers)


class Told:
    """Picks the events that one reader is told of, while they listen."""

    def __init__(self, runtime: "Runtime") -> None:
        self._runtime = runtime
        self._hearing: Hearing | None = None
        self._until = 0.0

    async def of(self, found: Sequence[Event]) -> Sequence[Event]:
        """Leave out what the one who asks may not hear of."""
        if not found:
            return found
        if self._hearing is None or time.monotonic() >= self._until:
            self._hearing = await asyncio.to_thread(self._decide)
            self._until = time.monotonic() + DECIDED
        kept = self._hearing.of_kinds(found)
        if self._hearing.everything or not kept:
            return kept
        return await asyncio.to_thread(about_seen, self._runtime.catalog, kept)

    def now(self, found: Sequence[Event]) -> Sequence[Event]:
        """Do the same at once, for one answer."""
        return about_seen(self._runtime.catalog, self._decide().of_kinds(found))

    def _decide(self) -> Hearing:
        return Hearing.of(self._runtime.services, self._runtime.catalog)


async def stream_of(
    subscription: Subscription, told: Told, is_same: Callable[[], bool] = lambda: True
) -> AsyncGenerator[str, None]:
    """Give the messages for one reader until the stream ends.

    It ends by itself after a while: the browser comes back, and it is asked again who it is; and
    soon after it is not the same any more who listens.
    """
    end = time.monotonic() + LONGEST
    checked = time.monotonic() + CHECKED
    with subscription:
        # After a restart of the server not all come back at the same moment.
        retry = random.randint(2000, 6000)  # noqa: S311 - nothing secret hangs on it
        yield f"retry: {retry}\nevent: beat\ndata:\n\n"
        while time.monotonic() < end:
            batch = await subscription.receive(BEAT)
            if batch.closed:
                return
            if time.monotonic() >= checked:
                if not await asyncio.to_thread(is_same):
                    return
                checked = time.monotonic() + CHECKED
            yield message_of(batch, await told.of(batch.events), subscription.readers)
            if batch.events:
                await asyncio.sleep(PAUSE)


def changes(request: Request) -> Response:
    """Answer what has changed since the number `after`, for browsers that cannot listen.

    `ago` is as for `live`.
    """
    runtime = portal_of(request).runtime
    after = _number(request.query_params.get("after", ""))
    if after is None:
        after = _drawn_at(runtime, request.query_params.get("ago", ""))
    with runtime.database.read() as connection:
        newest = events.newest(connection)
        if after is None or after == newest:
            return JSONResponse({"id": newest, "change": None})
        lost = after > newest or after < events.oldest(connection) - 1
        found = [] if lost else events.read(connection, after, limit=MOST_SUBJECTS + 1)
    told = [] if lost else Told(runtime).now(found)
    change = {"all": True} if lost else change_of(told) if told else None
    return JSONResponse({"id": found[-1].id if found else newest, "change": change})


def change_of(found: Sequence[Event], readers: int = 1) -> dict[str, object]:
    """Give what a page needs to know of events: kinds, subjects, seconds to load anew within."""
    subjects = sorted({event.subject for event in found})
    return {
        "kinds": sorted({event.kind for event in found}),
        "subjects": subjects[:MOST_SUBJECTS],
        "all": len(subjects) > MOST_SUBJECTS,
        "within": round(min(readers * SPREAD, MOST_SPREAD), 1),
    }


def message_of(batch: Batch, told: Sequence[Event], readers: int = 1) -> str:
    """Give a batch as one message: what changed, or that everything must be loaded anew.

    `told` are those of its events that the reader may hear of.
    """
    if batch.resync:
        within = round(min(readers * SPREAD, MOST_SPREAD), 1)
        return f'event: change\ndata: {{"all": true, "within": {within}}}\n\n'
    if not batch.events:
        return "event: beat\ndata:\n\n"
    heard = batch.events[-1].id
    if not told:
        return f"id: {heard}\nevent: beat\ndata:\n\n"
    change = json.dumps(change_of(told, readers))
    return f"id: {heard}\nevent: change\ndata: {change}\n\n"


def _drawn_at(runtime: "Runtime", ago: str) -> int | None:
    """Give the last change that a page can show which was asked for so many milliseconds ago."""
    milliseconds = _number(ago)
    if milliseconds is None or milliseconds > MOST_AGO.total_seconds() * 1000:
        return None
    moment = runtime.now() - timedelta(milliseconds=milliseconds) - OVERLAP
    with runtime.database.read() as connection:
        return events.newest_before(connection, moment)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None


ROUTES = [
    reading("/live", live),
    reading("/live/changes", changes),
]
