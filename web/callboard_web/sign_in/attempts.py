"""Sign-ins as administrators look at them afterwards."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, delete, insert, select

from callboard.database import Database
from callboard.i18n import Text
from callboard.identity import CLIENT_ADDRESS
from callboard.logs import REQUEST_ID
from callboard_web.sign_in.claims import shown
from callboard_web.sign_in.models import sign_in as _TABLE  # noqa: N812
from callboard_web.sign_in.resolver import Resolution

Result = Literal["ok", "failed"]
MOST_SHOWN_GROUPS: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt to sign in. `fault` is empty where it succeeded; see `faults.FAULTS`."""

    id: int
    at: datetime
    provider: str
    result: Result
    fault: str
    reason: Text
    subject: str
    title: str
    ref: str
    claims: Mapping[str, Any]
    steps: Sequence[Mapping[str, Any]]
    groups: Sequence[Mapping[str, Any]]
    address: str
    request_id: str


def groups_plain(resolution: Resolution) -> list[dict[str, Any]]:
    """Give what became of groups as it is kept."""
    return [
        {
            "name": match.name,
            "group": str(match.group) if match.group else "",
            "rule": match.rule,
            "missing": [str(ref) for ref in match.missing],
        }
        for match in resolution.groups[:MOST_SHOWN_GROUPS]
    ]


def add(
    connection: Connection,
    *,
    at: datetime,
    provider: str,
    fault: str = "",
    reason: Text = "",
    subject: str = "",
    title: str = "",
    ref: str = "",
    claims: Mapping[str, Any] | None = None,
    resolution: Resolution | None = None,
) -> int:
    """Keep an attempt and give its number."""
    row = {
        "at": at,
        "provider": provider,
        "result": "failed" if fault else "ok",
        "fault": fault,
        "reason": reason,
        "subject": subject[:600],
        "title": title[:200],
        "ref": ref,
        "claims": shown(claims or {}),
        "steps": [step.plain() for step in resolution.steps] if resolution else [],
        "groups": groups_plain(resolution) if resolution else [],
        "address": CLIENT_ADDRESS.get()[:64],
        "request_id": REQUEST_ID.get()[:64],
    }
    return int(connection.execute(insert(_TABLE).values(row).returning(_TABLE.c.id)).scalar_one())


def latest(
    database: Database, *, before: int = 0, limit: int = 50, result: str = "", provider: str = ""
) -> Sequence[Attempt]:
    """Give attempts, the newest first; `before` is the last number of the page before."""
    statement = select(_TABLE).order_by(_TABLE.c.id.desc()).limit(limit)
    if before:
        statement = statement.where(_TABLE.c.id < before)
    for column, value in ((_TABLE.c.result, result), (_TABLE.c.provider, provider)):
        if value:
            statement = statement.where(column == value)
    with database.read() as connection:
        return [Attempt(**row) for row in connection.execute(statement).mappings()]


def get(database: Database, number: int) -> Attempt | None:
    """Give one of them."""
    with database.read() as connection:
        row = (
            connection.execute(select(_TABLE).where(_TABLE.c.id == number)).mappings().one_or_none()
        )
    return Attempt(**row) if row else None


def forget(connection: Connection, before: datetime) -> int:
    """Delete what is older; give how many there were."""
    return connection.execute(delete(_TABLE).where(_TABLE.c.at < before)).rowcount
