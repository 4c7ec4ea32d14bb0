"""`callboard catalog`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from callboard.errors import CallboardError
from callboard_web.commands.common import opened, running, table

app = typer.Typer(no_args_is_help=True, help="Descriptors and sources.")


@app.command()
def validate(
    paths: Annotated[list[Path], typer.Argument(help="Descriptor files, or folders of them.")],
) -> None:
    """Check descriptors as the portal would; exit code 1 where one has a fault.

    Prints `path:line: reason` for each fault. Needs no database and no running portal.
    """
    from callboard_catalog.checking import check_paths
    from callboard_catalog.engine import make_limits, make_registry
    from callboard_catalog.settings import CatalogSettings

    with opened() as runtime:
        settings = runtime.settings.section(CatalogSettings)
        registry = make_registry(settings, runtime.plugins.contributions)
    documents = faults = 0
    for result in check_paths(paths, registry, make_limits(settings)):
        documents += result.documents
        for fault in result.faults:
            faults += fault.severity == "error"
            mark = "" if fault.severity == "error" else "warning: "
            typer.echo(f"{fault.path}:{fault.line}: {mark}{fault.message}")
    counted = f"{_counted(documents, 'document')}, {_counted(faults, 'fault')}."
    typer.echo(counted, err=True)
    if faults or not documents:
        raise typer.Exit(1)


@app.command()
def schema(
    kind: Annotated[
        str, typer.Argument(help="Such as Component; without it the schema of every kind.")
    ] = "",
) -> None:
    """Print the JSON Schema of descriptors, with the kinds and fields of the settings.

    Give it to an editor or a pipeline. Needs no database and no running portal.
    """
    import orjson

    from callboard_catalog.descriptors.published import schema_of, schema_of_all
    from callboard_catalog.engine import make_registry
    from callboard_catalog.settings import CatalogSettings

    with opened() as runtime:
        settings = runtime.settings.section(CatalogSettings)
        registry = make_registry(settings, runtime.plugins.contributions)
    found = schema_of(registry, kind) if kind else schema_of_all(registry)
    typer.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2).decode())


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


@app.command()
def refresh(
    names: Annotated[
        list[str] | None, typer.Argument(help="Sources to read; without names all of them.")
    ] = None,
) -> None:
    """Read sources now, in this process, and say what changed; exit code 1 where one failed."""
    failed = False
    with running() as runtime:
        # Most have nothing new: all are asked together, and only the others are read.
        moved = names or set(runtime.engine.moved())
        for name in names or sorted(runtime.engine.sources):
            if name not in moved:
                typer.echo(f"{name}: unchanged")
                continue
            begin = time.perf_counter()
            try:
                result = runtime.engine.read(name)
            except CallboardError as error:
                typer.echo(f"{name}: {error}", err=True)
                failed = True
                continue
            seconds = time.perf_counter() - begin
            failed = failed or bool(result.error)
            typer.echo(f"{name}: {_summary(result)} in {seconds:.2f} s")
    if failed:
        raise typer.Exit(1)


def _summary(result: object) -> str:
    from callboard_catalog.ingest.refresh import RefreshResult

    assert isinstance(result, RefreshResult)
    if result.error:
        return f"failed: {result.error}"
    if result.unchanged:
        return "unchanged"
    changes = result.changes
    return (
        f"{len(changes.created)} created, {len(changes.updated)} updated, "
        f"{len(changes.deleted)} deleted, {changes.rejected} rejected"
    )


@app.command()
def sources() -> None:
    """List the sources with their state."""
    with running() as runtime:
        rows = [
            (
                item.name,
                item.type,
                item.state,
                str(item.entities),
                str(item.rejected),
                str(item.error),
            )
            for item in runtime.catalog.sources()
        ]
    table(rows, ("name", "type", "state", "entities", "rejected", "error"))
