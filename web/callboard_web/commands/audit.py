"""`callboard audit`."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from callboard.audit import record
from callboard.audit.canonical import moment
from callboard.audit.checkpoint import (
    Checkpoint,
    check_signature,
    make_checkpoint,
    make_keys,
    private_key,
    public_key,
    read_checkpoint,
)
from callboard.audit.delivery import Sent, sealed_after
from callboard.audit.log import SUBJECT
from callboard.audit.seal import Head, head_of, seal_all
from callboard.audit.settings import AuditSettings
from callboard.audit.verification import verify_and_record
from callboard.audit.verify import CHECKPOINTED
from callboard.errors import InputError, reason_of
from callboard_web.audit.writing import TYPES, written
from callboard_web.commands.common import opened
from callboard_web.runtime import Runtime

app = typer.Typer(
    no_args_is_help=True, help="The audit log: verify it, export it, keep checkpoints of it."
)

BATCH: Final = 500


@contextmanager
def _log() -> Iterator[Runtime]:
    with opened() as runtime:
        runtime.check_schema()
        yield runtime


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


@app.command("key")
def key(path: Annotated[Path, typer.Argument(help="File for the private key.")]) -> None:
    """Make a pair of keys for checkpoints; the public one is written beside, as FILE.pub."""
    public = make_keys(path)
    typer.echo(
        f"Wrote {path} and {public}. Name the first in audit.signing_key; keep the second where "
        "checkpoints are kept."
    )


@app.command("checkpoint")
def checkpoint(
    output: Annotated[
        Path | None, typer.Option(help="File to write; without it, standard output.")
    ] = None,
) -> None:
    """Write where the chain is now, signed if audit.signing_key is set; keep it elsewhere."""
    with _log() as runtime:
        signing = runtime.settings.section(AuditSettings).signing_key
        signer = private_key(runtime.base / signing) if signing else None
        seal_all(runtime.database)
        with runtime.database.read() as connection:
            head = head_of(connection)
        made = make_checkpoint(head, moment(runtime.now()), runtime.portal.base_url, signer)
        with runtime.database.write() as connection:
            after = {"position": head.position, "hash": head.hash, "user": _user()}
            record(connection, CHECKPOINTED, SUBJECT, after=after, at=runtime.now())
    with _opened(output) as file:
        file.write(made.written())


@app.command("verify")
def verify(
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option("--checkpoint", help="File of a checkpoint to compare with; repeatable."),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--public-key",
            help="Key that checks their signatures; without it, that of audit.signing_key.",
        ),
    ] = None,
) -> None:
    """Find entries that were changed, removed, inserted or moved; exits with 1 if there are any."""
    with _log() as runtime:
        known = [read_checkpoint(path) for path in checkpoints or ()]
        _check_signatures(runtime, known, key_file)
        outcome = verify_and_record(
            runtime.database, runtime.now, lambda fault: typer.echo(str(fault), err=True), known
        )
    for sentence in outcome.told:
        typer.echo(sentence)
    head = outcome.head
    assert head is not None
    if outcome.faults:
        typer.echo(f"{outcome.faults} faults in {outcome.checked} entries.", err=True)
        raise typer.Exit(1)
    typer.echo(
        f"The audit log is whole: {outcome.checked} entries, positions "
        f"{head.horizon_position + 1} to {head.position}, hash {head.hash}."
    )


def _check_signatures(runtime: Runtime, known: list[Checkpoint], key_file: Path | None) -> None:
    signing = runtime.settings.section(AuditSettings).signing_key
    if key_file is not None:
        checker = public_key(key_file)
    elif signing is not None and known:
        checker = private_key(runtime.base / signing).public_key()
    else:
        if known:
            typer.echo("No signature was checked: give --public-key.", err=True)
        return
    for item in known:
        check_signature(item, checker)


@app.command("export")
def export(
    form: Annotated[str, typer.Option("--format", help="jsonl or csv.")] = "jsonl",
    output: Annotated[
        Path | None, typer.Option(help="File to write; without it, standard output.")
    ] = None,
    after: Annotated[
        int, typer.Option(min=0, help="Position in the chain to begin after; 0 is the beginning.")
    ] = 0,
) -> None:
    """Write all entries in the order of the chain, with position and hash."""
    if form not in TYPES:
        raise InputError(f"There is no export as {form[:20]}.", hint="Expected jsonl or csv.")
    with _log() as runtime:
        told = {"format": form, "after": after, "user": _user()}
        with runtime.database.write() as connection:
            record(connection, "audit.entry.export", SUBJECT, after=told, at=runtime.now())
        seal_all(runtime.database)
        with runtime.database.read() as connection:
            head = head_of(connection)
        with _opened(output) as file:
            for part in written(form, _batches(runtime, head, after)):
                file.write(part)


def _batches(runtime: Runtime, head: Head, after: int) -> Iterator[list[Sent]]:
    while after < head.position:
        with runtime.database.read() as connection:
            batch = sealed_after(connection, after, BATCH)
        if not batch:
            return
        yield batch
        after = batch[-1]["position"]


@contextmanager
def _opened(path: Path | None) -> Iterator[BinaryIO]:
    try:
        with nullcontext(sys.stdout.buffer) if path is None else path.open("wb") as file:
            yield file
            file.flush()
    except OSError as error:
        raise InputError(
            f"{path or 'The output'} cannot be written: {reason_of(error)}.",
            hint="Name a file in a folder that may be written, with room for it.",
        ) from error
