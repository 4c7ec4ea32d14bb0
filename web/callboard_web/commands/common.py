"""What every command needs."""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from callboard.redaction import RedactingFilter
from callboard_web.runtime import Runtime, find_config


def open_runtime(config: Path | None) -> Runtime:
    """Open a runtime on the settings file, the one named in the environment, or the one here."""
    return Runtime.open(config or find_config(os.environ), os.environ)


@contextmanager
def running(*, worker: bool = False) -> Iterator[Runtime]:
    """Give a runtime that has started, for one command; it is stopped at the end."""
    runtime = open_runtime(None)
    try:
        runtime.start(worker=worker, serve=False)
        yield runtime
    finally:
        runtime.stop()


def set_up_logging(level: str, secrets: Sequence[str] = ()) -> None:
    """Log to standard error, one line a record, with secrets taken out."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S%z")
    )
    handler.addFilter(RedactingFilter(tuple(secrets)))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


def table(rows: Sequence[Sequence[str]], heads: Sequence[str]) -> None:
    """Print rows in columns."""
    widths = [max(len(row[at]) for row in (heads, *rows)) for at in range(len(heads))]
    for row in (heads, *rows):
        typer.echo(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
