"""Webhooks: verified before anything is stored, then handled in a job."""

import asyncio
import uuid
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from callboard.contributions import Webhook, WebhookRequest
from callboard.errors import CallboardError, NotFoundError
from callboard.plugins import Contributed, PluginError
from callboard_web.csrf import read_body
from callboard_web.portal import Portal, portal_of
from callboard_web.routing import public
from callboard_web.webhooks import BODY_LIMIT, JOB_PREFIX, payload_of

DELIVERY_HEADERS: Final = ("x-github-delivery", "x-gitlab-event-uuid", "x-gitea-delivery")
"""The names senders give a delivery: one that is sent again while it waits is stored once."""


class NotVerifiedError(CallboardError):
    """The sender could not prove who it is."""

    status = 401
    name = "AuthenticationError"


async def receive(request: Request) -> Response:
    """Take a delivery: 401 where it is not genuine, 202 once it is stored."""
    portal = portal_of(request)
    webhook = _webhook(portal, request)
    body = await read_body(request, BODY_LIMIT)
    run = await asyncio.to_thread(_store, portal, webhook, request, body)
    return JSONResponse({"run": run}, 202)


def _webhook(portal: Portal, request: Request) -> Contributed[Webhook]:
    key = f"{request.path_params['plugin']}.{request.path_params['name']}"
    for item in portal.runtime.plugins.contributions.webhooks:
        if item.key == key:
            return item
    raise NotFoundError("There is no such webhook.", hint="The plugins page lists them.")


def _store(portal: Portal, webhook: Contributed[Webhook], request: Request, body: bytes) -> int:
    delivery = WebhookRequest(
        host=portal.runtime.host(webhook.plugin),
        headers={name.lower(): value for name, value in request.headers.items()},
        query=dict(request.query_params),
        body=body,
    )
    place = f"webhook {webhook.value.name}"
    genuine = portal.runtime.plugins.call(
        webhook, place, partial(webhook.value.verify, delivery), expected=bool
    )
    if isinstance(genuine, PluginError):
        raise CallboardError(f"The delivery could not be checked ({genuine.id}).")
    if not genuine:
        raise NotVerifiedError("The delivery is not signed as this webhook expects.")
    names = (request.headers.get(name, "") for name in DELIVERY_HEADERS)
    key = next((name[:200] for name in names if name), str(uuid.uuid4()))
    name = f"{JOB_PREFIX}{webhook.value.name}"
    return portal.runtime.jobs.submit(None, webhook.plugin, name, payload_of(delivery), key=key)


ROUTES = [
    public(
        "/hooks/{plugin}/{name}",
        receive,
        why="Deliveries prove themselves by a signature.",
        methods=["POST"],
    )
]
