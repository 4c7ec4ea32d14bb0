"""Connections to checked addresses only, each read bounded by the deadline of the whole request."""

import contextlib
import ssl
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final
from urllib.request import (  # type: ignore[attr-defined]
    getproxies_environment,
    proxy_bypass_environment,
)

import httpcore
import httpx

from callboard.errors import InputError, NotReadyError, reason_of
from callboard.http.guard import Guard
from callboard.i18n import Translator

_ = Translator("callboard")

_DEADLINE: Final[ContextVar[float | None]] = ContextVar("callboard_http_deadline", default=None)


@contextmanager
def deadline(moment: float) -> Iterator[None]:
    """End every read and write of this thread at a moment of the monotonic clock (s)."""
    token = _DEADLINE.set(moment)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def _within(timeout: float | None) -> float | None:
    moment = _DEADLINE.get()
    if moment is None:
        return timeout
    remaining = moment - time.monotonic()
    if remaining <= 0:
        raise httpcore.ReadTimeout("the time for the whole request is over")
    return remaining if timeout is None else min(timeout, remaining)


class _Stream(httpcore.NetworkStream):
    """A stream that keeps the deadline, also against a server that sends byte by byte."""

    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _within(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _within(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, _within(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Connects to addresses that the guard let through; without a guard (a proxy) to any."""

    def __init__(self, guard: Guard | None) -> None:
        self._guard = guard
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self._guard.resolve(host, port) if self._guard else [host]
        except NotReadyError as error:
            reason = _("the host name %(host)s could not be resolved", host=repr(host[:200]))
            raise httpcore.ConnectError(reason) from error
        last: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in addresses:
            try:
                return _Stream(
                    self._backend.connect_tcp(
                        address, port, _within(timeout), local_address, socket_options
                    )
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                last = error
        raise last or httpcore.ConnectError(f"{host} has no address")


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        self._stream.close()


class GuardedTransport(httpx.BaseTransport):
    """An httpx transport over guarded connections.

    `proxy` is the URL of a proxy for all hosts; None takes those named in the environment
    (`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`). A proxy resolves names itself, so
    behind one only literal addresses and `localhost` are checked here.
    """

    def __init__(self, guard: Guard, *, ca_bundle: Path | None, proxy: str | None) -> None:
        self._guard = guard
        self._context = _ssl_context(ca_bundle)
        self._proxies = getproxies_environment() if proxy is None else {"all": proxy}
        self._direct = httpcore.ConnectionPool(
            ssl_context=self._context, network_backend=_Backend(guard), keepalive_expiry=5.0
        )
        self._pools: dict[str, httpcore.HTTPProxy] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; errors are those of httpcore."""
        url = request.url
        answer = self._pool(url).handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=_Body(answer.stream),
            extensions=answer.extensions,
        )

    def check(self, url: httpx.URL) -> None:
        """Raise `InputError` for a host that may not be reached."""
        # Behind a proxy, choosing the connections checks all that can be told from here.
        if self._pool(url) is self._direct:
            with contextlib.suppress(NotReadyError):
                self._guard.resolve(url.host, url.port or 443)

    def close(self) -> None:
        """Close all connections."""
        for pool in (self._direct, *self._pools.values()):
            pool.close()

    def _pool(self, url: httpx.URL) -> httpcore.ConnectionPool:
        proxy = self._proxies.get(url.scheme) or self._proxies.get("all")
        bypass = "no" in self._proxies and proxy_bypass_environment(
            f"{url.host}:{url.port}" if url.port else url.host, self._proxies
        )
        if not proxy or bypass:
            return self._direct
        self._guard.check_literal(url.host)
        if proxy not in self._pools:
            self._pools[proxy] = self._proxied(proxy)
        return self._pools[proxy]

    def _proxied(self, url: str) -> httpcore.HTTPProxy:
        parsed = httpx.URL(url if "://" in url else f"http://{url}")
        if parsed.scheme not in ("http", "https"):
            raise InputError(
                _("The proxy protocol %(name)s is not supported.", name=repr(parsed.scheme[:20])),
                hint=_("Expected http://host:port or https://host:port."),
            )
        return httpcore.HTTPProxy(
            proxy_url=str(parsed.copy_with(username=None, password=None)),
            proxy_auth=(parsed.username, parsed.password) if parsed.username else None,
            ssl_context=self._context,
            network_backend=_Backend(None),
            keepalive_expiry=5.0,
        )


def _ssl_context(ca_bundle: Path | None) -> ssl.SSLContext:
    if ca_bundle is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=str(ca_bundle))
    except (OSError, ssl.SSLError) as error:
        raise InputError(
            _(
                "The CA bundle %(path)s cannot be used: %(reason)s.",
                path=str(ca_bundle),
                reason=reason_of(error),
            ),
            hint=_("Expected a file of certificates in PEM form."),
        ) from error
