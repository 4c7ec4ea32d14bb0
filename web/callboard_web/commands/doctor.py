"""`callboard doctor`."""

import os
import sys
from collections.abc import Iterable

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
from callboard.settings import load_settings
from callboard_web.runtime import SECTIONS, Runtime, find_config


def doctor() -> None:
    """Check settings, database, sources, plugins, clock and versions; say what to do."""
    try:
        runtime = Runtime.open(find_config(os.environ), os.environ)
    except CallboardError:
        checks = [_settings_only(), versions_check(), git_check()]
        secrets: tuple[str, ...] = ()
    else:
        checks = _checks(runtime)
        secrets = runtime.settings.secrets()
    findings = examine(checks, secrets=secrets)
    typer.echo(format_findings(findings, colour=sys.stdout.isatty()))
    raise typer.Exit(exit_code(findings))


def _settings_only() -> Check:
    return settings_check(lambda: load_settings(find_config(os.environ), os.environ, SECTIONS))


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
        yield Finding("bad", f"Source {name} cannot be read.", error.message, error.hint)
        return
    yield Finding("ok", f"Source {name} answers.", f"{source.address} at {version[:12]}")
