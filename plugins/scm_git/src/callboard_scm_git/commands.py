"""`callboard scm-git …`."""

from typing import TYPE_CHECKING

import typer

from callboard_scm_git.queries import load_repositories
from callboard_scm_git.refresh import refresh_all

if TYPE_CHECKING:
    from callboard.host import Host

app = typer.Typer(no_args_is_help=True)


@app.command()
def refresh(context: typer.Context) -> None:
    """Read every repository that an entity names, now. Ends with 1 if one could not be read."""
    host: Host = context.obj
    outcomes = refresh_all(host, anyway=True)
    for outcome in outcomes:
        typer.echo(f"{outcome.result:<10} {outcome.url}")
        if outcome.error:
            typer.echo(f"           {outcome.error}", err=True)
    if any(outcome.result in ("failed", "refused") for outcome in outcomes):
        raise typer.Exit(1)


@app.command()
def status(context: typer.Context) -> None:
    """List the repositories with their last commit and since when one cannot be read."""
    host: Host = context.obj
    with host.read() as connection:
        rows = load_repositories(connection)
    for row in rows:
        last = f"{row.committed_at:%Y-%m-%d %H:%M}" if row.committed_at else "-"
        typer.echo(f"{last:<16}  {row.branch or '-':<12}  {row.url}")
        if row.failing_since:
            state = "refused" if row.next_try_at else "failing"
            typer.echo(f"{'':<16}  {state} since {row.failing_since:%Y-%m-%d %H:%M}: {row.error}")
        if row.next_try_at:
            typer.echo(f"{'':<16}  tried again after {row.next_try_at:%Y-%m-%d %H:%M} UTC")
    typer.echo(f"{len(rows)} repositories")
