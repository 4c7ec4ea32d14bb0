"""`callboard doctor`."""

import sys
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial

import typer

from callboard.database import inspect_schema
from callboard.doctor import (
    Check,
    Finding,
    audit_check,
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
from callboard_web.administration.rights import oddities
from callboard_web.commands.common import opened
from callboard_web.runtime import Runtime
from callboard_web.sign_in.settings import SignInSettings


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
        audit_check(runtime.database, runtime.now),
        Check("Access", lambda: _access(runtime)),
        *_providers(runtime),
        *sources,
    ]


def _providers(runtime: Runtime) -> list[Check]:
    if not runtime.settings.section(SignInSettings).providers:
        return []
    from callboard_web.sign_in.checks import provider_checks

    return provider_checks(runtime)


def _access(runtime: Runtime) -> Iterable[Finding]:
    """Say what is odd in who may do what; roles may be in tables that must be there first."""
    states = inspect_schema(runtime.database, runtime.branches())
    if any(state.state != "current" for state in states):
        return [Finding("ok", "Access is looked at once the tables are up to date.")]
    found = [
        Finding("warn", f"{title}.", str(detail), str(step))
        for title, detail, step in oddities(runtime)
    ]
    return found or [Finding("ok", "Strangers only look; somebody is an administrator.")]


def _source(runtime: Runtime, name: str) -> Iterable[Finding]:
    """Ask a source for its version, as the portal does on its schedule."""
    source = runtime.engine.sources[name]
    try:
        version = source.reader.version("")
    except CallboardError as error:
        yield Finding("bad", f"Source {name} cannot be read.", str(error.message), str(error.hint))
        return
    yield Finding("ok", f"Source {name} answers.", f"{source.address} at {version[:12]}")
