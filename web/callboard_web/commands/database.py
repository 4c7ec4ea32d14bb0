"""`callboard db`."""

import typer

from callboard.database import inspect_schema
from callboard_web.commands.common import opened, table

app = typer.Typer(no_args_is_help=True, help="The tables: their state, and bringing them up.")


@app.command()
def upgrade() -> None:
    """Bring the tables of the host and of every plugin to this version; safe to run again."""
    with opened() as runtime:
        for state in runtime.upgrade():
            done = "is current" if state.state == "current" else f"brought to {state.head}"
            typer.echo(f"{state.branch}: {done}")


@app.command()
def status() -> None:
    """Show where the tables stand; exit code 1 where an upgrade is needed."""
    with opened() as runtime:
        states = inspect_schema(runtime.database, runtime.branches())
    rows = [(item.branch, item.current or "-", item.head or "-", item.state) for item in states]
    table(rows, ("branch", "database", "this version", "state"))
    if any(item.problem() for item in states):
        raise typer.Exit(1)
