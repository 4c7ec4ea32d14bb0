"""A check of the audit log: entries that wait for their place in the chain."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import inspect
from sqlalchemy.exc import SQLAlchemyError

from callboard.audit.seal import backlog, head_of
from callboard.database import Database
from callboard.doctor.frame import Check, Finding
from callboard.errors import CallboardError

LATE: Final = timedelta(minutes=1)


def audit_check(database: Database, now: Callable[[], datetime]) -> Check:
    """Look for entries without a seal; a portal that runs seals them within a second."""
    return Check("Audit log", lambda: _audit(database, now))


def _has_tables(database: Database) -> bool:
    try:
        with database.read() as connection:
            return inspect(connection).has_table("audit_head")
    except (SQLAlchemyError, CallboardError):
        return False


def _audit(database: Database, now: Callable[[], datetime]) -> Iterator[Finding]:
    if not _has_tables(database):
        return  # the check of the database says so
    with database.read() as connection:
        head = head_of(connection)
        waiting = backlog(connection, now())
    detail = f"{head.position} entries in the chain, {waiting.number} wait for their seal."
    if waiting.age > LATE:
        step = "Start callboard serve or callboard worker; its log says what keeps it from sealing."
        yield Finding("warn", "The audit log is not sealed", detail, step)
    else:
        yield Finding("ok", "Audit log", detail)
