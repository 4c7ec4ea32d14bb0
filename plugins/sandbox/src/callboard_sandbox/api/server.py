"""The thread that serves the API on loopback.

The library kmock was tried first. It serves discovery and simple lists and writes of objects in
memory; it has no versions (its lists carry a constant one), so no pages, no expiry and no watch
from a version, and neither selectors of fields, patches with conflicts, apply, schemas, access nor
logs. What carried was what is short anyway, so the wire is spoken here, on uvicorn.
"""

import asyncio
import ipaddress
import logging
import socket
import threading
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from callboard_sandbox.api.application import Application

# A connection that is cut on purpose is no error of the server's.
_SILENT: Final = logging.getLogger(f"{__name__}.connection")
_SILENT.setLevel(logging.CRITICAL)


class _Protocol(HttpToolsProtocol):
    """Hands the connection to the application, which may cut it; it keeps quiet about that."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.logger = _SILENT

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"callboard.transport": {"transport": self.transport}}


class Server:
    """Serves an application in a thread of its own, on loopback and nowhere else."""

    def __init__(self, application: Application, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Bind the address; port 0 takes a free one. Raises `OSError` when it is taken."""
        if not ipaddress.ip_address(host).is_loopback:
            raise ValueError(f"A sandbox listens on loopback only, not on {host}.")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError:
            self._socket.close()
            raise
        self._socket.listen(256)
        self.application: Final = application
        config = uvicorn.Config(
            application,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # Go closes idle connections after minutes only; clients rely on that.
            timeout_keep_alive=180,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)

    @property
    def address(self) -> str:
        """Where it answers."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def start(self) -> None:
        """Serve from now on; connections made before wait."""
        self._thread.start()

    def stop(self) -> None:
        """Cut all streams and end."""
        self._server.should_exit = True
        self._server.force_exit = True
        if self._thread.is_alive():
            self._thread.join(10)
        self._socket.close()

    def _run(self) -> None:
        asyncio.run(self._server.serve(sockets=[self._socket]))
