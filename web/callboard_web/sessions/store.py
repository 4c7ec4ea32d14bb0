"""Reads and ends sessions in the database."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, delete, func, select

from callboard import events
from callboard.audit import record
from callboard.entities import EntityRef
from callboard.identity import Principal
from callboard_catalog.models import state
from callboard_web.sessions import models
from callboard_web.sessions.model import Session, Why, principal_of

ACCOUNT: Final = models.account
SESSION: Final = models.session

_OF_ACCOUNT: Final = (
    ACCOUNT.c.subject, ACCOUNT.c.title, ACCOUNT.c.ref, ACCOUNT.c.groups, ACCOUNT.c.names,
    ACCOUNT.c.roles, ACCOUNT.c.active,
)  # fmt: skip


_GENERATION: Final = select(state.c.generation).scalar_subquery().label("generation")
BY_SECRET: Final = (
    select(SESSION, *_OF_ACCOUNT, _GENERATION)
    .join_from(SESSION, ACCOUNT)
    .where(SESSION.c.secret == bindparam("secret_hash"))
)
"""The one query of every request, put together once; it tells the catalog's generation as well."""


def with_account() -> Select[Any]:
    """Give the query for sessions with their accounts."""
    return select(SESSION, *_OF_ACCOUNT).join_from(SESSION, ACCOUNT)


def principal(row: Any) -> Principal:
    """Give whose a session is."""
    return principal_of(row.method, row.subject, EntityRef.parse(row.ref) if row.ref else None)


def session_of(row: Any) -> Session:
    """Give a session as the rest of the portal sees it."""
    return Session(
        id=row.id,
        account=row.account_id,
        method=row.method,
        subject=row.subject,
        title=row.title,
        principal=principal(row),
        created_at=row.created_at,
        seen_at=row.seen_at,
        ends_at=row.ends_at,
        limit_at=row.limit_at,
        address=row.address,
        agent=row.agent,
    )


def open_by_method(connection: Connection, now: datetime) -> dict[str, int]:
    """Give how many sessions are open, by the way people signed in."""
    statement = select(SESSION.c.method, func.count()).where(SESSION.c.ends_at > now)
    rows = connection.execute(statement.group_by(SESSION.c.method))
    return {method: number for method, number in rows}  # noqa: C416 - rows are no pairs to mypy


def end(
    connection: Connection, condition: ColumnElement[bool], why: Why, now: datetime
) -> Sequence[Row[Any]]:
    """End the sessions that fit, each with an audit entry and an event; give what they were."""
    rows = connection.execute(with_account().where(condition, SESSION.c.ends_at > now)).all()
    connection.execute(delete(SESSION).where(SESSION.c.id.in_([row.id for row in rows])))
    for row in rows:
        name = str(principal(row))
        told = {"session": row.id, "method": row.method, "why": why}
        record(connection, "portal.session.end", name, before=told, at=now)
    for row in rows:
        told = {"session": row.id, "method": row.method, "why": why}
        events.publish(connection, "portal.session.ended", str(principal(row)), told, at=now)
    return rows
