"""`callboard serve` and `callboard worker`."""

import asyncio
import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer

from callboard.errors import SettingsError
from callboard_web.commands.common import opened
from callboard_web.commands.processes import inherited, run_processes
from callboard_web.runtime import Runtime

log = logging.getLogger(__name__)

DEFAULT_WORKERS: Final = 2
MOST_FILES: Final = 8192
LOOP: Final = "uvloop" if sys.platform != "win32" else "asyncio"
GRACE_SECONDS: Final = 1
"""How long requests may take to end once a signal has come."""


def serve(
    listen: Annotated[
        str, typer.Option(help="Address and port, such as 127.0.0.1:8000; overrules the settings.")
    ] = "",
    processes: Annotated[
        int,
        typer.Option(
            min=0, max=64, help="Processes that answer requests; 0 takes portal.processes, or 1."
        ),
    ] = 0,
    inherit: Annotated[str, typer.Option(hidden=True)] = "",
) -> None:
    """Serve the portal, and run jobs in the same process unless jobs.workers is 0."""
    with opened(serving=True) as runtime:
        if inherit:
            run_part(runtime, inherited(inherit))
        else:
            run_portal(runtime, listen=listen, processes=processes or runtime.portal.processes)


def run_portal(
    runtime: Runtime,
    *,
    listen: str = "",
    banner: str = "",
    processes: int = 1,
    begun: Callable[[], None] | None = None,
) -> None:
    """Serve until a signal comes; raises `SettingsError` where the port is in use.

    In a single process `begun` is called once jobs run and before anybody is answered.
    """
    host, port = _address(listen or runtime.portal.listen)
    listener = _bind(host, port)
    runtime.listener = host
    banner = banner or f"Callboard listens on http://{host}:{port}"
    _allow_connections()
    # Until the server has its own handlers a signal interrupts what is begun.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if processes > 1:
            run_processes(runtime, listener, processes, banner)
        else:
            runtime.start(worker=True, serve=True)
            if begun is not None:
                begun()
            _serve(runtime, listener, banner)
    except KeyboardInterrupt:
        log.info("Interrupted before the portal was ready.")
    finally:
        listener.close()


def run_part(runtime: Runtime, listener: socket.socket) -> None:
    """Answer requests as one of several processes, under a parent that does all else."""
    runtime.listener = listener.getsockname()[0]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        runtime.start(worker=False, serve=True, alone=False)
        _serve(runtime, listener, "")
    except KeyboardInterrupt:
        log.info("Interrupted before this process was ready.")
    finally:
        listener.close()


def _serve(runtime: Runtime, listener: socket.socket, banner: str) -> None:
    import uvicorn

    from callboard_web.app import create_app
    from callboard_web.slow_clients import PromptProtocol

    class Server(uvicorn.Server):
        @contextmanager
        def capture_signals(self) -> Iterator[None]:
            # The server's own handling ends the process by the signal, before all else has ended.
            for name in (signal.SIGINT, signal.SIGTERM):
                signal.signal(name, self.handle_exit)
            yield

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            # The streams of open pages would last until they are cut.
            await asyncio.to_thread(runtime.events.stop)
            runtime.services.streams.close()
            await super().shutdown(sockets)

    config = uvicorn.Config(
        create_app(runtime),
        loop=LOOP,
        http=PromptProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        proxy_headers=False,
    )
    gc.freeze()
    if banner:
        typer.echo(banner)
    Server(config).run(sockets=[listener])


def worker(
    workers: Annotated[
        int, typer.Option(min=0, max=64, help="Jobs run at once; 0 takes jobs.workers, or 2.")
    ] = 0,
) -> None:
    """Run jobs only, beside any number of `serve` processes; needs PostgreSQL."""
    with opened(serving=True) as runtime:
        if runtime.database.dialect == "sqlite":
            raise SettingsError(
                "A worker of its own needs PostgreSQL.",
                hint="With SQLite, `callboard serve` runs the jobs itself.",
            )
        # Beside a `serve` that shall run none, jobs.workers is 0 in the settings of both.
        runtime.workers = workers or runtime.workers or DEFAULT_WORKERS
        ended = threading.Event()
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: ended.set())
        runtime.start(worker=True, serve=False)
        typer.echo(f"The worker runs {runtime.workers} jobs at once.")
        ended.wait()


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    if not colon or not port.isdigit() or int(port) > 65535:
        raise SettingsError(f"{listen!r} is not an address.", hint="Expected 127.0.0.1:8000.")
    return host.strip("[]"), int(port)


def _allow_connections() -> None:
    """Let the process hold as many connections as its user may: every open page keeps one."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


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
