"""Secrets the portal makes for itself: the same in every process on one database."""

import secrets
from datetime import datetime

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from callboard.database import Database
from callboard_web.personal import models

BYTES = 32


def shared_secret(database: Database, name: str, now: datetime) -> str:
    """Give the secret of this name; it is made when it is first asked for.

    Of two processes that make it at once one does, and both are given what that one made.
    """
    found = _read(database, name)
    if found is None:
        row = {"name": name, "value": secrets.token_urlsafe(BYTES), "created_at": now}
        try:
            with database.write() as connection:
                connection.execute(insert(models.secret).values(row))
        except IntegrityError:
            pass  # another process was first
        found = _read(database, name)
    assert found is not None
    return found


def _read(database: Database, name: str) -> str | None:
    table = models.secret
    with database.read() as connection:
        return connection.scalar(select(table.c.value).where(table.c.name == name))
