"""The tables of people: their names here, and what the host answered."""

from typing import Final

from sqlalchemy import Column, Index, String, Table, Text

from callboard.database import Json, UtcDateTime
from callboard.people import identity_columns
from callboard_scm_hosts.models import metadata

identity: Final = Table(
    "scm_hosts_identity",
    metadata,
    *identity_columns(),
    Index("uq_scm_hosts_identity", "source", "kind", "name", unique=True),
)
"""People and groups of the last good reading, by the host's own numbers."""

answer: Final = Table(
    "scm_hosts_answer",
    metadata,
    Column("people", String(60), primary_key=True),
    # SHA-256 of the address.
    Column("key", String(64), primary_key=True),
    Column("etag", Text, nullable=False),
    Column("following", Text, nullable=False),
    # What is used of it: {"items": [...], "count": of the page as it came}
    Column("data", Json, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
)
"""Answers of a host, so that what did not change need not be sent again."""

reading: Final = Table(
    "scm_hosts_reading",
    metadata,
    Column("people", String(60), primary_key=True),
    Column("began_at", UtcDateTime, nullable=False),
)
"""Readings that were ended in the middle. What was asked since they began is not asked again."""
