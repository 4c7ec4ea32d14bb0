"""`callboard doctor`."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from functools import partial

import typer

from callboard.database import inspect_schema
from callboard.doctor import (
    Check,
    Finding,
    audit_check,
    contributed_checks,
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
from callboard_catalog.sources.base import CONTRIBUTED
from callboard_web.administration.rights import oddities
from callboard_web.commands.common import opened
from callboard_web.runtime import Runtime
from callboard_web.sign_in.settings import SignInSettings


def doctor() -> None:
    """Check settings, database, sources, plugins and the servers they ask; say what to do."""
    with ExitStack() as stack:
        try:
            runtime = stack.enter_context(opened())
        except CallboardError as error:
            refused = settings_check(partial(_refuse, error))
            checks: Iterable[Check] = [refused, versions_check(), git_check()]
            secrets: tuple[str, ...] = ()
        else:
            checks = _checks(runtime)
            secrets = runtime.settings.secrets()
        findings = examine(checks, secrets=secrets)
    typer.echo(format_findings(findings, colour=sys.stdout.isatty()))
    raise typer.Exit(exit_code(findings))


def _refuse(error: CallboardError) -> Settings:
    raise error


def _checks(runtime: Runtime) -> Iterator[Check]:
    """Give the checks one by one: tables are not asked for before the database was looked at."""
    yield settings_check(lambda: runtime.settings)
    yield versions_check()
    yield git_check()
    yield database_check(lambda: runtime.database, runtime.branches(), now=runtime.now)
    yield plugins_check(runtime.plugins)
    yield audit_check(runtime.database, runtime.now)
    yield Check("Access", lambda: _access(runtime))
    yield from _providers(runtime)
    current = _tables_are_current(runtime)
    for name, source in runtime.engine.configured.items():
        # Those of plugins may be in tables.
        if current or source.type != CONTRIBUTED:
            yield Check(f"source {name}", lambda name=name: _source(runtime, name))  # type: ignore[misc]
    yield from _contributed(runtime, current)


def _contributed(runtime: Runtime, current: bool) -> list[Check]:
    """Give what plugins look at. They may keep count in tables, which must be there first."""
    if current:
        return contributed_checks(runtime.plugins.contributions.checks, runtime.host)
    said = Finding("ok", "What plugins read is looked at once the tables are up to date.")
    return [Check("Plugins", lambda: [said])]


def _tables_are_current(runtime: Runtime) -> bool:
    try:
        states = inspect_schema(runtime.database, runtime.branches())
    except CallboardError:
        return False
    return all(state.state == "current" for state in states)


def _providers(runtime: Runtime) -> list[Check]:
    if not runtime.settings.section(SignInSettings).providers:
        return []
    from callboard_web.sign_in.checks import provider_checks

    return provider_checks(runtime)


def _access(runtime: Runtime) -> Iterable[Finding]:
    """Say what is odd in who may do what; roles may be in tables that must be there first."""
    if not _tables_are_current(runtime):
        return [Finding("ok", "Access is looked at once the tables are up to date.")]
    found = [
        Finding("warn", f"{title}.", str(detail), str(step))
        for title, detail, step in oddities(runtime)
    ]
    return found or [Finding("ok", "Strangers only look; somebody is an administrator.")]


def _source(runtime: Runtime, name: str) -> Iterable[Finding]:
    """Ask a source for its version, as the portal does on its schedule."""
    source = runtime.engine.configured[name]
    try:
        version = source.reader.version("")
    except CallboardError as error:
        yield Finding("bad", f"Source {name} cannot be read.", str(error.message), str(error.hint))
        return
    if version:
        yield Finding("ok", f"Source {name} answers.", f"{source.address} at {version[:12]}")
    else:
        yield Finding("ok", f"Source {name} is read as a whole.", source.address)
