"""The tables of tokens and service accounts."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from callboard.database.types import Json, UtcDateTime, metadata

Number: Final = BigInteger().with_variant(Integer, "sqlite")

service_account: Final = Table(
    "portal_service_account",
    metadata,
    Column("id", Number, primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
    Column("purpose", Text, nullable=False),
    Column("owner", String(255), nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(300), nullable=False),
    Column("closed_at", UtcDateTime),
)
"""An account of machines. `owner` is the reference of a group whose members manage it, or empty
where administrators do. A closed one stays, so that nobody takes its name and with it its bindings.
"""

token: Final = Table(
    "portal_token",
    metadata,
    Column("id", Number, primary_key=True),
    Column("name", String(80), nullable=False),
    Column("purpose", Text, nullable=False),
    Column("account_id", Number, index=True),
    Column("service_account_id", Number, index=True),
    Column("owner", String(300), nullable=False, index=True),
    Column("secret", String(64), nullable=False),
    Column("old_secret", String(64), nullable=False),
    Column("old_secret_until", UtcDateTime),
    Column("permissions", Json, nullable=False),
    Column("selector", Json, nullable=False),
    Column("rate", Integer),
    Column("form", String(43), nullable=False, unique=True),
    Column("rotations", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("created_by", String(300), nullable=False),
    Column("rotated_at", UtcDateTime),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("warn_at", UtcDateTime, nullable=False, index=True),
    Column("announced_at", UtcDateTime),
    Column("last_used_at", UtcDateTime),
    Column("last_used_address", String(64), nullable=False),
    Column("revoked_at", UtcDateTime, index=True),
    Column("revoked_by", String(300), nullable=False),
    Index("ix_portal_token_owner_id", "owner", "id"),
    # A number is never given twice: the audit log names tokens by it.
    sqlite_autoincrement=True,
)
"""A token of a person (`account_id`) or of a service account.

`secret` is the SHA-256 of the secret part; `old_secret` that of the one before the last rotation,
good until `old_secret_until`. `owner` is the person's principal, or `service:<name>`. `form` is
the number of the form it was made with, so that a form that is sent twice makes one token.
`warn_at` is from when on its owner is told that it ends soon, `announced_at` when an event told it.
"""
