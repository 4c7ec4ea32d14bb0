"""`callboard doctor`."""

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial

import typer

from callboard.doctor import (
    Check,
    Finding,
    database_check,
    examine,
    exit_code,
    format_findings,
    git_check,
    plugins_check,
    settings_check,
    versions_check,
)
from callboard.errors import CallboardError
from callboard.settings import Settings
from callboard_web.commands.common import opened
from callboard_web.runtime import Runtime


def doctor() -> None:
    """Check settings, database, sources, plugins, clock and versions; say what to do."""
    with ExitStack() as stack:
        try:
            runtime = stack.enter_context(opened())
        except CallboardError as error:
            checks = [settings_check(partial(_refuse, error)), versions_check(), git_check()]
            secrets: tuple[str, ...] = ()
        else:
            checks = _checks(runtime)
            secrets = runtime.settings.secrets()
        findings = examine(checks, secrets=secrets)
    typer.echo(format_findings(findings, colour=sys.stdout.isatty()))
    raise typer.Exit(exit_code(findings))


def _refuse(error: CallboardError) -> Settings:
    raise error


def _checks(runtime: Runtime) -> list[Check]:
    sources = [
        Check(f"source {name}", lambda name=name: _source(runtime, name))  # type: ignore[misc]
        for name in runtime.engine.sources
    ]
    return [
        settings_check(lambda: runtime.settings),
        versions_check(),
        git_check(),
        database_check(lambda: runtime.database, runtime.branches(), now=runtime.now),
        plugins_check(runtime.plugins),
        *sources,
    ]


def _source(runtime: Runtime, name: str) -> Iterable[Finding]:
    """Ask a source for its version, as the portal does on its schedule."""
    source = runtime.engine.sources[name]
    try:
        version = source.reader.version("")
    except CallboardError as error:
        yield Finding("bad", f"Source {name} cannot be read.", str(error.message), str(error.hint))
        return
    yield Finding("ok", f"Source {name} answers.", f"{source.address} at {version[:12]}")
