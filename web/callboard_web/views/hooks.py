"""Where other systems send their deliveries."""

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from callboard_web.csrf import read_body
from callboard_web.portal import Portal, portal_of
from callboard_web.routing import public
from callboard_web.webhooks.hooks import hook_at
from callboard_web.webhooks.masking import BODY_LIMIT
from callboard_web.webhooks.receiving import Taken


async def receive(request: Request) -> Response:
    """Take a delivery: 401 where it is not genuine, 202 once it is stored, 200 if it was before."""
    portal = portal_of(request)
    body = await read_body(request, BODY_LIMIT)
    taken = await asyncio.to_thread(_receive, portal, request, body)
    content = {"delivery": taken.delivery, "run": taken.run, "repeated": taken.repeated}
    return JSONResponse(content, 200 if taken.repeated else 202)


def _receive(portal: Portal, request: Request, body: bytes) -> Taken:
    plugin, name = request.path_params["plugin"], request.path_params["name"]
    hook = hook_at(portal.runtime, plugin, name)
    headers = {name.lower(): value for name, value in request.headers.items()}
    return portal.runtime.receiver.receive(hook, headers, dict(request.query_params), body)


ROUTES = [
    public(
        "/hooks/{plugin}/{name}",
        receive,
        why="Deliveries prove themselves by a signature.",
        methods=["POST"],
    )
]
