"""Servers that registered locations lead to: of pages, with all that can go wrong, and of Git."""

import hashlib
import http.server
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from git_servers import GitServer, git


@dataclass
class Page:
    """What an address answers."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    etag: bool = True


class WebServer:
    """Serves `pages`; `seen` has the path and the condition of each request.

    `together` lets requests wait until so many are there, which they are only if asked at once.
    """

    def __init__(self) -> None:
        self.pages: dict[str, Page] = {}
        self.seen: list[tuple[str, str]] = []
        self.together: threading.Barrier | None = None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                with suppress(BrokenPipeError, ConnectionResetError):
                    outer._answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def put(self, path: str, text: str, **more: Any) -> str:
        """Serve a text and give its address."""
        self.pages[path] = Page(text.encode(), **more)
        return f"{self.url}{path}"

    def _answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        condition = handler.headers.get("If-None-Match", "")
        self.seen.append((handler.path, condition))
        if self.together is not None:
            self.together.wait(20)
        page = self.pages.get(handler.path, Page(b"nothing", 404))
        tag = f'"{hashlib.sha256(page.body).hexdigest()[:16]}"'
        if page.status == 200 and page.etag and condition == tag:
            handler.send_response(304)
            handler.end_headers()
            return
        handler.send_response(page.status)
        if page.etag:
            handler.send_header("ETag", tag)
        for name, value in page.headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(page.body)))
        handler.end_headers()
        handler.wfile.write(page.body)


@contextmanager
def web_server() -> Iterator[WebServer]:
    server = WebServer()
    try:
        yield server
    finally:
        server.close()


@contextmanager
def nobody_listening() -> Iterator[str]:
    """An address where every connection is refused: its port is held, so that nobody takes it."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


class GitHost:
    """A Git host over TLS with the repository `shop/orders`, and pages as such hosts have."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.certificate = folder / "certificate.pem"
        _certify(self.certificate, folder / "key.pem")
        self.work, root = folder / "work", folder / "root"
        for path in (self.work, root / "shop"):
            path.mkdir(parents=True)
        git(self.work, "init", "-q", "-b", "main")
        git(root, "init", "-q", "--bare", "-b", "main", "shop/orders.git")
        git(self.work, "remote", "add", "origin", str(root / "shop/orders.git"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, folder / "key.pem")
        self.server = GitServer(root, context)
        self.repository = f"{self.server.base}/shop/orders"

    def commit(self, files: Mapping[str, str | None], branch: str = "main") -> None:
        """Write files, None deletes one, and push them to a branch."""
        git(self.work, "checkout", "-q", "-B", branch)
        for name, text in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "--allow-empty", "-m", "Change")
        git(self.work, "push", "-q", "origin", branch)

    def page(self, path: str, branch: str = "main") -> str:
        return f"{self.repository}/-/blob/{branch}/{path}"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings with which a site may read it."""
        return {
            "git": {"allow_hosts": ["127.0.0.1"]},
            "http": {"ca_bundle": str(self.certificate)},
        }


def _certify(certificate: Path, key: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )


@contextmanager
def git_host(folder: Path) -> Iterator[GitHost]:
    host = GitHost(folder)
    try:
        yield host
    finally:
        host.server.close()
