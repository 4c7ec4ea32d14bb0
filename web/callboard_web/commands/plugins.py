"""`callboard plugins`."""

from pathlib import Path
from typing import Annotated

import typer

from callboard_web.commands.common import opened, table

app = typer.Typer(no_args_is_help=True, help="Plugins: those installed, and new ones.")


@app.command("list")
def list_plugins() -> None:
    """List every plugin with its state and, where it does not run, the reason."""
    with opened() as runtime:
        records = list(runtime.plugins.records.values())
    rows = [
        (
            record.name,
            record.version,
            record.state.value,
            f"{record.seconds * 1000:.0f} ms",
            record.reason,
        )
        for record in records
    ]
    table(rows, ("name", "version", "state", "time", "reason"))


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name: lower-case letters, digits, underscores.")],
    directory: Annotated[
        Path | None, typer.Option(help="Where to write it; by default a folder of its name.")
    ] = None,
) -> None:
    """Write a new plugin that works, with its test."""
    from callboard_web.scaffold import new_plugin

    target = directory or Path(f"callboard-{name.replace('_', '-')}")
    for path in new_plugin(name, target):
        typer.echo(path)
    typer.echo(f"Install it with: pip install -e {target}")
