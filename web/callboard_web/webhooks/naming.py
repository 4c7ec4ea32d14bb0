"""What names a delivery, and what says of which kind it is, where a webhook does not say it."""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Final

DELIVERY_HEADERS: Final = (
    "x-github-delivery",
    "x-gitea-delivery",
    "x-forgejo-delivery",
    "x-gogs-delivery",
    "webhook-id",
    "idempotency-key",
    "x-gitlab-event-uuid",
    "x-request-uuid",
    "ce-id",
)
"""The names senders give a delivery, the same when they send it again. `webhook-id` is that of
Standard Webhooks, `ce-id` that of CloudEvents over HTTP."""

TIME_HEADERS: Final = ("webhook-timestamp", "x-gitee-timestamp", "x-timestamp", "ce-time")

EVENT_HEADERS: Final = (
    "x-github-event",
    "x-gitlab-event",
    "x-gitea-event",
    "x-gitee-event",
    "x-forgejo-event",
    "x-gogs-event",
    "x-event-key",
    "ce-type",
)


def delivery_name(headers: Mapping[str, str], body: bytes) -> str:
    """Give the name of a delivery.

    Where its sender gives it none, that is the hash of body and time stamp; without a time stamp
    two that are alike may be two things, so each has a name of its own.
    """
    named = _first(headers, DELIVERY_HEADERS)
    if named:
        return bounded(named)
    at = _first(headers, TIME_HEADERS)
    if not at:
        return str(uuid.uuid4())
    return "sha256:" + hashlib.sha256(at.encode() + b"\n" + body).hexdigest()


def event_name(headers: Mapping[str, str]) -> str:
    """Give what the sender says it tells of, such as `push`; empty where it says nothing."""
    return _first(headers, EVENT_HEADERS)


def bounded(name: str) -> str:
    """Give a name as it is kept: what is too long, or of odd characters, by its hash."""
    if len(name) <= 200 and name.isascii() and name.isprintable():
        return name
    return "sha256:" + hashlib.sha256(name.encode(errors="replace")).hexdigest()


def _first(headers: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((headers[name] for name in names if headers.get(name)), "")
