"""The `callboard` program."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from callboard import __version__
from callboard.errors import CallboardError
from callboard_web.commands import catalog, database, demo, doctor, jobs, plugins, serve
from callboard_web.commands.common import open_runtime


class PluginCommands(TyperGroup):
    """The host's commands; plugins are loaded for help and for what is not among them only."""

    def list_commands(self, context: Any) -> list[str]:
        return [*super().list_commands(context), *sorted(_contributed())]

    def get_command(self, context: Any, name: str) -> Any:
        return super().get_command(context, name) or _contributed_command(name)


def _contributed() -> dict[str, Any]:
    try:
        runtime = open_runtime(None)
    except CallboardError:
        # Help must work even where the settings do not.
        return {}
    commands = runtime.plugins.contributions.commands
    return {item.value.name: (runtime, item) for item in commands}


def _contributed_command(name: str) -> Any:
    found = _contributed().get(name)
    if found is None:
        return None
    runtime, contributed = found
    command = typer.main.get_group(contributed.value.load())
    command.name, command.help = name, contributed.value.help
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


@app.callback()
def options(
    config: Annotated[
        Path | None,
        typer.Option(help="Settings file; without it CALLBOARD_CONFIG, or ./callboard.yaml."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """A developer portal made of plugins."""
    if config is not None:
        os.environ["CALLBOARD_CONFIG"] = str(config)


app.command("serve")(serve.serve)
app.command("worker")(serve.worker)
app.command("demo")(demo.demo)
app.command("doctor")(doctor.doctor)
app.add_typer(database.app, name="db")
app.add_typer(catalog.app, name="catalog")
app.add_typer(plugins.app, name="plugins")
app.add_typer(jobs.app, name="jobs")


def main() -> None:
    """Run the program; errors meant for people are printed without a traceback."""
    try:
        app()
    except CallboardError as error:
        typer.secho(str(error.message), err=True, fg=typer.colors.RED)
        if error.hint:
            typer.echo(error.hint, err=True)
        sys.exit(1)
