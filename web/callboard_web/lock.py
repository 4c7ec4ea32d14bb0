"""One `callboard serve` for each SQLite file."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from callboard.errors import SettingsError


def lock_database(database: Path) -> IO[bytes]:
    """Lock a SQLite file for this process until the handle is closed or the process ends.

    Raises `SettingsError` where another process has it or the folder cannot be written.
    """
    path = database.with_name(f"{database.name}.lock")
    try:
        handle = path.open("ab+", buffering=0)
    except OSError as error:
        raise SettingsError(
            f"The file {path} cannot be written: {error.strerror}.",
            hint="The folder of the database must exist, be writable and have free space.",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.seek(0)
        owner = handle.read(20).decode(errors="replace").strip()
        handle.close()
        raise SettingsError(
            f"Another `callboard serve` (process {owner or 'unknown'}) runs on {database}.",
            hint="Stop it, or name another database; several processes need PostgreSQL.",
        ) from None
    with suppress(OSError):
        handle.truncate(0)
        handle.write(str(os.getpid()).encode())
    return handle
