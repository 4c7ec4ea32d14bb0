"""`callboard serve` and `callboard worker`."""

import gc
import signal
import socket
import threading
from typing import Annotated

import typer

from callboard.errors import SettingsError
from callboard.settings import LogSettings
from callboard_web.commands.common import open_runtime, set_up_logging
from callboard_web.runtime import Runtime

GC_THRESHOLD = 50_000
"""Objects between collections: reading a catalog makes many that live, few that form cycles."""


def serve(
    listen: Annotated[
        str, typer.Option(help="Address and port, such as 127.0.0.1:8000; overrules the settings.")
    ] = "",
) -> None:
    """Serve the portal, and run jobs in the same process unless jobs.workers is 0."""
    run_portal(open_runtime(None), listen=listen)


def run_portal(runtime: Runtime, *, listen: str = "", banner: str = "") -> None:
    """Serve until a signal comes; raises `SettingsError` where the port is in use."""
    _prepare(runtime)
    host, port = _address(listen or runtime.portal.listen)
    listener = _bind(host, port)
    try:
        runtime.start(worker=True, serve=True)
        _serve(runtime, listener, banner or f"Callboard listens on http://{host}:{port}")
    finally:
        runtime.stop()
        listener.close()


def _serve(runtime: Runtime, listener: socket.socket, banner: str) -> None:
    import uvicorn

    from callboard_web.app import create_app

    config = uvicorn.Config(
        create_app(runtime),
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=3,
        proxy_headers=False,
    )
    gc.freeze()
    typer.echo(banner)
    uvicorn.Server(config).run(sockets=[listener])


def worker() -> None:
    """Run jobs only, beside any number of `serve` processes; needs PostgreSQL."""
    runtime = open_runtime(None)
    _prepare(runtime)
    if runtime.database.dialect == "sqlite":
        raise SettingsError(
            "A worker of its own needs PostgreSQL.",
            hint="With SQLite, `callboard serve` runs the jobs itself.",
        )
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    try:
        runtime.start(worker=True, serve=False)
        typer.echo("The worker runs.")
        ended.wait()
    finally:
        runtime.stop()


def _prepare(runtime: Runtime) -> None:
    gc.set_threshold(GC_THRESHOLD, 20, 50)
    set_up_logging(runtime.settings.section(LogSettings).level, runtime.settings.secrets())


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{listen!r} is not an address.", hint="Expected 127.0.0.1:8000.")
    return host.strip("[]"), int(port)


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio sends small writes at once only on sockets that name their protocol.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(512)
    except OSError as error:
        listener.close()
        raise SettingsError(
            f"Callboard cannot listen on {host}:{port}: {error.strerror}.",
            hint="Another program may use the port. Choose one with --listen or PORT=.",
        ) from error
    return listener
