import contextlib
import gzip
import http.server
import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from callboard.errors import InputError, NotReadyError
from callboard.http import HttpClient

Handler = Callable[["Server", http.server.BaseHTTPRequestHandler], None]


class Server:
    """A real server on loopback; each path has a function that answers."""

    def __init__(self) -> None:
        self.routes: dict[str, Handler] = {}
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        outer = self

        class RequestHandler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {key.lower(): value for key, value in self.headers.items()}
                outer.seen.append((self.command, self.path, headers, body))
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    outer.routes[self.path.partition("?")[0]](outer, self)

            do_GET = do_POST = do_HEAD = do_PUT = handle_any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RequestHandler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def answer(
    handler: http.server.BaseHTTPRequestHandler,
    status: int = 200,
    body: bytes = b"",
    **headers: str,
) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name.replace("_", "-"), value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body)


def always(status: int = 200, body: bytes = b"", **headers: str) -> Handler:
    return lambda server, handler: answer(handler, status, body, **headers)


@pytest.fixture
def server() -> Iterator[Server]:
    instance = Server()
    yield instance
    instance.close()


@pytest.fixture
def other() -> Iterator[Server]:
    instance = Server()
    yield instance
    instance.close()


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def make(
    pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., HttpClient]]:
    for name in (
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    with contextlib.ExitStack() as stack:

        def build(**settings: Any) -> HttpClient:
            settings.setdefault("allow_hosts", ("127.0.0.1", "localhost"))
            settings.setdefault("sleep", pauses.append)
            return stack.enter_context(HttpClient(**settings))

        yield build


def test_get_gives_status_headers_body(server: Server, make: Callable[..., HttpClient]) -> None:
    server.routes["/a"] = always(200, b"hello", Content_Type="text/plain", ETag='"1"')
    response = make().get(server.url("/a?x=1"), headers={"Accept": "text/plain"})
    assert (response.status, response.body, response.etag) == (200, b"hello", '"1"')
    assert response.headers["content-type"] == "text/plain"
    assert server.seen[0][2]["accept"] == "text/plain"
    assert server.seen[0][2]["host"] == f"127.0.0.1:{server.port}"


def test_conditional_request_shows_not_modified(
    server: Server, make: Callable[..., HttpClient]
) -> None:
    def conditional(_: Server, handler: http.server.BaseHTTPRequestHandler) -> None:
        same = handler.headers.get("If-None-Match") == '"1"'
        answer(handler, 304 if same else 200, b"" if same else b"body", ETag='"1"')

    server.routes["/a"] = conditional
    client = make()
    first = client.get(server.url("/a"))
    second = client.get(server.url("/a"), etag=first.etag)
    assert (first.not_modified, second.not_modified) == (False, True)
    assert client.budget()[f"127.0.0.1:{server.port}"].not_modified == 1


def test_packed_answers_are_unpacked(server: Server, make: Callable[..., HttpClient]) -> None:
    server.routes["/a"] = always(200, gzip.compress(b"hello"), Content_Encoding="gzip")
    assert make().get(server.url("/a")).body == b"hello"


def test_post_sends_json(server: Server, make: Callable[..., HttpClient]) -> None:
    server.routes["/a"] = always(201, b"{}")
    assert make().request("post", server.url("/a"), json={"名": 1}).status == 201
    method, _, headers, body = server.seen[0]
    assert (method, json.loads(body)) == ("POST", {"名": 1})
    assert headers["content-type"] == "application/json"


def test_retries_until_the_server_recovers(
    server: Server, make: Callable[..., HttpClient], pauses: list[float]
) -> None:
    def unsteady(current: Server, handler: http.server.BaseHTTPRequestHandler) -> None:
        answer(handler, {1: 503, 2: 429}.get(len(current.seen), 200), b"ok", Retry_After="7")

    server.routes["/a"] = unsteady
    client = make(timeout=100)
    assert client.get(server.url("/a")).status == 200
    assert pauses == [7.0, 7.0]
    state = client.budget()[f"127.0.0.1:{server.port}"]
    assert (state.requests, state.retries, state.failures) == (3, 2, 2)


def test_gives_up_after_the_last_retry_with_the_answer(
    server: Server, make: Callable[..., HttpClient], pauses: list[float]
) -> None:
    server.routes["/a"] = always(503)
    assert make(retries=2).get(server.url("/a")).status == 503
    assert len(server.seen) == 3
    assert len(pauses) == 2
    assert pauses[0] <= 0.2
    assert pauses[1] <= 0.4


def test_long_retry_after_is_not_waited_for(
    server: Server, make: Callable[..., HttpClient], pauses: list[float]
) -> None:
    server.routes["/a"] = always(429, Retry_After="86400")
    assert make().get(server.url("/a")).status == 429
    assert (pauses, len(server.seen)) == ([], 1)


def test_post_is_sent_once_unless_idempotent(
    server: Server, make: Callable[..., HttpClient]
) -> None:
    server.routes["/a"] = always(503)
    client = make(retries=2)
    assert client.request("POST", server.url("/a")).status == 503
    assert len(server.seen) == 1
    client.request("POST", server.url("/a"), idempotent=True)
    assert len(server.seen) == 4


def test_lost_connection_is_retried(server: Server, make: Callable[..., HttpClient]) -> None:
    def lose_first(current: Server, handler: http.server.BaseHTTPRequestHandler) -> None:
        if len(current.seen) == 1:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
        else:
            answer(handler, 200, b"ok")

    server.routes["/a"] = lose_first
    assert make().get(server.url("/a")).body == b"ok"


def test_refused_connection_is_not_ready(make: Callable[..., HttpClient]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        with pytest.raises(NotReadyError, match="did not answer"):
            make(retries=1).get(f"http://127.0.0.1:{port}/a?token=secret-value")


def test_errors_hold_no_secret(server: Server, make: Callable[..., HttpClient]) -> None:
    server.routes["/a"] = always(404)
    with pytest.raises(Exception, match="404") as caught:
        make().get(server.url("/a?token=secret-value")).checked()
    assert "secret-value" not in str(caught.value)


def test_logs_hold_no_secret(
    server: Server, make: Callable[..., HttpClient], caplog: pytest.LogCaptureFixture
) -> None:
    server.routes["/a"] = always(200)
    with caplog.at_level(logging.DEBUG):
        make().get(
            server.url("/a?token=secret-value"), headers={"Authorization": "Bearer s3cr3t-x"}
        )
    assert "token=***" in caplog.text
    assert "secret-value" not in caplog.text
    assert "s3cr3t-x" not in caplog.text


def test_requests_are_logged_for_those_who_look_for_faults(
    server: Server, make: Callable[..., HttpClient], caplog: pytest.LogCaptureFixture
) -> None:
    server.routes["/a"] = always(200)
    for level, is_told in ((logging.INFO, False), (logging.DEBUG, True)):
        with caplog.at_level(level):
            make().get(server.url("/a"))
        assert ("HTTP Request" in caplog.text) is is_told


def test_large_answers_are_cut_off(server: Server, make: Callable[..., HttpClient]) -> None:
    def endless(_: Server, handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    server.routes["/endless"] = endless
    server.routes["/declared"] = always(200, b"x" * 2000)
    client = make(maximum_bytes=1000)
    for path in ("/endless", "/declared"):
        with pytest.raises(InputError, match="larger than 1000 bytes"):
            client.get(server.url(path))


def test_slow_answers_are_cut_off_in_total(server: Server, make: Callable[..., HttpClient]) -> None:
    def drip(_: Server, handler: http.server.BaseHTTPRequestHandler) -> None:
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 100:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.05)

    server.routes["/headers"] = drip
    started = time.monotonic()
    with pytest.raises(NotReadyError, match="too long"):
        make(timeout=0.4, read_timeout=0.3).get(server.url("/headers"))
    assert time.monotonic() - started < 1.5


def test_silent_server_times_out(server: Server, make: Callable[..., HttpClient]) -> None:
    server.routes["/a"] = lambda current, handler: time.sleep(1)
    with pytest.raises(NotReadyError, match="too long"):
        make(read_timeout=0.1, retries=1).get(server.url("/a"))
    assert len(server.seen) == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::1]", "0.0.0.0"])
def test_private_hosts_are_refused(
    server: Server, make: Callable[..., HttpClient], host: str
) -> None:
    with pytest.raises(InputError, match="refused"):
        make(allow_hosts=()).get(server.url("/a", host))
    assert server.seen == []


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:9"])
def test_an_address_is_checked_without_asking_it(
    server: Server, make: Callable[..., HttpClient], proxy: str | None
) -> None:
    client = make(allow_hosts=("127.0.0.2",), proxy=proxy)
    client.check("http://127.0.0.2/a")
    for url in (server.url("/a", "127.0.0.1"), "http://localhost/a"):
        with pytest.raises(InputError, match="refused"):
            client.check(url)
    with pytest.raises(InputError):
        client.check("ftp://127.0.0.2/a")
    client.check("https://no-such-host.invalid/a")
    assert server.seen == []


def test_redirect_to_a_private_host_is_refused(
    server: Server, other: Server, make: Callable[..., HttpClient]
) -> None:
    server.routes["/a"] = always(302, Location=other.url("/secret", "127.0.0.2"))
    with pytest.raises(InputError, match=r"127\.0\.0\.2.*refused"):
        make().get(server.url("/a"))


def test_a_name_that_changes_its_address_gains_nothing(
    server: Server, make: Callable[..., HttpClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the name is public when asked first and private from then on."""
    answers = iter(["192.0.43.7", "127.0.0.1"])
    asked = []
    connected = []

    def resolve(host: str, port: int, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        address = next(answers)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        connected.append(address[0])
        raise ConnectionRefusedError("nothing listens")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with pytest.raises(InputError, match="private or loopback"):
        make(allow_hosts=()).get(server.url("/a", "rebind.example"))
    assert asked == ["rebind.example", "rebind.example"]
    assert connected == ["192.0.43.7"]


def test_redirects_are_followed_and_counted(
    server: Server, make: Callable[..., HttpClient]
) -> None:
    server.routes["/a"] = always(301, Location="/b?x=1")
    server.routes["/b"] = always(200, b"here")
    server.routes["/loop"] = always(302, Location="/loop")
    response = make().get(server.url("/a"))
    assert (response.body, response.url) == (b"here", server.url("/b?x=1"))
    with pytest.raises(NotReadyError, match="redirects more than"):
        make().get(server.url("/loop"))


def test_redirects_are_left_alone_where_they_are_not_wanted(
    server: Server, make: Callable[..., HttpClient]
) -> None:
    server.routes["/a"] = always(302, Location="/b")
    assert make().request("GET", server.url("/a"), redirects=False).status == 302
    assert len(server.seen) == 1


def test_post_is_not_redirected(server: Server, make: Callable[..., HttpClient]) -> None:
    server.routes["/a"] = always(307, Location="/b")
    assert make().request("POST", server.url("/a"), content=b"x").status == 307
    assert len(server.seen) == 1


def test_secrets_stay_with_their_host(
    server: Server, other: Server, make: Callable[..., HttpClient]
) -> None:
    secrets = {
        server.url(""): {"Private-Token": "for-server"},
        other.url(""): {"X-Key": "for-other"},
    }
    server.routes["/a"] = always(302, Location=other.url("/b"), Set_Cookie="session=1")
    other.routes["/b"] = always(302, Location=server.url("/c"))
    server.routes["/c"] = always(200)
    client = make(credentials=lambda origin: secrets.get(origin, {}))
    headers = {"Authorization": "Bearer mine", "X-Api-Key": "mine", "Accept": "text/html"}
    client.get(server.url("/a"), headers=headers)
    first, last, foreign = server.seen[0][2], server.seen[1][2], other.seen[0][2]
    assert (first["authorization"], first["private-token"]) == ("Bearer mine", "for-server")
    assert foreign["x-key"] == "for-other"
    assert foreign["accept"] == "text/html"
    assert not {"authorization", "x-api-key", "private-token", "cookie"} & foreign.keys()
    assert last["private-token"] == "for-server"
    assert not {"authorization", "x-key", "cookie"} & last.keys()


def test_budget_waits_and_then_refuses(
    server: Server, make: Callable[..., HttpClient], pauses: list[float]
) -> None:
    server.routes["/a"] = always(200)
    client = make(budget_limit=2, budget_period=20.0, timeout=15.0, clock=lambda: 0.0)
    for _ in range(3):
        client.get(server.url("/a"))
    assert pauses == [10.0]
    with pytest.raises(NotReadyError, match="budget of requests"):
        client.get(server.url("/a"))
    state = client.budget()[f"127.0.0.1:{server.port}"]
    assert (state.requests, state.waited, state.limit) == (3, 10.0, 2)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "ftp://example.com/",
        "//example.com/",
        "http://",
        "https://user:secret@example.com/",
        "http://exa mple.com/",
        "http://example.com/\r\nX: y",
        "https://example.com/" + "a" * 9000,
    ],
)
def test_bad_urls_are_refused(make: Callable[..., HttpClient], url: str) -> None:
    with pytest.raises(InputError) as caught:
        make().get(url)
    assert "secret" not in str(caught.value)


def test_header_injection_is_refused(server: Server, make: Callable[..., HttpClient]) -> None:
    server.routes["/a"] = always(200)
    with pytest.raises(InputError, match="header"):
        make(retries=0).get(server.url("/a"), etag='"1"\r\nX-Injected: yes')
    assert server.seen == []


def test_explicit_proxy_is_used(server: Server, make: Callable[..., HttpClient]) -> None:
    server.routes["http://example.com/a"] = always(200, b"by proxy")
    proxy = f"http://user:pass@127.0.0.1:{server.port}"
    response = make(proxy=proxy, allow_hosts=()).get("http://example.com/a")
    assert response.body == b"by proxy"
    assert server.seen[0][2]["proxy-authorization"] == "Basic dXNlcjpwYXNz"
    with pytest.raises(InputError):
        make(proxy=proxy, allow_hosts=()).get("http://169.254.169.254/latest/")


def test_proxy_of_the_environment_is_used(
    server: Server, make: Callable[..., HttpClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.routes["http://example.com/a"] = always(200, b"by proxy")
    server.routes["/direct"] = always(200, b"direct")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.port}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    client = make()
    assert client.get("http://example.com/a").body == b"by proxy"
    assert client.get(server.url("/direct")).body == b"direct"


def test_missing_ca_bundle_is_named(make: Callable[..., HttpClient], tmp_path: Any) -> None:
    with pytest.raises(InputError, match=r"missing\.pem"):
        make(ca_bundle=tmp_path / "missing.pem")
