"""The table of the audit log. Rows are only ever added."""

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
    Column("request_id", String(64), nullable=False),
    Column("result", String(20), nullable=False),
    Index("ix_audit_entry_subject_id", "subject", "id"),
    Index("ix_audit_entry_actor_id", "actor", "id"),
    # A number is never given twice, even if the newest row was taken away by hand.
    sqlite_autoincrement=True,
)
