"""A Git server over HTTP for tests: `git http-backend`, and what may go wrong on the way."""

import base64
import contextlib
import gzip
import http.server
import os
import shutil
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

from callboard.git import Credentials
from callboard.testing import absent

TOKEN = "t0ken-of-the-test-0123456789"
SIGN_IN = Credentials(username="robot", password=TOKEN)
BASIC = "Basic " + base64.b64encode(f"robot:{TOKEN}".encode()).decode()


def git(directory: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", *arguments]
    environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    result = subprocess.run(
        command, cwd=directory, check=True, capture_output=True, env=environment
    )
    return result.stdout.decode().strip()


class GitServer:
    """Serves the repositories below `root`; what it does to a request can be changed.

    `said` is given in the place of every answer: a content type and a body. Connections are kept
    with `alive`; they are counted.
    """

    def __init__(
        self, root: Path, context: ssl.SSLContext | None = None, *, alive: bool = False
    ) -> None:
        self.root = root
        self.said: tuple[str, bytes] | None = None
        self.silent = False
        self.is_old = False
        self.packed = False
        self.connections = 0
        self.asked: list[str] = []
        self.secured = False
        self.status = 0
        self.redirect = ""
        self.stalled = False
        self.packs = 0
        self.released = threading.Event()
        self.seen: list[dict[str, str]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1" if alive else "HTTP/1.0"
            # Head and body are two writes; on a connection that is kept they would wait.
            disable_nagle_algorithm = True

            def setup(self) -> None:
                outer.connections += 1
                super().setup()

            def do_GET(self) -> None:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    outer.answer(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if context else "http"
        self.port = int(self._server.server_address[1])
        self.base = f"{scheme}://127.0.0.1:{self.port}"
        self.url = f"{self.base}/origin.git"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        self.seen.append({key.lower(): value for key, value in handler.headers.items()})
        self.asked.append(f"{handler.command} {handler.path}")
        body = self.body(handler)
        if self.silent:
            self.released.wait(60)
        if self.said:
            self.send(handler, {"Content-Type": self.said[0]}, self.said[1])
        elif self.redirect:
            self.plain(handler, 302, Location=self.redirect + handler.path)
        elif self.status:
            self.plain(handler, self.status)
        elif self.secured and handler.headers.get("Authorization") != BASIC:
            self.plain(handler, 401, WWW_Authenticate='Basic realm="test"')
        else:
            self.serve(handler, body)

    def serve(self, handler: http.server.BaseHTTPRequestHandler, body: bytes) -> None:
        output = self.run_backend(handler, body)
        head, _, body = output.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        if self.packed and "gzip" in handler.headers.get("Accept-Encoding", ""):
            fields["Content-Encoding"], body = "gzip", gzip.compress(body)
        self.send_head(handler, fields, len(body))
        if b"PACK" in body:
            self.packs += 1
            if self.stalled:
                middle = body.index(b"PACK") + 150_000
                handler.wfile.write(body[:middle])
                self.released.wait(60)
                body = body[middle:]
        handler.wfile.write(body)

    def send_head(
        self, handler: http.server.BaseHTTPRequestHandler, fields: dict[str, str], size: int
    ) -> None:
        handler.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(size))
        handler.end_headers()

    def send(
        self, handler: http.server.BaseHTTPRequestHandler, fields: dict[str, str], body: bytes
    ) -> None:
        self.send_head(handler, fields, len(body))
        handler.wfile.write(body)

    def plain(
        self, handler: http.server.BaseHTTPRequestHandler, status: int, **headers: str
    ) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    def body(self, handler: http.server.BaseHTTPRequestHandler) -> bytes:
        if handler.headers.get("Transfer-Encoding") != "chunked":
            return handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        body = b""
        while size := int(handler.rfile.readline(), 16):
            body += handler.rfile.read(size)
            handler.rfile.readline()
        return body

    def run_backend(self, handler: http.server.BaseHTTPRequestHandler, body: bytes) -> bytes:
        path, _, query = handler.path.partition("?")
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": handler.command,
            "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": "" if self.is_old else handler.headers.get("Git-Protocol", ""),
            "REMOTE_USER": "robot",
        }
        command = ["git", "http-backend"]
        return subprocess.run(
            command, input=body, env=environment, check=True, stdout=subprocess.PIPE
        ).stdout


def make_root(folder: Path) -> Path:
    """Make a folder with the repository `origin.git` of 50 files, and its work tree beside it."""
    root, work = folder / "root", folder / "work"
    for path in (root, work):
        path.mkdir()
    git(work, "init", "-q", "-b", "main")
    for number in range(50):
        (work / f"f{number}").write_bytes(os.urandom(8000))
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "First")
    git(root, "clone", "-q", "--bare", str(work), "origin.git")
    git(root / "origin.git", "config", "http.receivepack", "true")
    return root


def commit_of(root: Path, revision: str = "main") -> str:
    return git(root / "origin.git", "rev-parse", revision)


def certificate(folder: Path) -> Path:
    """Make a certificate for 127.0.0.1, signed by itself, with its key in `key.pem`."""
    if not shutil.which("openssl"):
        absent("needs the openssl program to make a certificate")
    path = folder / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(folder / "key.pem"), "-out", str(path)),
        ],
        check=True,
        capture_output=True,
    )
    return path
