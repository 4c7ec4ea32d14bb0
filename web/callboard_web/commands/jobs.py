"""`callboard jobs`."""

from typing import Annotated

import typer

from callboard.jobs import runs
from callboard_web.commands.common import running, table

app = typer.Typer(no_args_is_help=True, help="Jobs: what ran and how it ended.")


@app.command("list")
def list_runs(
    limit: Annotated[int, typer.Option(min=1, max=500, help="Rows.")] = 20,
) -> None:
    """List the latest runs, the newest first."""
    with running() as runtime, runtime.database.read() as connection:
        rows = [
            (
                str(run.id),
                run.job,
                run.key,
                run.state,
                "" if run.seconds is None else f"{run.seconds:.2f} s",
                run.error[:80],
            )
            for run in runs(connection, limit=limit)
        ]
    table(rows, ("run", "job", "key", "state", "time", "error"))
