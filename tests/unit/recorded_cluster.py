"""A small real server that answers like an API server: with what a test puts there."""

import base64
import contextlib
import http.server
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from callboard.testing import absent

FIXTURES = Path(__file__).parents[3] / "shared/fixtures"
BREAK = b"\0break"
"""In the place of a piece: the connection ends here, without a word."""


def fixture(path: str) -> bytes:
    """Give a recorded file, or skip the test where there are none."""
    file = FIXTURES / path
    if not file.exists():
        absent(f"the recorded answers are not at {FIXTURES}")
    return file.read_bytes()


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What is answered; `pieces` are sent one by one, as they are given."""

    body: bytes | Mapping[str, Any] = b""
    status: int = 200
    content_type: str = "application/json"
    headers: Sequence[tuple[str, str]] = ()
    pieces: Iterable[bytes] | None = None

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Answering = Callable[[Request], Reply]


@dataclass
class ClusterServer:
    """Answers on loopback what `routes` say, by method and path; else like an absent kind."""

    context: ssl.SSLContext | None = None
    routes: dict[tuple[str, str], Answering] = field(default_factory=dict)
    seen: list[Request] = field(default_factory=list)

    def __post_init__(self) -> None:
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                outer.answer(self)

            do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = handle_any  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self) -> tuple[socket.socket, Any]:
                connection, address = super().get_request()
                if outer.context is None:
                    return connection, address
                # The handshake is made by the thread that answers.
                return outer.context.wrap_socket(
                    connection, server_side=True, do_handshake_on_connect=False
                ), address

            def handle_error(self, *_: Any) -> None:
                """Clients that do not trust this server leave amid the handshake."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"{'https' if self.context else 'http'}://127.0.0.1:{self.port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def on(self, method: str, path: str, *answers: Answering | Reply) -> None:
        """Answer requests with these, one after the other; with the last from then on."""
        left = list(answers)

        def answer(request: Request) -> Reply:
            found = left.pop(0) if len(left) > 1 else left[0]
            return found if isinstance(found, Reply) else found(request)

        self.routes[method, path] = answer

    def asked(self, path: str) -> list[Request]:
        """Give the requests for a path."""
        return [request for request in self.seen if request.path == path]

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        parts = urlsplit(handler.path)
        request = Request(
            handler.command,
            parts.path,
            dict(parse_qsl(parts.query, keep_blank_values=True)),
            {name.lower(): value for name, value in handler.headers.items()},
            handler.rfile.read(int(handler.headers.get("content-length") or 0)),
        )
        self.seen.append(request)
        found = self.routes.get((request.method, request.path))
        reply = (
            found(request)
            if found
            else Reply(b"404 page not found\n", 404, "text/plain; charset=utf-8")
        )
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            _send(handler, reply)


def _send(handler: http.server.BaseHTTPRequestHandler, reply: Reply) -> None:
    handler.send_response(reply.status)
    handler.send_header("Content-Type", reply.content_type)
    for name, value in reply.headers:
        handler.send_header(name, value)
    if reply.status in (204, 304):
        handler.end_headers()
        return
    if reply.pieces is None:
        handler.send_header("Content-Length", str(len(reply.data)))
        handler.end_headers()
        handler.wfile.write(reply.data)
        return
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for piece in reply.pieces:
        if piece == BREAK:
            handler.close_connection = True
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
        handler.wfile.flush()
    handler.wfile.write(b"0\r\n\r\n")


def status(code: int, reason: str, message: str = "", **more: Any) -> Reply:
    """Give a failure as an API server writes it."""
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message, "reason": reason, "code": code, **more}  # fmt: skip
    return Reply(body, code)


# TLS and kubeconfig


def make_certificate(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1 that is its own authority, and its key beside it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cluster")])
    now = datetime.now(UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "ca.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def server_context(certificate: Path) -> ssl.SSLContext:
    """Give the TLS side of a server with a certificate of `make_certificate`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    return context


def write_kubeconfig(
    path: Path, server: str, user: Mapping[str, Any], certificate: Path | None = None
) -> Path:
    """Write a kubeconfig whose context `work` leads to a server; the current one leads nowhere."""
    cluster: dict[str, Any] = {"server": server}
    if certificate is not None:
        cluster["certificate-authority-data"] = base64.b64encode(certificate.read_bytes()).decode()
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "other",
                "contexts": [
                    {"name": "work", "context": {"cluster": "work", "user": "portal"}},
                    {"name": "other", "context": {"cluster": "other", "user": "portal"}},
                ],
                "clusters": [
                    {"name": "work", "cluster": cluster},
                    {"name": "other", "cluster": {"server": "https://127.0.0.1:1"}},
                ],
                "users": [{"name": "portal", "user": dict(user)}],
            }
        )
    )
    return path
