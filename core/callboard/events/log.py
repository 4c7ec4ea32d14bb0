"""Write and read the event log."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    delete,
    false,
    func,
    insert,
    literal,
    or_,
    select,
)

from callboard.contributions import Event
from callboard.database import touch
from callboard.events.models import event
from callboard.identity import SYSTEM, Principal, asking

TOPIC: Final = "event"
"""What `Database.committed` tells about after events were written."""

_LOCK: Final = 0x43_61_6C_6C_45_76_74
"""The advisory lock of PostgreSQL that publishers take."""


class Fact(NamedTuple):
    """An event to be: its kind, such as `catalog.entity.updated`, what it is about, and more."""

    kind: str
    subject: str
    data: Mapping[str, Any] | None = None


def _actor() -> Principal:
    subject = asking()
    return subject.principal if subject else SYSTEM


def publish(
    connection: Connection,
    kind: str,
    subject: str,
    data: Mapping[str, Any] | None = None,
    *,
    actor: Principal | None = None,
    at: datetime,
) -> int:
    """Write one event in the caller's transaction and give its number.

    Publish as the last step of a transaction: on PostgreSQL other publishers wait for its end
    from here on, which is what lets readers follow the log by number without missing any.
    Without `actor` it is who asks; the portal itself where nobody asks.
    """
    _serialise(connection)
    row = {
        "kind": kind,
        "subject": subject,
        "data": dict(data or {}),
        "at": at,
        "actor": str(actor or _actor()),
    }
    number = connection.execute(insert(event).values(row).returning(event.c.id)).scalar_one()
    touch(connection, TOPIC)
    return int(number)


def publish_many(
    connection: Connection,
    facts: Sequence[Fact | tuple[str, str, Mapping[str, Any] | None]],
    *,
    actor: Principal | None = None,
    at: datetime,
) -> None:
    """Write any number of events, numbered in the order given, as `publish` does."""
    if not facts:
        return
    _serialise(connection)
    connection.execute(
        insert(event),
        [
            {
                "kind": kind,
                "subject": subject,
                "data": dict(data or {}),
                "at": at,
                "actor": str(actor or _actor()),
            }
            for kind, subject, data in facts
        ],
    )
    touch(connection, TOPIC)


def _serialise(connection: Connection) -> None:
    # A sequence gives out numbers before their transactions commit: without the lock a later
    # number could be seen, and the cursor moved past it, before an earlier one is there.
    # SQLite has one writer at a time anyway.
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(literal(_LOCK))))


def read(
    connection: Connection, after: int, kinds: Sequence[str] = (), limit: int = 500
) -> list[Event]:
    """Give the events with a number above `after`, in order.

    `kinds` are whole kinds, or beginnings of kinds that end with a dot; without it, all.
    """
    query = select(event).where(event.c.id > after).order_by(event.c.id).limit(limit)
    if kinds:
        query = query.where(of_kinds(kinds))
    return [_event(row) for row in connection.execute(query)]


def of_kinds(kinds: Sequence[str]) -> ColumnElement[bool]:
    """Give the condition that an event is of one of these kinds, as in `read`."""
    whole = [kind for kind in kinds if not kind.endswith(".")]
    begins = [_begins(kind) for kind in kinds if kind.endswith(".")]
    return or_(event.c.kind.in_(whole) if whole else false(), *begins)


def _begins(prefix: str) -> ColumnElement[bool]:
    return func.substr(event.c.kind, 1, len(prefix)) == prefix


def is_of(kind: str, kinds: Sequence[str]) -> bool:
    """Say whether `kind` is among `kinds`, as in `read`."""
    return not kinds or any(
        kind == item or (item.endswith(".") and kind.startswith(item)) for item in kinds
    )


def _event(row: Row[Any]) -> Event:
    return Event(
        id=row.id, kind=row.kind, subject=row.subject, data=row.data, at=row.at, actor=row.actor
    )


def newest(connection: Connection) -> int:
    """Give the number of the newest event, or 0."""
    return int(connection.execute(select(func.max(event.c.id))).scalar() or 0)


def newest_before(connection: Connection, moment: datetime) -> int:
    """Give the number of the newest event that was published before a moment.

    Where all that is kept is younger, it is that before the oldest one.
    """
    query = select(event.c.id).where(event.c.at < moment).order_by(event.c.id.desc()).limit(1)
    found = connection.execute(query).scalar()
    return max(0, oldest(connection) - 1) if found is None else int(found)


def oldest(connection: Connection) -> int:
    """Give the number of the oldest event that is kept, or 0."""
    return int(connection.execute(select(func.min(event.c.id))).scalar() or 0)


def prune(connection: Connection, before: datetime) -> int:
    """Delete what is older than `before` and give the count; the newest event always stays.

    It stays so that the number a reader has come to can be told from one of another database.
    """
    keep = select(func.max(event.c.id)).scalar_subquery()
    return connection.execute(delete(event).where(event.c.at < before, event.c.id < keep)).rowcount
