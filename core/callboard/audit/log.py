"""Write the audit log."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, insert, select

from callboard.audit.canonical import FIELDS
from callboard.audit.models import audit_entry, audit_unsealed
from callboard.audit.reading import Result
from callboard.audit.values import hidden, plain
from callboard.database import touch
from callboard.identity import CLIENT_ADDRESS, SYSTEM, Principal, asking
from callboard.logs import REQUEST_ID

TOPIC: Final = "audit"
"""What `Database.committed` tells about after entries were written."""


SUBJECT: Final = "audit"
"""What entries about the log itself are about."""


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
        "actor": plain(str(actor), 300),
        "on_behalf_of": plain(str(on_behalf_of or ""), 300),
        "action": action,
        "subject": plain(subject, 300),
        "before": hidden(before),
        "after": hidden(after),
        "address": plain(address, 64),
        "request_id": plain(request_id, 64),
        "result": result,
    }
    number = _insert(connection, row)
    touch(connection, TOPIC)
    return number


def _insert(connection: Connection, row: Mapping[str, Any]) -> int:
    """Write the entry and put it up to be sealed after the commit: no writer waits for another."""
    if connection.dialect.name == "postgresql":  # one way to the server instead of two
        return int(connection.execute(_BOTH, row).scalar_one())
    number = int(connection.execute(_ENTRY, row).scalar_one())
    connection.execute(insert(audit_unsealed), {"entry_id": number})
    return number


_ENTRY: Final = insert(audit_entry).returning(audit_entry.c.id)
_NEW: Final = (
    insert(audit_entry)
    .values({column: bindparam(column) for column in FIELDS if column != "id"})
    .returning(audit_entry.c.id)
    .cte("new")
)
_BOTH: Final = (
    insert(audit_unsealed)
    .from_select(["entry_id"], select(_NEW.c.id))
    .returning(audit_unsealed.c.entry_id)
)
