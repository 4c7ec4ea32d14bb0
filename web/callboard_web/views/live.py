"""The stream of what changes, for pages that are open: one connection for each browser."""

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from callboard.events.stream import Batch, Subscription
from callboard_web.portal import portal_of

BEAT: Final = 5.0
"""Seconds between signs of life; the page says it is not live after two of them are missing."""

PAUSE: Final = 0.25
"""Seconds to wait after a batch, so that a great change is told of in few pieces."""

MOST_SUBJECTS: Final = 200
MOST_READERS: Final = 500
MOST_DIGITS: Final = 18


async def live(request: Request) -> Response:
    """Answer a stream of server-sent events (HTML standard, section 9.2)."""
    events = portal_of(request).runtime.events
    if events.subscribers >= MOST_READERS:
        return PlainTextResponse("Too many open pages.", 503, {"retry-after": "30"})
    last = request.headers.get("last-event-id", "")
    after = int(last) if last.isdecimal() and len(last) <= MOST_DIGITS else None
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    content = stream_of(events.subscribe(after=after))
    return StreamingResponse(content, media_type="text/event-stream", headers=headers)


async def stream_of(subscription: Subscription) -> AsyncGenerator[str, None]:
    """Give the messages for one reader until the stream ends."""
    with subscription:
        yield "retry: 3000\nevent: beat\ndata:\n\n"
        while True:
            batch = await subscription.receive(BEAT)
            if batch.closed:
                return
            yield message_of(batch)
            if batch.events:
                await asyncio.sleep(PAUSE)


def message_of(batch: Batch) -> str:
    """Give a batch as one message: what changed, or that everything must be loaded anew."""
    if batch.resync:
        return 'event: change\ndata: {"all": true}\n\n'
    if not batch.events:
        return "event: beat\ndata:\n\n"
    subjects = sorted({event.subject for event in batch.events})
    data = {
        "kinds": sorted({event.kind for event in batch.events}),
        "subjects": subjects[:MOST_SUBJECTS],
        "all": len(subjects) > MOST_SUBJECTS,
    }
    return f"id: {batch.events[-1].id}\nevent: change\ndata: {json.dumps(data)}\n\n"


ROUTES = [Route("/live", live)]
