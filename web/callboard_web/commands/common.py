"""What every command needs."""

import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from callboard.logs import set_up_logging
from callboard.settings import LogSettings
from callboard_web.loading import find_config
from callboard_web.runtime import Runtime

log = logging.getLogger(__name__)


@contextmanager
def opened(config: Path | None = None, *, serving: bool = False) -> Iterator[Runtime]:
    """Give a runtime on these settings, or on those of the environment; it is stopped at the end.

    Commands tell of warnings in one line; a process that serves logs as its settings say.
    """
    quiet = LogSettings(level="warning")
    runtime = Runtime.open(
        config or find_config(os.environ),
        os.environ,
        prepare=lambda settings: set_up_logging(
            settings.section(LogSettings) if serving else quiet,
            settings.secrets(),
            tracebacks=serving,
        ),
    )
    try:
        chosen = runtime.settings.section(LogSettings) if serving else quiet
        # By now the secrets of plugins are known as well.
        set_up_logging(chosen, runtime.settings.secrets(), tracebacks=serving)
        yield runtime
    finally:
        runtime.stop()
    if serving:
        _leave_threads_behind()


def _leave_threads_behind() -> None:
    """End the process now if threads of plugins would keep it; all of the host has ended."""
    left = [
        thread.name
        for thread in threading.enumerate()
        if not thread.daemon and thread is not threading.main_thread()
    ]
    if left:
        log.warning("Threads that did not end are left behind: %s.", ", ".join(left))
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)


@contextmanager
def running() -> Iterator[Runtime]:
    """Give a runtime that has started, for one command; it is stopped at the end."""
    with opened() as runtime:
        runtime.start(worker=False, serve=False)
        yield runtime


def table(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> None:
    """Print rows in columns."""
    lines = [[" ".join(cell.split()) for cell in row] for row in (heads, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())
