"""Tables of the event log."""

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, String, Table

from callboard.database import Json, UtcDateTime, metadata

event: Final = Table(
    "event",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("kind", String(120), nullable=False, index=True),
    Column("subject", String(300), nullable=False),
    Column("data", Json, nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("actor", String(300), nullable=False),
    # A number is never given twice, so that a cursor never meets an event under a used number.
    sqlite_autoincrement=True,
)

event_cursor: Final = Table(
    "event_cursor",
    metadata,
    Column("subscriber", String(200), primary_key=True),
    Column("position", BigInteger, nullable=False),
)
"""How far each subscriber has come: the number of the last event it is done with."""
