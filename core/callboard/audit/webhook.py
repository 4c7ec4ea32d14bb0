"""Batches of entries as JSON, signed, to a server of the site's own."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Final

import orjson

from callboard.audit.delivery import Sent
from callboard.audit.settings import WebhookDestination
from callboard.errors import NotReadyError

if TYPE_CHECKING:
    from callboard.http import HttpClient

TIMESTAMP: Final = "x-callboard-timestamp"
SIGNATURE: Final = "x-callboard-signature"
DELIVERY: Final = "x-callboard-delivery"


class WebhookCarrier:
    """Carries entries to one address; any answer of 200 to 299 is the receipt for the batch."""

    def __init__(
        self,
        settings: WebhookDestination,
        http: Callable[[], "HttpClient"],
        now: Callable[[], datetime],
    ) -> None:
        self._settings = settings
        self._http = http
        self._now = now

    @property
    def batch(self) -> int:
        return self._settings.batch

    def deliver(self, chain: str, entries: list[Sent]) -> None:
        body = orjson.dumps({"chain": chain, "entries": entries})
        timestamp = str(int(self._now().timestamp()))
        response = self._http().request(
            "POST",
            self._settings.url,
            content=body,
            headers={
                "content-type": "application/json",
                TIMESTAMP: timestamp,
                SIGNATURE: signature(self._settings.secret.get_secret_value(), timestamp, body),
                DELIVERY: f"{entries[0]['position']}-{entries[-1]['position']}",
            },
            redirects=False,
        )
        if not 200 <= response.status < 300:
            raise NotReadyError(
                f"The destination {self._settings.name} answered {response.status}.",
                hint="Expected 200 to 299; it is tried again.",
            )


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """Give `sha256=` and the HMAC-SHA256, in hexadecimal, of the timestamp, a dot and the body."""
    signed = timestamp.encode() + b"." + body
    return "sha256=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
