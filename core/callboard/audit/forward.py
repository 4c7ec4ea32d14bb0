"""Sends every entry to each destination, in the order of the chain, at least once.

A row for each destination of `audit.forward` keeps how far it has come. It moves after the
destination has taken a batch, so that whatever ends in between is sent again.
"""

import logging
import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from callboard.audit.delivery import LARGEST_ERROR, Carrier, Sent, sealed_after
from callboard.audit.log import record
from callboard.audit.models import audit_destination, audit_entry, audit_seal
from callboard.audit.seal import head_of
from callboard.audit.settings import AuditSettings, SyslogDestination, WebhookDestination
from callboard.audit.syslog import SyslogCarrier
from callboard.audit.webhook import WebhookCarrier
from callboard.errors import CallboardError
from callboard.host import Host
from callboard.redaction import redact

RUN_SECONDS: Final = 40.0
"""A run ends after so long and another follows, so that no backlog outlasts the time limit."""

SHORTEST_PAUSE: Final = timedelta(seconds=2)
LONGEST_PAUSE: Final = timedelta(minutes=5)
TOLD_AT: Final = 5
"""The failure, in a row, that is recorded: half a minute after the first one."""

ACTION: Final = "audit.entry.forward"

log = logging.getLogger(__name__)

AnyDestination = SyslogDestination | WebhookDestination


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """How a destination fares. `behind` counts the sealed entries that it has not been sent.

    `late` is the age of the oldest of them, zero without any.
    """

    name: str
    position: int
    delivered_at: datetime | None
    failures: int
    failing_since: datetime | None
    retry_at: datetime | None
    error: str
    behind: int
    late: timedelta


def register(connection: Connection, destinations: Iterable[AnyDestination]) -> None:
    """Let new destinations begin at the end of the chain, or at its beginning if they ask so."""
    present = set(connection.execute(select(audit_destination.c.name)).scalars())
    head = head_of(connection)
    for destination in destinations:
        if destination.name in present:
            continue
        position = head.horizon_position if destination.from_start else head.position
        try:
            with connection.begin_nested():
                row = {"name": destination.name, "position": position, "failures": 0, "error": ""}
                connection.execute(insert(audit_destination).values(row))
        except IntegrityError:  # another process has registered it at this moment
            continue


def forwardings(connection: Connection, settings: AuditSettings, now: datetime) -> list[Forwarding]:
    """Give how each configured destination fares, in the order of the settings."""
    rows = {row.name: row for row in connection.execute(select(audit_destination))}
    head = head_of(connection)
    found = []
    for destination in settings.forward:
        row = rows.get(destination.name)
        if row is None:
            continue
        at = select(audit_entry.c.at).join(audit_seal, audit_seal.c.entry_id == audit_entry.c.id)
        next_ = at.where(audit_seal.c.position > row.position).order_by(audit_seal.c.position)
        oldest = connection.execute(next_.limit(1)).scalar()
        found.append(
            Forwarding(
                **row._mapping,
                behind=max(head.position - row.position, 0),
                late=max(now - oldest, timedelta()) if oldest else timedelta(),
            )
        )
    return found


def sent_everywhere(connection: Connection, settings: AuditSettings) -> int | None:
    """Give the position up to which every configured destination was sent; None without any."""
    rows: Mapping[str, int] = {
        row.name: row.position for row in connection.execute(select(audit_destination))
    }
    return min((rows.get(item.name, 0) for item in settings.forward), default=None)


def carrier_of(destination: AnyDestination, host: Host, base: Path) -> Carrier:
    """Give what carries entries to a destination."""
    if isinstance(destination, SyslogDestination):
        return SyslogCarrier(destination, base)
    return WebhookCarrier(destination, lambda: host.http, host.now)


def forward(destination: AnyDestination, carrier: Carrier, host: Host) -> int:
    """Send what is due, for `RUN_SECONDS` at most, and give how many entries were taken.

    A destination that fails is left alone for a while, the longer the more often it has failed.
    """
    name, ends, count = destination.name, time.monotonic() + RUN_SECONDS, 0
    with host.write() as connection:
        register(connection, [destination])
    while time.monotonic() < ends:
        with host.read() as connection:
            head = head_of(connection)
            query = select(audit_destination).where(audit_destination.c.name == name)
            row = connection.execute(query).first()
            if row is None or (row.retry_at and row.retry_at > host.now()):
                return count
            position = max(row.position, head.horizon_position)
            entries = sealed_after(connection, position, carrier.batch)
        if not entries:
            return count
        if not _deliver(carrier, head.chain, entries, row, host):
            return count
        count += len(entries)
    return count


def _deliver(carrier: Carrier, chain: str, entries: list[Sent], row: Any, host: Host) -> bool:
    try:
        carrier.deliver(chain, entries)
    except (OSError, CallboardError) as error:
        _note_failure(row, error, host)
        return False
    now, last = host.now(), entries[-1]["position"]
    with host.write() as connection:
        # Forward only: a run that lost its lease must not undo what its successor did.
        moved = update(audit_destination).where(
            audit_destination.c.name == row.name, audit_destination.c.position < last
        )
        values = {"failures": 0, "failing_since": None, "retry_at": None, "error": ""}
        connection.execute(moved.values(position=last, delivered_at=now, **values))
        if row.failures >= TOLD_AT:
            record(connection, ACTION, row.name, after={"since": row.failing_since}, at=now)
    return True


def _note_failure(row: Any, error: Exception, host: Host) -> None:
    now = host.now()
    pause = min(SHORTEST_PAUSE * 2.0 ** min(row.failures, 20), LONGEST_PAUSE)
    said = str(error.message) if isinstance(error, CallboardError) else str(error)
    reason = redact(said or type(error).__name__)[:LARGEST_ERROR]
    if not row.failures:
        log.warning("The audit log cannot be sent to %s: %s", row.name, reason)
    with host.write() as connection:
        this = update(audit_destination).where(audit_destination.c.name == row.name)
        connection.execute(
            this.values(
                failures=row.failures + 1,
                failing_since=row.failing_since or now,
                retry_at=now + pause * random.uniform(0.9, 1.1),  # noqa: S311 - spreads load
                error=reason,
            )
        )
        if row.failures + 1 == TOLD_AT:
            after = {"error": reason, "since": row.failing_since}
            record(connection, ACTION, row.name, after=after, result="failed", at=now)
