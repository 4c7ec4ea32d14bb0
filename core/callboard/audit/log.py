"""Write and read the audit log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select

from callboard.audit.models import audit_entry
from callboard.audit.values import hidden
from callboard.identity import CLIENT_ADDRESS, SYSTEM, Principal, asking
from callboard.logs import REQUEST_ID

Result = Literal["ok", "denied", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did what to which thing, when, from where, and how it ended.

    `before` and `after` are what changed, with secrets hidden. `on_behalf_of` names the person a
    token or the system acted for, or is empty.
    """

    id: int
    at: datetime
    actor: str
    on_behalf_of: str
    action: str
    subject: str
    before: Any
    after: Any
    address: str
    request_id: str
    result: Result


def record(
    connection: Connection,
    action: str,
    subject: str,
    *,
    actor: Principal | None = None,
    on_behalf_of: Principal | None = None,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    result: Result = "ok",
    address: str | None = None,
    request_id: str | None = None,
    at: datetime,
) -> int:
    """Write an entry in the transaction of the change it tells of, and give its number.

    `action` is a permission's name, such as `catalog.source.refresh`. Without `actor` it is who
    asks, and the person they act for; the portal itself where nobody asks. Address and request
    are those of the request that is answered, unless given. A refused attempt is recorded in a
    transaction of its own, with `result="denied"`.
    """
    if actor is None:
        subject_asking = asking()
        actor = subject_asking.principal if subject_asking else SYSTEM
        on_behalf_of = on_behalf_of or (subject_asking.on_behalf_of if subject_asking else None)
    address = CLIENT_ADDRESS.get() if address is None else address
    request_id = REQUEST_ID.get() if request_id is None else request_id
    row = {
        "at": at,
        "actor": str(actor)[:300],
        "on_behalf_of": str(on_behalf_of or "")[:300],
        "action": action,
        "subject": subject[:300],
        "before": hidden(before),
        "after": hidden(after),
        "address": address[:64],
        "request_id": request_id[:64],
        "result": result,
    }
    statement = insert(audit_entry).values(row).returning(audit_entry.c.id)
    return int(connection.execute(statement).scalar_one())


def entries(
    connection: Connection,
    *,
    subject: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[AuditEntry]:
    """Give the entries that fit, newest first; `before` is the last number of the page before."""
    query = select(audit_entry).order_by(audit_entry.c.id.desc()).limit(limit)
    for column, value in (("subject", subject), ("actor", actor), ("action", action)):
        if value is not None:
            query = query.where(audit_entry.c[column] == value)
    if before is not None:
        query = query.where(audit_entry.c.id < before)
    return [AuditEntry(**row) for row in connection.execute(query).mappings()]
