"""Removes the oldest entries with their seals, and keeps where the rest of the chain begins."""

from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, select

from callboard.audit.forward import sent_everywhere
from callboard.audit.log import SUBJECT, record
from callboard.audit.models import audit_entry, audit_seal
from callboard.audit.seal import locked_head, move_head
from callboard.audit.settings import AuditSettings
from callboard.audit.verify import PRUNED

BATCH: Final = 2000


def prune(connection: Connection, settings: AuditSettings, before: datetime, now: datetime) -> int:
    """Remove at most `BATCH` entries from the beginning of the chain, and give how many.

    They are older than `before`, sealed and sent to every destination; the newest entry stays.
    The horizon that is left, and the entry that tells of it, are of the same transaction.
    """
    head = locked_head(connection)
    sent = sent_everywhere(connection, settings)
    last = head.position - 1 if sent is None else min(sent, head.position - 1)
    query = (
        select(audit_seal.c.position, audit_seal.c.hash, audit_seal.c.entry_id, audit_entry.c.at)
        .join(audit_entry, audit_entry.c.id == audit_seal.c.entry_id)
        .where(audit_seal.c.position > head.horizon_position, audit_seal.c.position <= last)
        .order_by(audit_seal.c.position)
        .limit(BATCH)
    )
    old: list[Any] = []
    for row in connection.execute(query):
        # Without gaps, so that what somebody took away is not covered up.
        if row.at >= before or row.position != head.horizon_position + len(old) + 1:
            break
        old.append(row)
    if not old:
        return 0
    end = old[-1]
    move_head(connection, horizon_position=end.position, horizon_hash=end.hash, horizon_at=end.at)
    numbers = [row.entry_id for row in old]
    connection.execute(delete(audit_entry).where(audit_entry.c.id.in_(numbers)))
    connection.execute(delete(audit_seal).where(audit_seal.c.position <= end.position))
    record(
        connection,
        PRUNED,
        SUBJECT,
        before={"position": head.horizon_position, "hash": head.horizon_hash},
        after={"position": end.position, "hash": end.hash, "until": end.at, "removed": len(old)},
        at=now,
    )
    return len(old)
