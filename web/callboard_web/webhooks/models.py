"""The table of deliveries."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text, text

from callboard.database.types import Json, TranslatedText, UtcDateTime, metadata

Number: Final = BigInteger().with_variant(Integer, "sqlite")
_VERIFIED: Final = text("verdict = 'verified'")

delivery: Final = Table(
    "portal_delivery",
    metadata,
    Column("id", Number, primary_key=True),
    Column("plugin", String(120), nullable=False),
    Column("hook", String(80), nullable=False),
    Column("webhook", String(80), nullable=False),
    Column("key", String(200), nullable=False),
    Column("received_at", UtcDateTime, nullable=False, index=True),
    Column("last_at", UtcDateTime, nullable=False),
    Column("times", Integer, nullable=False),
    Column("address", String(64), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("event", String(120), nullable=False),
    Column("headers", Json, nullable=False),
    Column("query", Json, nullable=False),
    Column("body", LargeBinary),
    Column("size", Integer, nullable=False),
    Column("verdict", String(10), nullable=False),
    Column("reason", TranslatedText, nullable=False),
    Column("state", String(10), nullable=False),
    Column("outcome", TranslatedText, nullable=False),
    Column("repository", Text, nullable=False),
    Column("links", Json, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("run", Number),
    Column("finished_at", UtcDateTime),
    # What is forged must not take the place of what is genuine, so it has no share in this.
    Index(
        "uq_portal_delivery_key",
        "plugin",
        "hook",
        "key",
        unique=True,
        sqlite_where=_VERIFIED,
        postgresql_where=_VERIFIED,
    ),
    Index("ix_portal_delivery_health", "plugin", "hook", "verdict", "state", "last_at"),
    Index("ix_portal_delivery_state_id", "state", "id"),
    Index("ix_portal_delivery_event_id", "event", "id"),
    sqlite_autoincrement=True,
)
"""A delivery. `hook` is the last part of its address, `webhook` the contribution that handles it,
`key` what its sender names it by. `verdict` is `verified` or `refused`, `state` one of `waiting`,
`working`, `done`, `failed` and `refused`. A refused one has no body; `times` counts those alike,
and how often a verified one was sent. `body` is compressed. `run` is the newest run of its job."""
