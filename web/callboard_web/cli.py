"""The `callboard` program."""

import ctypes
import gc
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from callboard import __version__
from callboard.contributions import Command
from callboard.errors import CallboardError
from callboard.plugins import Contributed, describe
from callboard_web.commands import (
    access,
    audit,
    catalog,
    database,
    demo,
    doctor,
    jobs,
    kubernetes,
    maintenance,
    migrate,
    password,
    plugins,
    push,
    serve,
    token,
)
from callboard_web.commands.common import opened
from callboard_web.runtime import Runtime

RUNTIME: Final = "callboard.runtime"


class PluginCommandError(CallboardError):
    """A command of a plugin cannot be used."""


GC_THRESHOLD: Final = 50_000
"""Objects between collections: reading a catalog makes many that live, few that form cycles."""

M_ARENA_MAX: Final = -8
"""The number of the option in glibc's malloc.h."""


class PluginCommands(TyperGroup):
    """The host's commands; plugins are loaded for help and for what is not among them only."""

    def list_commands(self, context: Any) -> list[str]:
        own = super().list_commands(context)
        try:
            found = _contributed(context)
        except Exception as error:
            # Help must work even where the settings do not.
            reason = error.message if isinstance(error, CallboardError) else describe(error)
            typer.echo(f"Commands of plugins cannot be listed. {reason}\n", err=True)
            return own
        return [*own, *sorted(found.keys() - set(own))]

    def get_command(self, context: Any, name: str) -> Any:
        own = super().get_command(context, name)
        if own is not None:
            return own
        contributed = _contributed(context).get(name)
        return ListedCommand(contributed) if contributed else None

    def resolve_command(self, context: Any, arguments: list[str]) -> Any:
        name, command, rest = super().resolve_command(context, arguments)
        if isinstance(command, ListedCommand):
            return name, _command(context.meta[RUNTIME], command.contributed), rest
        return name, command, rest


class ListedCommand(TyperGroup):
    """A plugin's command as help lists it; what it does is loaded when it is used."""

    def __init__(self, contributed: Contributed[Command]) -> None:
        super().__init__(name=contributed.value.name, help=contributed.value.help)
        self.contributed = contributed


def _contributed(context: Any) -> dict[str, Contributed[Command]]:
    """Give the commands of plugins; of two with one name that of the first plugin."""
    if RUNTIME not in context.meta:
        context.meta[RUNTIME] = context.with_resource(opened())
    found: dict[str, Contributed[Command]] = {}
    for item in context.meta[RUNTIME].plugins.contributions.commands:
        found.setdefault(item.value.name, item)
    return found


def _command(runtime: Runtime, contributed: Contributed[Command]) -> Any:
    value = contributed.value
    try:
        command: Any = typer.main.get_group(value.load())
    except Exception as error:
        raise PluginCommandError(
            f"The command {value.name} of the plugin {contributed.plugin} cannot be loaded: "
            f"{describe(error)}",
            hint="Correct or update the plugin.",
        ) from error
    run = command.invoke

    def start_and_run(context: Any) -> Any:
        runtime.start(worker=False, serve=False)
        return run(context)

    # Help is shown without a database: only what is run starts the parts it may use.
    command.invoke = start_and_run
    command.name, command.help = value.name, value.help
    command.context_settings["obj"] = runtime.host(contributed.plugin)
    return command


app = typer.Typer(
    cls=PluginCommands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="A developer portal made of plugins.",
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"callboard {__version__}")
        raise typer.Exit


def _use(config: Path | None) -> None:
    # Eager: the commands of plugins are looked up before any option that is not has its value.
    if config is not None:
        os.environ["CALLBOARD_CONFIG"] = str(config)


@app.callback()
def options(
    config: Annotated[
        Path | None,
        typer.Option(
            callback=_use,
            is_eager=True,
            help="Settings file; without it CALLBOARD_CONFIG, or ./callboard.yaml.",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """A developer portal made of plugins."""


app.command("serve")(serve.serve)
app.command("worker")(serve.worker)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.command("password")(password.password)
app.command("push")(push.push)
app.add_typer(database.app, name="db")
app.add_typer(catalog.app, name="catalog")
app.add_typer(plugins.app, name="plugins")
app.add_typer(access.app, name="access")
app.add_typer(jobs.app, name="jobs")
app.add_typer(kubernetes.app, name="kubernetes")
app.add_typer(maintenance.app, name="maintenance")
app.add_typer(migrate.app, name="migrate")
app.add_typer(token.app, name="token")
app.add_typer(audit.app, name="audit")


def main() -> None:
    """Run the program; errors meant for people are printed without a traceback."""
    _tune_memory()
    try:
        app()
    except CallboardError as error:
        typer.secho(str(error.message), err=True, fg=typer.colors.RED)
        if error.hint:
            typer.echo(error.hint, err=True)
        sys.exit(1)


def _tune_memory() -> None:
    """Collect garbage less often, and keep freed memory in one place where it is used again.

    By default glibc gives every thread an arena of its own, up to eight for each core, none of
    which gives back to another what it does not need; Python's lock lets one thread allocate at a
    time anyway. Other C libraries have no such setting.
    """
    gc.set_threshold(GC_THRESHOLD, 20, 50)
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option is not None:
        set_option(M_ARENA_MAX, 1)
