"""Deliveries of other systems: verified at the door, handled in a job."""

import base64
import re
import zlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from callboard.contributions import Job, JobContext, Webhook, WebhookRequest
from callboard.plugins import Contributed

BODY_LIMIT: Final = 5 * 1024 * 1024
JOB_PREFIX: Final = "webhook-"
_SECRET_HEADER: Final = re.compile(r"authorization|cookie|token|secret|password|signature|api-key")


def payload_of(request: WebhookRequest) -> dict[str, Any]:
    """Give a delivery as the payload of its run. Headers that prove who sent it are left out."""
    headers = {
        name: value for name, value in request.headers.items() if not _SECRET_HEADER.search(name)
    }
    body = base64.b64encode(zlib.compress(request.body)).decode()
    return {"headers": headers, "query": dict(request.query), "body": body}


def webhook_jobs(webhooks: Sequence[Contributed[Webhook]]) -> list[Contributed[Job]]:
    """Give the job of each webhook, to be registered beside those the plugins contribute."""
    return [
        Contributed(
            item.plugin,
            Job(
                name=f"{JOB_PREFIX}{item.value.name}",
                title=item.value.title,
                run=partial(_handle, item.value),
            ),
        )
        for item in webhooks
    ]


def _handle(webhook: Webhook, context: JobContext) -> None:
    payload: Mapping[str, Any] = context.payload
    body = zlib.decompressobj().decompress(base64.b64decode(payload["body"]), BODY_LIMIT)
    webhook.handle(
        WebhookRequest(
            host=context.host, headers=payload["headers"], query=payload["query"], body=body
        )
    )
