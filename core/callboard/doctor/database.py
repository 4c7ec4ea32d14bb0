"""Checks of the database: reachable, its version, its schema, its clock and its disk."""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from callboard.database import Branch, Database, inspect_schema
from callboard.doctor.frame import Check, Finding, Outcome
from callboard.settings.types import format_size

LITTLE_SPACE: Final = 1024**3
TOO_LITTLE_SPACE: Final = 100 * 1024**2
CLOCKS_APART: Final = timedelta(seconds=2)
CLOCKS_FAR_APART: Final = timedelta(seconds=30)

# RETURNING came with 3.35.
_OLDEST_SQLITE: Final = (3, 35, 0)
_OLDEST_POSTGRESQL: Final = 13


def database_check(
    connect: Callable[[], Database],
    branches: Sequence[Branch],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Check:
    """Look at the database that `connect` gives, and close it again; no table is changed."""

    def run() -> Iterator[Finding]:
        database = connect()
        try:
            yield from _database(database, branches, now)
        finally:
            database.close()

    return Check("Database", run)


def _database(
    database: Database, branches: Sequence[Branch], now: Callable[[], datetime]
) -> Iterator[Finding]:
    shown = database.url.render_as_string(hide_password=True)
    path = database.path
    if path is not None:
        yield from _sqlite_version()
        yield from _folder(path.absolute().parent)
        if not path.exists():
            # Connecting would make the file.
            step = "Run: callboard db upgrade"
            yield Finding("ok", f"Database {shown} will be made", "There is no file yet.", step)
            return
        if not os.access(path, os.R_OK | os.W_OK):
            step = f"Give the user of this process the right to read and write {path}."
            yield Finding("bad", "The database file is not writable", str(path), step)
            return
    try:
        database.ping()
    except SQLAlchemyError as error:
        yield _unreachable(shown, error, path)
        return
    yield Finding("ok", f"Database {shown} answers")
    if path is None:
        yield from _postgresql_version(database)
        yield from _clocks(database, now)
    yield from _schema(database, branches)


def _unreachable(shown: str, error: SQLAlchemyError, path: Path | None) -> Finding:
    reason = str(getattr(error, "orig", None) or error).strip()
    step = (
        "Check that the server runs and that database.url has the right host, user and password."
        if path is None
        else f"Check that {path} is a database of Callboard, or restore a backup."
    )
    return Finding("bad", f"Database {shown} does not answer", reason, step)


def _sqlite_version() -> Iterator[Finding]:
    version = sqlite3.sqlite_version
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        step = "Use a Python built with SQLite 3.35 or newer, or PostgreSQL."
        yield Finding("bad", f"SQLite {version} is too old", "", step)
    else:
        yield Finding("ok", f"SQLite {version}")


def _folder(folder: Path) -> Iterator[Finding]:
    if not folder.is_dir():
        step = f"Make the folder: mkdir -p {folder}"
        yield Finding("bad", "The folder of the database is missing", str(folder), step)
        return
    if not os.access(folder, os.W_OK | os.X_OK):
        # SQLite writes its journal beside the file.
        step = f"Give the user of this process the right to write to {folder}."
        yield Finding("bad", "The folder of the database is not writable", str(folder), step)
    free = shutil.disk_usage(folder).free
    detail = f"{free / 1024**3:.1f} GiB free in {folder}"
    if free < LITTLE_SPACE:
        status: Outcome = "bad" if free < TOO_LITTLE_SPACE else "warn"
        step = f"Free some space; {format_size(LITTLE_SPACE)} is the least to work with."
        yield Finding(status, "The disk is almost full", detail, step)
    else:
        yield Finding("ok", "Disk", detail)


def _postgresql_version(database: Database) -> Iterator[Finding]:
    with database.read() as connection:
        version = str(connection.execute(text("SHOW server_version")).scalar_one())
    major = int(version.split(".")[0].split()[0])
    if major < _OLDEST_POSTGRESQL:
        step = f"Use PostgreSQL {_OLDEST_POSTGRESQL} or newer."
        yield Finding("bad", f"PostgreSQL {version} is too old", "", step)
    else:
        yield Finding("ok", f"PostgreSQL {version}")


def _clocks(database: Database, now: Callable[[], datetime]) -> Iterator[Finding]:
    with database.read() as connection:
        before = now()
        theirs = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        ours = before + (now() - before) / 2
    apart = abs(theirs - ours)
    detail = f"They are {apart.total_seconds():.1f} s apart."
    if apart <= CLOCKS_APART:
        yield Finding("ok", "The clocks of database and machine agree")
        return
    step = "Run a time service, such as chrony, on both machines."
    title = "The clocks of database and machine differ"
    yield Finding("bad" if apart > CLOCKS_FAR_APART else "warn", title, detail, step)


def _schema(database: Database, branches: Sequence[Branch]) -> Iterator[Finding]:
    states = inspect_schema(database, branches)
    for state in states:
        if state.state != "current":
            status: Outcome = "warn" if state.state == "empty" else "bad"
            title = f"Tables of {state.branch}: {state.state}"
            yield Finding(status, title, state.problem())
    if all(state.state == "current" for state in states):
        yield Finding("ok", "Tables", f"Up to date: {', '.join(state.branch for state in states)}.")
