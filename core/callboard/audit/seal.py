"""Give committed entries their place in the chain: short transactions, one holder at a time."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from sqlalchemy import Connection, Row, delete, func, insert, select, update

from callboard.audit.canonical import canonical, fingerprint, link, pieces
from callboard.audit.models import audit_entry, audit_head, audit_seal, audit_unsealed
from callboard.audit.rows import RAW, fields_of
from callboard.errors import NotReadyError

BATCH: Final = 500
"""Entries sealed in one transaction: a few hundredths of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the chain, and its horizon: what retention removed ends there."""

    chain: str
    position: int
    hash: str
    horizon_position: int
    horizon_hash: str
    horizon_at: datetime | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Entries without a seal, and for how long the oldest of them has been there."""

    number: int
    age: timedelta


def head_of(connection: Connection) -> Head:
    """Give the head. Raises `NotReadyError` where it is gone."""
    return _head(connection.execute(_HEAD).first())


def locked_head(connection: Connection) -> Head:
    """Give the head and keep it from all others until the transaction ends."""
    return _head(connection.execute(_HEAD.with_for_update()).first())


def _head(row: Row[Any] | None) -> Head:
    if row is None:
        raise NotReadyError(
            "The head of the audit log is gone: its row was deleted from audit_head.",
            hint="Restore a backup, or compare with a checkpoint; docs/operator/audit.md.",
        )
    values = dict(row._mapping)
    del values["id"]
    return Head(**values)


def backlog(connection: Connection, now: datetime) -> Backlog:
    """Give how much waits for its seal."""
    # Outer, though what has lost its entry is not counted: otherwise SQLite, which may know how
    # many entries there are but not that next to nothing waits, begins with every entry.
    waiting = select(func.count(audit_entry.c.id), func.min(audit_entry.c.at)).select_from(
        audit_unsealed.outerjoin(audit_entry, audit_entry.c.id == audit_unsealed.c.entry_id)
    )
    number, oldest = connection.execute(waiting).one()
    return Backlog(number, max(now - oldest, timedelta()) if oldest else timedelta())


def has_backlog(connection: Connection) -> bool:
    """Say whether anything waits for its seal."""
    return connection.execute(select(audit_unsealed.c.entry_id).limit(1)).first() is not None


class Writes(Protocol):
    """A database, or a host, which opens one for a plugin."""

    def write(self) -> AbstractContextManager[Connection]:
        """Open a transaction."""


def _nothing(connection: Connection) -> None:
    pass


def seal_all(
    store: Writes, *, wait: bool = True, after: Callable[[Connection], None] = _nothing
) -> int:
    """Seal what has been committed, batch by batch, and give the count.

    Without `wait`, what another process is sealing at this moment is left to it. `after` is called
    in the transaction of each batch.
    """
    count = 0
    while True:
        with store.write() as connection:
            sealed = seal_batch(connection, wait=wait)
            if sealed:
                after(connection)
        count += sealed
        if sealed < BATCH:
            return count


def seal_batch(connection: Connection, *, wait: bool) -> int:
    """Seal at most `BATCH` entries in this transaction, by number, and give the count."""
    # Whoever holds this row seals; the rows read after it are those of this moment.
    row = connection.execute(_HEAD.with_for_update(skip_locked=not wait)).first()
    if row is None and not wait and connection.execute(_HEAD).first():
        return 0
    head = _head(row)
    waiting = connection.execute(_WAITING).mappings().all()
    if not waiting:
        return 0
    seals, position, hash_ = [], head.position, head.hash
    for entry in waiting:
        parts = pieces(fields_of(entry))
        position, hash_ = position + 1, link(hash_, canonical(parts))
        seals.append(
            {
                "position": position,
                "entry_id": entry["id"],
                "fingerprint": fingerprint(parts, position),
                "hash": hash_,
            }
        )
    connection.execute(insert(audit_seal), seals)
    numbers = [entry["id"] for entry in waiting]
    connection.execute(delete(audit_unsealed).where(audit_unsealed.c.entry_id.in_(numbers)))
    move_head(connection, position=position, hash=hash_)
    return len(seals)


def move_head(connection: Connection, **values: Any) -> None:
    """Write to the head, which the transaction has locked."""
    connection.execute(update(audit_head).where(audit_head.c.id == 1).values(**values))


_HEAD: Final = select(audit_head).where(audit_head.c.id == 1)

# What was put into the queue a second time, or has lost its entry, stays there for `verify`.
_WAITING: Final = (
    select(*RAW)
    .join(audit_unsealed, audit_unsealed.c.entry_id == audit_entry.c.id)
    .outerjoin(audit_seal, audit_seal.c.entry_id == audit_entry.c.id)
    .where(audit_seal.c.position.is_(None))
    .order_by(audit_unsealed.c.entry_id)
    .limit(BATCH)
)
