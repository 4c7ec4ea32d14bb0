"""The client for all HTTP requests of Callboard and its plugins."""

import logging
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urljoin

import httpcore
import httpx

from callboard import __version__
from callboard.errors import InputError, NotReadyError, reason_of
from callboard.http.budget import Budgets, HostBudget
from callboard.http.guard import Guard
from callboard.http.response import Response, check_size, read_body
from callboard.http.retry import IDEMPOTENT, RETRIED_STATUS, Backoff, read_retry_after
from callboard.http.transport import GuardedTransport, deadline
from callboard.i18n import Message, Text, Translator
from callboard.redaction import RedactingFilter, redact

_ = Translator("callboard")

MAXIMUM_REDIRECTS: Final = 5
MAXIMUM_URL_LENGTH: Final = 8000
_HOST: Final = re.compile(r"[\w.:-]+")
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_KEPT_ON_OTHER_HOSTS: Final = frozenset({"accept", "accept-language", "if-none-match"})

_BROKEN: Final = (
    httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError,
    httpx.TransportError,
)  # fmt: skip

# httpx and httpcore log whole URLs and headers.
for _name in ("httpx", *(f"httpcore.{part}" for part in ("connection", "http11", "proxy"))):
    logging.getLogger(_name).addFilter(RedactingFilter())


def _is_wanted(record: logging.LogRecord) -> bool:
    """Leave a line for every request to those who look for faults: there are thousands."""
    return record.levelno > logging.INFO or logging.getLogger().isEnabledFor(logging.DEBUG)


logging.getLogger("httpx").addFilter(_is_wanted)


@dataclass(slots=True)
class _Call:
    """One call of the client: what to ask, and until when."""

    method: str
    url: httpx.URL
    headers: httpx.Headers
    content: bytes | None
    ends: float
    retry_after: float | None = field(default=None)


