"""`callboard migrate`."""

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, get_args

import typer
from pydantic import BaseModel

from callboard.plugins import Guard, load_plugins, plugin_names_from

app = typer.Typer(no_args_is_help=True, help="Settings of other portals, carried over.")


@app.callback()
def options() -> None:
    """Settings of other portals, carried over."""


@app.command()
def backstage(
    files: Annotated[
        list[Path],
        typer.Argument(help="app-config.yaml, and what is put over it, in this order."),
    ],
) -> None:
    """Print the callboard.yaml that says what a Backstage app-config.yaml says.

    Comments tell what has no counterpart. No secret is printed, nor are variables looked up: they
    become references such as ${env:GITHUB_TOKEN}. Needs no settings and no database.
    """
    from callboard_web.migrating.backstage import converted
    from callboard_web.migrating.reading import read_files

    plugin, directory = _plugins()
    typer.echo(converted(read_files(files), plugin, directory), nl=False)


def _plugins() -> tuple[str, str]:
    """Name the plugins that read hosts of repositories, and directories, by what they are told.

    The host knows no plugin by name: one has `hosts` and `discover` in its settings, the other
    `servers` that are signed in to by a `bind_dn`.
    """
    guard = Guard(time_limit=timedelta(seconds=2), now=lambda: datetime.now(UTC))
    plugins = load_plugins(
        builtin={}, only=plugin_names_from(os.environ.get("CALLBOARD_PLUGINS")), guard=guard
    )
    try:
        found = plugins.settings_models()
        hosts = (name for name, model in found.items() if _has(model, "hosts", "discover"))
        directories = (
            name
            for name, model in found.items()
            if any(_has(item, "bind_dn", "users") for item in _items(model, "servers"))
        )
        return next(hosts, ""), next(directories, "")
    finally:
        guard.close()


def _has(model: type[BaseModel], *names: str) -> bool:
    return set(names) <= set(model.model_fields)


def _items(model: type[BaseModel], name: str) -> list[type[BaseModel]]:
    """Give the models of the items of a list in settings."""
    field = model.model_fields.get(name)
    kinds = get_args(field.annotation) if field else ()
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
