"""The plugin's tables: definitions as they are drawn, once for each text, and who has which."""

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from callboard.database import UtcDateTime

metadata: Final = MetaData()

definition: Final = Table(
    "apis_definition",
    metadata,
    Column("id", Integer, primary_key=True),
    # Of the type and the text: two APIs with the same text share what was made of it.
    Column("hash", String(64), nullable=False, unique=True),
    # The version of the code that made it; another one makes it anew.
    Column("made_by", Integer, nullable=False),
    Column("format", String(20), nullable=False),
    Column("dialect", String(40), nullable=False),
    Column("title", String(300), nullable=False),
    Column("version", String(100), nullable=False),
    Column("operations", Integer, nullable=False),
    Column("schemas", Integer, nullable=False),
    Column("deprecated", Integer, nullable=False),
    Column("faults", Integer, nullable=False),
    Column("lines", Integer, nullable=False),
    # Bytes of all bodies before they are packed: a small one is shown on one page.
    Column("size", Integer, nullable=False),
    Column("head", LargeBinary, nullable=False),
)

item: Final = Table(
    "apis_item",
    metadata,
    Column("definition_id", ForeignKey("apis_definition.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("kind", String(9), nullable=False),
    Column("key", String(120), nullable=False),
    Column("tag", String(300), nullable=False),
    Column("verb", String(40), nullable=False),
    Column("title", String(400), nullable=False),
    Column("summary", String(300), nullable=False),
    Column("deprecated", Boolean, nullable=False),
    Column("line", Integer, nullable=False),
    Column("words", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("uq_apis_item_key", "definition_id", "kind", "key", unique=True),
)

source: Final = Table(
    "apis_source",
    metadata,
    Column("definition_id", ForeignKey("apis_definition.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("first_line", Integer, nullable=False),
    Column("text", LargeBinary, nullable=False),
)

api: Final = Table(
    "apis_api",
    metadata,
    Column("ref", String(250), primary_key=True),
    # Of the definition it should have; it waits as long as that is not the one it has.
    Column("wanted", String(64), nullable=False),
    Column("waiting", Boolean, nullable=False, index=True),
    Column("definition_id", ForeignKey("apis_definition.id")),
    Column("type", String(100), nullable=False, index=True),
    Column("title", String(300), nullable=False),
    Column("owner", String(250), nullable=False, index=True),
    Column("lifecycle", String(100), nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Index("ix_apis_api_title", "title", "ref"),
)

version: Final = Table(
    "apis_version",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ref", String(250), nullable=False),
    Column("definition_id", ForeignKey("apis_definition.id"), nullable=False),
    Column("version", String(100), nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    # Compared with the one before; None where there is none or it could not be compared.
    Column("breaking", Integer),
    Column("warning", Integer),
    Column("ok", Integer),
    Column("changes", LargeBinary),
    Index("ix_apis_version_ref", "ref", "id"),
)
