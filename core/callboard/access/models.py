"""The tables of policies, and of requests that were recorded to try policies against."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from callboard.database import Json, TranslatedText, UtcDateTime, metadata

state: Final = Table(
    "access_state",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    # Grows with every change of what policies say; each process reads them again then.
    Column("generation", BigInteger, nullable=False),
)

role: Final = Table(
    "access_role",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("content", Json, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("changed_by", String(300), nullable=False),
)

binding: Final = Table(
    "access_binding",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("content", Json, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
    Column("changed_by", String(300), nullable=False),
    # A number is never given twice: the audit log tells of bindings by their number.
    sqlite_autoincrement=True,
)

source: Final = Table(
    "access_source",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("revision", String(80), nullable=False),
    Column("read_at", UtcDateTime),
    Column("succeeded_at", UtcDateTime),
    Column("failing_since", UtcDateTime),
    Column("error", TranslatedText, nullable=False),
)

document: Final = Table(
    "access_document",
    metadata,
    Column("source", String(64), primary_key=True),
    Column("path", String(500), primary_key=True),
    # The last text without faults, of which revision it is; None where there was none yet.
    Column("text", Text),
    Column("revision", String(80), nullable=False),
    Column("faults", Json, nullable=False),
    Column("digest", String(64), nullable=False),
)

request: Final = Table(
    "access_request",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("content", Json, nullable=False),
    Column("permission", String(120), nullable=False),
    Column("allowed", Boolean, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Index("ix_access_request_last_at", "last_at"),
)
