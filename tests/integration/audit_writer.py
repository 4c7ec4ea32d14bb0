"""Writes and seals audit entries as a replica does: audit_writer.py DATABASE_URL NAME COUNT.

Every third transaction writes two entries, every fifth is rolled back. A line is printed for each
entry that is committed. Its sealer runs beside it until the end.
"""

import contextlib
import sys
from datetime import UTC, datetime

from sqlalchemy import Connection

from callboard.audit import record
from callboard.audit.sealer import Sealer
from callboard.database import Database
from callboard.identity import Principal


class UndoneError(Exception):
    """Rolls a transaction back."""


def nothing(_: Connection) -> None:
    pass


def write(database: Database, name: str, number: int) -> list[int]:
    actor = Principal(kind="person", name=name)
    with database.write() as connection:
        written = [
            record(
                connection, "a.b.c", f"{name}-{number}-{part}", actor=actor,
                after={"number": number}, at=datetime.now(UTC),
            )
            for part in range(2 if number % 3 == 0 else 1)
        ]  # fmt: skip
        if number % 5 == 0:
            raise UndoneError
    return written


def main(url: str, name: str, count: int) -> None:
    database = Database(url)
    sealer = Sealer(database, nothing, lambda last: None)
    sealer.start()
    for number in range(count):
        with contextlib.suppress(UndoneError):
            for entry in write(database, name, number):
                print(entry, flush=True)
    sealer.stop()
    database.close()
    if sealer.fault:
        sys.exit(sealer.fault)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