class HttpClient:
    """A thread-safe client; close it, or use it as a context manager.

    Times in seconds: `timeout` bounds a whole call with its retries, redirects and pauses,
    `connect_timeout` and `read_timeout` each wait of its kind. `retries` counts further attempts of
    idempotent requests after a lost connection or a status 429, 502, 503 or 504; a `Retry-After`
    is kept, and when it is longer than `maximum_pause` the answer is given as it is.
    `maximum_bytes` bounds an unpacked body. `allow_hosts` and `allow_private`: see `Guard`.
    `credentials` gives the headers to send to an origin (`https://host[:port]`); it is asked for
    every request, so secrets are read when used, and headers never follow to another origin.
    `budget_limit` requests may be sent to a host in `budget_period`.
    """

    def __init__(
        self,
        *,
        timeout: float = 30.0,
        connect_timeout: float = 5.0,
        read_timeout: float = 15.0,
        retries: int = 3,
        maximum_pause: float = 20.0,
        maximum_bytes: int = 10 * 2**20,
        allow_hosts: Iterable[str] = (),
        allow_private: bool = False,
        credentials: Callable[[str], Mapping[str, str]] | None = None,
        ca_bundle: Path | None = None,
        proxy: str | None = None,
        budget_limit: int = 600,
        budget_period: float = 60.0,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._timeout = timeout
        self._retries = retries
        self._maximum_pause = maximum_pause
        self._maximum_bytes = maximum_bytes
        self._credentials = credentials or (lambda origin: {})
        self._backoff = backoff or Backoff()
        self._clock = clock
        self._sleep = sleep
        self._budgets = Budgets(budget_limit, budget_period, clock)
        guard = Guard(tuple(allow_hosts), allow_private)
        self._transport = GuardedTransport(guard, ca_bundle=ca_bundle, proxy=proxy)
        self._client = httpx.Client(
            transport=self._transport,
            timeout=httpx.Timeout(read_timeout, connect=connect_timeout),
            headers={"user-agent": f"callboard/{__version__}", "accept-encoding": "gzip"},
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def budget(self) -> dict[str, HostBudget]:
        """Give counters and what is left of the budget for each host that was asked."""
        return self._budgets.snapshot()

    def check(self, url: str) -> None:
        """Raise `InputError` for a URL or host that would be refused, without asking it.

        A name that cannot be resolved now is no reason.
        """
        self._transport.check(_check_url(url))

    def get(
        self, url: str, *, headers: Mapping[str, str] | None = None, etag: str | None = None
    ) -> Response:
        """Ask for a URL; with the `etag` of an earlier answer the status is 304 if it is the same.

        Errors as in `request`.
        """
        condition = {"If-None-Match": etag} if etag else {}
        return self.request("GET", url, headers={**(headers or {}), **condition})

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
        json: Any = None,
        idempotent: bool | None = None,
        redirects: bool = True,
    ) -> Response:
        """Send a request and give the answer, whatever its status (see `Response.checked`).

        `idempotent` says whether it may be sent twice; by default its method does. Redirects are
        followed for GET and HEAD only, and only with `redirects`. Raises `InputError` for a
        refused URL or host and for an answer that is too large, `NotReadyError` when there is no
        answer in time.
        """
        call = self._call(method.upper(), _check_url(url), headers, content, json)
        if idempotent is None:
            idempotent = call.method in IDEMPOTENT
        for _attempt in range(MAXIMUM_REDIRECTS + 1):
            response = self._attempts(call, self._retries if idempotent else 0)
            following = _redirected(call, response) if redirects else None
            if following is None:
                return response
            call = following
        raise NotReadyError(
            _(
                "%(url)s redirects more than %(limit)s times.",
                url=redact(str(call.url)),
                limit=MAXIMUM_REDIRECTS,
            ),
            hint=_("Give the address it leads to in the end."),
        )

    def stream(
        self, url: str, *, headers: Mapping[str, str] | None = None, maximum_bytes: int
    ) -> Iterator[bytes]:
        """Give the body of an answer piece by piece, at most so many bytes of it.

        Nothing is tried again, no redirect is followed, and every piece has the time of a whole
        call. Raises as `request` does, and for a status that is no success what it means.
        """
        call = self._call("GET", _check_url(url), headers, None, None)
        self._wait_for_budget(call, _place(call.url))
        request = self._client.build_request(
            "GET", call.url, headers={**call.headers, "accept-encoding": "identity"}
        )
        try:
            with deadline(time.monotonic() + self._timeout):
                answer = self._client.send(request, stream=True, auth=None)
            try:
                yield from self._pieces(answer, maximum_bytes)
            finally:
                answer.close()
        except _BROKEN as error:
            raise NotReadyError(
                _("%(url)s did not answer: %(reason)s.", url=redact(str(call.url)),
                  reason=_failure(error))
            ) from error  # fmt: skip

    def _pieces(self, answer: httpx.Response, maximum_bytes: int) -> Iterator[bytes]:
        url = redact(str(answer.url))
        Response(answer.status_code, answer.headers, b"", url).checked()
        encoding = answer.headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity"):
            raise NotReadyError(
                _(
                    "The answer is packed as %(encoding)s, which was not asked for.",
                    encoding=repr(encoding[:40]),
                )
            )
        pieces = answer.iter_raw()
        size = 0
        while True:
            # The deadline is that of the thread: it must not last while the caller works.
            with deadline(time.monotonic() + self._timeout):
                piece = next(pieces, None)
            if piece is None:
                return
            size += len(piece)
            check_size(size, maximum_bytes)
            yield piece

    def _call(
        self,
        method: str,
        url: httpx.URL,
        headers: Mapping[str, str] | None,
        content: bytes | None,
        json: Any,
    ) -> _Call:
        try:
            request = httpx.Request(method, url, headers=headers, content=content, json=json)
        except (ValueError, TypeError) as error:
            raise InputError(_("The request holds characters that cannot be sent.")) from error
        # Both are set anew for each host the request is sent to.
        for name in ("host", "content-length"):
            request.headers.pop(name, None)
        ends = self._clock() + self._timeout
        return _Call(method, url, request.headers, request.content or None, ends)

    def _attempts(self, call: _Call, retries: int) -> Response:
        host = _place(call.url)
        for attempt in range(retries + 1):
            response, failure = self._try(call, host)
            if response is not None and response.status not in RETRIED_STATUS:
                return response
            self._budgets.count(host, failures=1)
            pause = self._backoff.pause(attempt, call.retry_after)
            late = pause > self._maximum_pause or self._clock() + pause >= call.ends
            if attempt == retries or late:
                break
            self._budgets.count(host, retries=1)
            self._sleep(pause)
        if response is not None:
            return response
        raise NotReadyError(
            _("%(url)s did not answer: %(reason)s.", url=redact(str(call.url)), reason=failure),
            hint=_(
                "Check the address, the network, the proxy and the CA bundle; "
                "it is tried again later."
            ),
        )

    def _try(self, call: _Call, host: str) -> tuple[Response | None, Text]:
        """Send once; give the answer, or why there is none though there may be one later."""
        call.retry_after = None
        self._wait_for_budget(call, host)
        try:
            response = self._send(call)
        except (httpcore.TimeoutException, httpx.TimeoutException):
            return None, _("it took too long")
        except (
            httpcore.NetworkError,
            httpcore.ProtocolError,
            httpcore.ProxyError,
            httpx.TransportError,
        ) as error:
            return None, _failure(error)
        value = response.headers.get("retry-after")
        call.retry_after = read_retry_after(value, datetime.now(UTC))
        self._budgets.count(host, not_modified=response.not_modified, size=len(response.body))
        return response, ""

    def _send(self, call: _Call) -> Response:
        headers = {**call.headers, **self._credentials(_origin(call.url))}
        try:
            request = self._client.build_request(
                call.method, call.url, headers=headers, content=call.content
            )
        except (ValueError, TypeError) as error:
            raise _unsendable_header() from error
        if any(re.search(rb"[\x00\r\n]", value) for _, value in request.headers.raw):
            raise _unsendable_header()
        remaining = call.ends - self._clock()
        with deadline(time.monotonic() + remaining):
            answer = self._client.send(request, stream=True, auth=None)
            try:
                encoding = answer.headers.get("content-encoding", "").strip().lower()
                empty = call.method == "HEAD" or answer.status_code in (204, 304)
                body = b"" if empty else self._read(answer, encoding)
            finally:
                answer.close()
        return Response(answer.status_code, answer.headers, body, redact(str(call.url)))

    def _read(self, answer: httpx.Response, encoding: str) -> bytes:
        declared = answer.headers.get("content-length", "")
        check_size(int(declared[:20]) if declared.isdecimal() else 0, self._maximum_bytes)
        return read_body(answer.iter_raw(), encoding, self._maximum_bytes)

    def _wait_for_budget(self, call: _Call, host: str) -> None:
        wait = self._budgets.reserve(host, max(0.0, call.ends - self._clock()))
        if wait is None:
            raise NotReadyError(
                _("The budget of requests to %(host)s is used up.", host=host),
                hint=_("It is tried again later; raise the budget if the host allows more."),
            )
        if wait > 0:
            self._sleep(wait)


def _unsendable_header() -> InputError:
    return InputError(_("A request header holds characters that cannot be sent."))


def _failure(error: Exception) -> Text:
    """Say why there was no answer. What the guard and the system say can be translated."""
    cause = error.args[0] if error.args else None
    if isinstance(cause, Message):
        return cause
    if isinstance(cause, OSError) and isinstance(reason := reason_of(cause), Message):
        return reason
    return redact(str(error) or type(error).__name__)[:200].rstrip(".")


def _check_url(text: str) -> httpx.URL:
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        raise InputError(_("%(text)s is not a URL.", text=repr(redact(text)[:200]))) from error
    named = _HOST.fullmatch(url.host) and len(text) <= MAXIMUM_URL_LENGTH
    if url.scheme not in ("http", "https") or not named:
        raise InputError(
            _("The URL %(url)s is refused.", url=repr(redact(text)[:200])),
            hint=_("Expected https://host/path."),
        )
    if url.userinfo:
        raise InputError(
            _("The URL %(url)s holds a user name or password.", url=repr(redact(text)[:200])),
            hint=_("Give credentials for the host in the settings instead."),
        )
    return url.copy_with(fragment=None)


def _origin(url: httpx.URL) -> str:
    return f"{url.scheme}://{_place(url)}"


def _place(url: httpx.URL) -> str:
    return url.netloc.decode("ascii")


def _redirected(call: _Call, response: Response) -> _Call | None:
    """Give the call a redirect leads to, without what is meant for the first host only."""
    location = response.headers.get("location")
    if response.status not in _REDIRECTS or not location or call.method not in ("GET", "HEAD"):
        return None
    url = _check_url(urljoin(str(call.url), location))
    if call.url.scheme == "https" and url.scheme != "https":
        raise InputError(
            _(
                "%(url)s redirects to an unencrypted address, which is refused.",
                url=redact(str(call.url)),
            )
        )
    headers = call.headers
    if _origin(url) != _origin(call.url):
        kept = {k: v for k, v in headers.items() if k.lower() in _KEPT_ON_OTHER_HOSTS}
        headers = httpx.Headers(kept)
    return replace(call, url=url, headers=headers)
