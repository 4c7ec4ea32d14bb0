"""The tables of the audit log. Entries and seals are only ever added; retention alone removes."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from callboard.database import Json, UtcDateTime, metadata

audit_entry: Final = Table(
    "audit_entry",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("actor", String(300), nullable=False),
    Column("on_behalf_of", String(300), nullable=False),
    Column("action", String(120), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("before", Json),
    Column("after", Json),
    Column("address", String(64), nullable=False),
    Column("request_id", String(64), nullable=False, index=True),
    Column("result", String(20), nullable=False),
    Index("ix_audit_entry_subject_at", "subject", "at"),
    Index("ix_audit_entry_actor_at", "actor", "at"),
    Index("ix_audit_entry_action_at", "action", "at"),
    # A number is never given twice, even if the newest row was taken away by hand.
    sqlite_autoincrement=True,
)

audit_unsealed: Final = Table(
    "audit_unsealed",
    metadata,
    Column("entry_id", BigInteger, primary_key=True, autoincrement=False),
)
"""Entries that have no place in the chain yet; written with the entry, removed with its seal."""

audit_seal: Final = Table(
    "audit_seal",
    metadata,
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("entry_id", BigInteger, nullable=False, unique=True),
    Column("fingerprint", String(96), nullable=False),
    Column("hash", String(64), nullable=False),
)
"""The chain: positions without gaps, each with the hash over the one before and its entry.

No foreign key: a seal whose entry was taken away must stay and tell of it.
"""

audit_head: Final = Table(
    "audit_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("chain", String(64), nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("hash", String(64), nullable=False),
    Column("horizon_position", BigInteger, nullable=False),
    Column("horizon_hash", String(64), nullable=False),
    Column("horizon_at", UtcDateTime),
)
"""One row: the end of the chain, and the horizon, up to which retention has removed it."""

audit_destination: Final = Table(
    "audit_destination",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("position", BigInteger, nullable=False),
    Column("delivered_at", UtcDateTime),
    Column("failures", Integer, nullable=False),
    Column("failing_since", UtcDateTime),
    Column("retry_at", UtcDateTime),
    Column("error", String(500), nullable=False),
)
"""How far each destination of `audit.forward` has been told: the position of the last entry."""

audit_noted: Final = Table(
    "audit_noted",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Json, nullable=False),
)
"""What was last recorded of that which changes outside of the portal, such as its settings."""
