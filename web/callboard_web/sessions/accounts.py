"""The accounts of people who sign in, as rows of their table."""

from datetime import datetime
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from callboard.audit import hidden
from callboard_web.sessions.model import SignedIn
from callboard_web.sessions.store import ACCOUNT


def remember(connection: Connection, signed_in: SignedIn, now: datetime) -> tuple[int, bool]:
    """Write the account as it is described now; give its number and whether it is active."""
    values = {**described(signed_in), "signed_in_at": now, "updated_at": now}
    row = {
        **values, "method": signed_in.method, "subject": signed_in.subject, "active": True,
        "created_at": now,
    }  # fmt: skip
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = (
        dialect.insert(ACCOUNT)
        .values(row)
        .on_conflict_do_update(index_elements=[ACCOUNT.c.method, ACCOUNT.c.subject], set_=values)
        .returning(ACCOUNT.c.id, ACCOUNT.c.active)
    )
    written = connection.execute(statement).one()
    return written.id, written.active


def described(signed_in: SignedIn) -> dict[str, Any]:
    """Give the columns that say who somebody is, within their lengths."""
    return {
        "title": signed_in.title.replace("\0", "")[:200],
        "email": signed_in.email.replace("\0", "")[:320],
        "ref": str(signed_in.user) if signed_in.user else "",
        "groups": [str(ref) for ref in signed_in.groups],
        "names": list(signed_in.names),
        "roles": list(signed_in.roles),
        "claims": hidden(signed_in.claims),
        "rule": signed_in.rule,
    }
