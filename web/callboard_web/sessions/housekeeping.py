"""Ends sessions of people who are no longer in the catalog, and deletes those that ran out."""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select

from callboard.entities import EntityRef
from callboard.host import Host
from callboard_web.sessions import store
from callboard_web.sessions.models import attempt

GRACE: Final = timedelta(minutes=10)
"""How long the User of a new session may take to be in the catalog."""

KEPT: Final = timedelta(hours=1)
"""How long attempts are kept; they count for a part of that."""

MOST: Final = 500
"""Sessions ended in one transaction, so that nobody waits long for it."""


def tidy(host: Host) -> None:
    """Do both; what is done twice does no harm."""
    _end_of_missing(host)
    now = host.now()
    with host.write() as connection:
        connection.execute(delete(store.SESSION).where(store.SESSION.c.ends_at <= now))
        connection.execute(delete(attempt).where(attempt.c.since < now - KEPT))


def _end_of_missing(host: Host) -> None:
    session, account = store.SESSION, store.ACCOUNT
    now = host.now()
    statement = (
        select(session.c.id, account.c.ref)
        .join_from(session, account)
        .where(account.c.ref != "", session.c.created_at < now - GRACE, session.c.ends_at > now)
    )
    with host.read() as connection:
        rows = connection.execute(statement).all()
    refs = {row.ref: EntityRef.parse(row.ref) for row in rows}
    known = {str(ref) for ref in host.catalog.get_many(list(refs.values()))}
    missing = [row.id for row in rows if row.ref not in known]
    for begin in range(0, len(missing), MOST):
        with host.write() as connection:
            store.end(connection, session.c.id.in_(missing[begin : begin + MOST]), "gone", now)
