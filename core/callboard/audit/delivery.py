"""Entries as they leave the portal: in the order of the chain, with their place in it."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final, Protocol

from sqlalchemy import Connection, select

from callboard.audit.canonical import moment
from callboard.audit.models import audit_entry, audit_seal
from callboard.audit.reading import AuditEntry
from callboard.audit.rows import RAW, fields_of

Sent = Mapping[str, Any]
"""The fields of an entry as they are sealed, with `position` and `hash`."""

LARGEST_ERROR: Final = 500


class Carrier(Protocol):
    """Takes entries to one destination."""

    @property
    def batch(self) -> int:
        """How many it takes at once."""

    def deliver(self, chain: str, entries: list[Sent]) -> None:
        """Return once the destination has them all; raise if it may not have.

        What is raised is an `OSError` or a `CallboardError`.
        """


def sealed_after(connection: Connection, position: int, limit: int) -> list[Sent]:
    """Give what is sealed after a place, in the order of the chain."""
    seal = audit_seal.c
    query = (
        select(seal.position, seal.hash, *RAW)
        .join(audit_entry, audit_entry.c.id == seal.entry_id)
        .where(seal.position > position)
        .order_by(seal.position)
        .limit(limit)
    )
    return [
        {"position": row["position"], "hash": row["hash"], **fields_of(row)}
        for row in connection.execute(query).mappings()
    ]


def with_places(connection: Connection, entries: Sequence[AuditEntry]) -> list[Sent]:
    """Give entries as they are sent; one that has no place in the chain yet has None as such."""
    numbers = [entry.id for entry in entries]
    query = select(audit_seal).where(audit_seal.c.entry_id.in_(numbers))
    seals = {row.entry_id: row for row in connection.execute(query)}
    return [_with_place(entry, seals.get(entry.id)) for entry in entries]


def _with_place(entry: AuditEntry, seal: Any) -> Sent:
    return {
        "position": seal.position if seal else None,
        "hash": seal.hash if seal else None,
        **{field.name: getattr(entry, field.name) for field in fields(entry)},
        "at": moment(entry.at),
    }
