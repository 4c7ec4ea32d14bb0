"""The tables of registered locations and of addresses that were read."""

from typing import Final

from sqlalchemy import Column, ForeignKey, String, Table, Text, UniqueConstraint

from callboard.database.types import UtcDateTime, metadata
from callboard_catalog.models import Key

location: Final = Table(
    "catalog_location",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("type", String(40), nullable=False),
    Column("target", Text, nullable=False),
    Column("ref", String(255), nullable=False, unique=True),
    Column("created_by", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("type", "target"),
)
"""An address that was registered. `ref` is its own entity, which keeps its name for good."""

address: Final = Table(
    "source_address",
    metadata,
    Column("source_id", Key, ForeignKey("source.id", ondelete="CASCADE"), primary_key=True),
    Column("url", Text, primary_key=True),
    Column("etag", Text, nullable=False),
    Column("blob", Text, nullable=False),
)
"""What a source knows of an address it read: the validator its server gave (or the commit, where it
was read through Git), and what names the content that came with it."""
