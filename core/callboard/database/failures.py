"""What to tell people when a database cannot be used now: locked, full, away, read-only.

And when what they handed in can be no text of it.
"""

import sqlite3
from typing import Final

from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from callboard.errors import CallboardError, InputError, NotReadyError
from callboard.i18n import Translator

_ = Translator("callboard")

_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: (
        "another process holds its lock",
        "End the program that keeps the file open, such as a backup or a SQL shell.",
    ),
    sqlite3.SQLITE_LOCKED: ("another connection holds its lock", "Try again."),
    sqlite3.SQLITE_FULL: ("the disk is full", "Free some space; nothing else is needed."),
    sqlite3.SQLITE_IOERR: (
        "the disk cannot be written or read",
        "Check the free space, the limit on file sizes and the state of the disk.",
    ),
    sqlite3.SQLITE_READONLY: (
        "it cannot be written",
        "Give the user of this process the right to write the file and its folder.",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "it cannot be opened",
        "Check that its folder exists and that the user of this process may write to it.",
    ),
    sqlite3.SQLITE_PERM: ("access is denied", "Check the permissions of the file."),
    sqlite3.SQLITE_NOTADB: (
        "it is not a SQLite database",
        "Name another file in database.url, or restore a backup.",
    ),
    sqlite3.SQLITE_CORRUPT: ("it is damaged", "Stop Callboard and restore a backup."),
}
"""Primary result codes of https://www.sqlite.org/rescode.html that are no fault of a statement."""

_POSTGRESQL: Final = ("08", "28", "3D", "53", "57", "58")
"""Classes of SQLSTATE (PostgreSQL, appendix A): connection, authorisation, no such database,
resources, intervention of an operator, system."""

_POSTGRESQL_READ_ONLY: Final = "25006"


def explain(error: SQLAlchemyError, place: str, *, reading: bool) -> CallboardError | None:
    """Give the error people are told, or None for one that is a fault of the statement.

    `reading`: a statement that writes where only reading is allowed is a fault of the statement.
    """
    if isinstance(error, PoolTimeoutError):
        return NotReadyError(
            f"The database {place} is busy: all connections of this process are taken.",
            hint="Try again; if it stays so, raise database.pool_size.",
        )
    if not isinstance(error, DBAPIError) or error.orig is None:
        return None
    if _holds_nul(error):
        return InputError(
            _("A text that was handed in holds the character NUL, which no text may hold."),
            hint=_("Leave that character out."),
        )
    if isinstance(error.orig, sqlite3.Error):
        return _explain_sqlite(error.orig, place, reading)
    return _explain_postgresql(error, place, reading)


def _holds_nul(error: DBAPIError) -> bool:
    """PostgreSQL has no such texts (its documentation, section 8.3), and is not even asked."""
    return isinstance(error, DataError) and "cannot contain NUL" in str(error.orig)


def _explain_sqlite(error: sqlite3.Error, place: str, reading: bool) -> NotReadyError | None:
    code = getattr(error, "sqlite_errorcode", 0)
    known = _SQLITE.get(code & 0xFF)
    if known is None or (reading and code == sqlite3.SQLITE_READONLY):
        return None
    reason, hint = known
    return NotReadyError(f"The database {place} cannot be used: {reason} ({error}).", hint=hint)


def _explain_postgresql(error: DBAPIError, place: str, reading: bool) -> NotReadyError | None:
    state = getattr(error.orig, "sqlstate", None) or ""
    is_away = error.connection_invalidated or (not state and error.statement is None)
    is_read_only = state == _POSTGRESQL_READ_ONLY and not reading
    if not (is_away or is_read_only or state.startswith(_POSTGRESQL)):
        return None
    lines = str(error.orig).strip().splitlines() or ["it does not answer"]
    return NotReadyError(
        f"The database {place} cannot be used: {lines[0]}",
        hint="Check that the server runs and that database.url is right; then: callboard doctor",
    )
