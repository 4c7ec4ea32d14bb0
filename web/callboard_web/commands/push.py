"""`callboard push`: one line of a pipeline that hands descriptors to a portal."""

import os
import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

import orjson
import typer

from callboard.errors import CallboardError, InputError, NotReadyError, reason_of
from callboard.i18n import Text

TIMEOUT: Final = 60.0
"""Seconds for the whole answer: the portal checks every document before it gives one."""

BAD: Final = ("rejected", "conflict", "deleted")
"""Results after which the command fails: the entity is not shown as it was pushed."""


@dataclass(frozen=True, slots=True)
class Found:
    """A document of a file, and why it cannot be sent, where it cannot."""

    path: Path
    line: int
    value: Any = None
    faults: Sequence[tuple[int, Text]] = ()


def push(
    files: Annotated[
        list[Path], typer.Argument(help="Descriptor files, or folders with catalog-info.yaml.")
    ],
    source: Annotated[str, typer.Option(help="The source they belong to, of your own.")],
    url: Annotated[str, typer.Option(help="Address of the portal.", envvar="CALLBOARD_URL")],
    token_file: Annotated[
        Path | None,
        typer.Option(help="File with the token; without it the variable CALLBOARD_TOKEN."),
    ] = None,
    delta: Annotated[
        bool, typer.Option("--delta", help="Leave what is not named as it is.")
    ] = False,
    removed: Annotated[
        list[str] | None, typer.Option(help="With --delta, an entity to take out; repeatable.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    ca_file: Annotated[
        Path | None, typer.Option(help="Certificates of the authority that signed the portal's.")
    ] = None,
) -> None:
    """Hand the entities of files to a portal, and print what came of each.

    Files that placeholders name are read here. Exit code 0: all is shown as it was pushed; 1: some
    document is not, and the lines say why; 2: the portal could not be reached or refused it all.
    """
    found = list(_documents(files))
    body = {
        "source": source,
        "mode": "delta" if delta else "full",
        "entities": [item.value for item in found],
        "removed": removed or [],
        "dryRun": dry_run,
    }
    try:
        if not found and not delta:
            raise InputError(
                "The files hold no document.", hint="A full push of nothing empties the source."
            )
        answer = _sent(url, _token(token_file), orjson.dumps(body), ca_file)
    except CallboardError as error:
        typer.secho(str(error.message), err=True, fg=typer.colors.RED)
        if error.hint:
            typer.echo(error.hint, err=True)
        raise typer.Exit(2) from error
    if _print(answer, found):
        raise typer.Exit(1)


# The files


def _documents(paths: Sequence[Path]) -> Iterator[Found]:
    from callboard_catalog.checking import descriptor_files
    from callboard_catalog.descriptors import DEFAULT_LIMITS, read_documents

    for file, root in descriptor_files(paths):
        try:
            data = file.read_bytes()
        except OSError as error:
            yield Found(file, 1, faults=[(1, f"cannot be read: {reason_of(error)}")])
            continue
        place = (file.parent.resolve() / file.name).relative_to(root).as_posix()
        for document in read_documents(data, limits=DEFAULT_LIMITS):
            if document.fault:
                line = document.fault.line or document.line
                yield Found(file, document.line, faults=[(line, document.fault.message)])
            elif not document.empty:
                yield _resolved(file, root, place, document.line, document.value)


def _resolved(file: Path, root: Path, place: str, line: int, value: Any) -> Found:
    """Put in what placeholders name. A document of which one cannot be read is not sent."""
    from callboard_catalog.checking import read_below
    from callboard_catalog.descriptors import resolve

    if isinstance(value, dict):
        resolved = resolve(value, lambda path: read_below(root, path), path=place)
        if resolved.faults:
            return Found(file, line, faults=[(line, fault.message) for fault in resolved.faults])
        value = resolved.document
    try:
        orjson.dumps(value)
    except TypeError as error:
        return Found(file, line, faults=[(line, f"it is no JSON: {error}")])
    return Found(file, line, value)


# The portal


def _token(path: Path | None) -> str:
    if path is None:
        token = os.environ.get("CALLBOARD_TOKEN", "")
    else:
        try:
            token = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = reason_of(error) if isinstance(error, OSError) else "it is not UTF-8"
            raise InputError(f"The token file {path} cannot be read: {reason}") from error
    token = token.strip()
    if not token or not token.isascii() or not token.isprintable():
        raise InputError(
            "There is no token.", hint="Give --token-file, or set the variable CALLBOARD_TOKEN."
        )
    return token


def _sent(url: str, token: str, body: bytes, ca_file: Path | None) -> dict[str, Any]:
    import httpx

    address = f"{url.rstrip('/')}/api/catalog/entities"
    headers = {
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "user-agent": "callboard-push",
    }
    try:
        trust = ssl.create_default_context(cafile=ca_file) if ca_file else True
        response = httpx.put(address, content=body, headers=headers, timeout=TIMEOUT, verify=trust)
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise NotReadyError(
            f"{address} does not answer: {error}", hint="Nothing may have been pushed: try again."
        ) from error
    content = _json(response.content)
    if response.status_code != 200 or "results" not in content:
        told = content.get("error")
        message = told.get("message", "") if isinstance(told, dict) else ""
        raise InputError(f"{address} refused the push ({response.status_code}): {message}".strip())
    return content


def _json(data: bytes) -> dict[str, Any]:
    try:
        content = orjson.loads(data)
    except orjson.JSONDecodeError:
        return {}
    return content if isinstance(content, dict) else {}


# The answer


def _print(answer: dict[str, Any], found: Sequence[Found]) -> bool:
    """Print a line for each result that tells something, then the sum; say whether any is bad."""
    bad = False
    for item in answer["results"]:
        result, ref = str(item["result"]), str(item.get("ref") or "-")
        bad = bad or result in BAD
        index = item.get("index")
        place = found[index] if isinstance(index, int) and index < len(found) else None
        where = f"{place.path}:{place.line}: " if place else ""
        if place and place.faults:
            for line, fault in place.faults:
                typer.echo(f"{place.path}:{line}: rejected: {fault}")
        elif result == "rejected":
            for error in item.get("errors") or [{"message": "for no reason that is told"}]:
                typer.echo(f"{where}rejected {ref}: {error['message']}")
        elif result == "conflict":
            typer.echo(f"{where}conflict {ref}: held by the source {item.get('heldBy', '')}")
        elif result == "deleted":
            typer.echo(f"{where}deleted {ref}: somebody deleted it in the portal")
        elif result != "unchanged":
            typer.echo(f"{where}{result} {ref}")
    told = ", ".join(f"{count} {name}" for name, count in answer["counts"].items())
    begin = "Dry run: " if answer.get("dryRun") else ""
    typer.echo(f"{begin}{told or 'nothing'}.", err=True)
    if answer.get("kept"):
        typer.echo("Nothing was taken out, as a document cannot be told apart.", err=True)
    return bad
