"""Requests to one API server, over the official client's authentication and connections."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from callboard.kubernetes.answer import Answer, document, unanswered
from callboard.kubernetes.credentials import make_client, misconfigured
from callboard.kubernetes.failures import NOT_ANSWERING, ClusterError, failure_of
from callboard.kubernetes.settings import ClusterSettings

if TYPE_CHECKING:
    from kubernetes.client import ApiClient
    from urllib3 import HTTPResponse

CONNECT_SECONDS: Final = 5.0
READ_SECONDS: Final = 30.0
RENEW_SECONDS: Final = 10.0
"""How often credentials that are refused are read again."""
MAXIMUM_FAILURE: Final = 1024**2

Query = Sequence[tuple[str, str]]


def _is_wanted(record: logging.LogRecord) -> bool:
    """Leave out that more connections were open than are kept: logs and watches hold many."""
    return "pool is full" not in str(record.msg)


logging.getLogger("urllib3.connectionpool").addFilter(_is_wanted)


def _nobody(error: ClusterError | None) -> None:
    """Tell nobody how the cluster fares."""


class Connection:
    """Asks one API server. It may be shared by threads; files are read at the first request.

    `noted` is told of each request how the cluster fares: None where it answered, else the error.
    """

    def __init__(
        self,
        settings: ClusterSettings,
        noted: Callable[[ClusterError | None], None] = _nobody,
    ) -> None:
        self.name: Final = settings.name
        self._settings: Final = settings
        self._noted: Final = noted
        self._lock = threading.Lock()
        self._client: ApiClient | None = None
        self._renew_from = 0.0

    def close(self) -> None:
        """End its connections."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()  # type: ignore[no-untyped-call]

    def ask(
        self,
        method: str,
        path: str,
        query: Query = (),
        *,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        headers: Mapping[str, str] | None = None,
        read_seconds: float = READ_SECONDS,
    ) -> Answer:
        """Ask and give the answer, body unread. Raises `ClusterError` unless it is a success.

        `body` is JSON. `read_seconds` is how long nothing may come. 304 is a success to who sent
        `If-None-Match`. Where credentials are refused, they are read again, and it is asked once
        more: tokens expire.
        """
        sent = {"Accept": accept, "User-Agent": "callboard", **(headers or {})}
        if body is not None:
            sent["Content-Type"] = content_type
        url = f"{path}{'?' if query else ''}{urlencode(query)}"
        try:
            answer = self._renewing(method, url, sent, body, read_seconds)
        except ClusterError as error:
            self._noted(error if error.state in NOT_ANSWERING else None)
            raise
        self._noted(None)
        return answer

    def read(
        self, path: str, query: Query = (), *, accept: str = "application/json"
    ) -> dict[str, Any]:
        """Give the JSON object at a path."""
        with self.ask("GET", path, query, accept=accept) as answer:
            return document(self.name, answer.read())

    def _renewing(
        self, method: str, url: str, sent: dict[str, str], body: Any, seconds: float
    ) -> Answer:
        client = self._current()
        try:
            return self._once(client, method, url, sent, body, seconds)
        except ClusterError as error:
            if error.state != "unauthenticated" or not self._renewed(client):
                raise
        return self._once(self._current(), method, url, sent, body, seconds)

    def _current(self) -> "ApiClient":
        with self._lock:
            if self._client is None:
                self._client = make_client(self._settings)
            return self._client

    def _renewed(self, refused: "ApiClient") -> bool:
        """Let the files be read again, unless that was done just now; say whether to try again."""
        with self._lock:
            if self._client is not refused:
                return True
            now = time.monotonic()
            if now < self._renew_from:
                return False
            self._renew_from, self._client = now + RENEW_SECONDS, None
        refused.close()  # type: ignore[no-untyped-call]
        return True

    def _once(
        self,
        client: "ApiClient",
        method: str,
        url: str,
        sent: Mapping[str, str],
        body: Any,
        seconds: float,
    ) -> Answer:
        headers = self._signed(client, sent)
        response = self._sent(client, method, url, headers, body, seconds)
        answer = Answer(self.name, response)
        known = response.status == 304 and "If-None-Match" in sent
        if known or 200 <= response.status < 300:
            return answer
        with answer:
            raise failure_of(
                self.name,
                response.status,
                response.headers.get("Content-Type", ""),
                answer.read(MAXIMUM_FAILURE),
                response.headers.get("Retry-After", ""),
            )

    def _signed(self, client: "ApiClient", sent: Mapping[str, str]) -> dict[str, str]:
        headers = dict(sent)
        try:
            # Tokens that are read again are kept in the configuration, which all threads share.
            with self._lock:
                client.update_params_for_auth(headers, [], ["BearerToken"], "", "", None)
        except (OSError, ValueError) as error:
            raise misconfigured(self.name, str(error)[:500]) from error
        if "authorization" in headers:
            headers["authorization"] = headers["authorization"].strip()
        return headers

    def _sent(
        self,
        client: "ApiClient",
        method: str,
        url: str,
        headers: dict[str, str],
        body: Any,
        seconds: float,
    ) -> "HTTPResponse":
        import urllib3
        from kubernetes.client.exceptions import ApiException

        try:
            response: HTTPResponse = client.call_api(
                method,
                client.configuration.host.rstrip("/") + url,
                header_params=headers,
                body=body,
                _request_timeout=(CONNECT_SECONDS, seconds),
            ).response
            return response
        except urllib3.exceptions.ReadTimeoutError as error:
            raise unanswered("slow", self.name, error) from error
        except ApiException as error:
            # What is wrong with a certificate is told so, in two lines.
            cause = error.__context__
            raise unanswered(
                "down", self.name, cause if isinstance(cause, Exception) else error
            ) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise unanswered("down", self.name, error) from error
