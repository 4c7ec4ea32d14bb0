"""The tables of accounts and their sessions."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from callboard.database.types import Json, TranslatedText, UtcDateTime, metadata

Number: Final = BigInteger().with_variant(Integer, "sqlite")

account: Final = Table(
    "portal_account",
    metadata,
    Column("id", Number, primary_key=True),
    Column("method", String(80), nullable=False),
    Column("subject", String(600), nullable=False),
    Column("title", String(200), nullable=False),
    Column("email", String(320), nullable=False),
    Column("ref", String(255), nullable=False, index=True),
    Column("groups", Json, nullable=False),
    Column("names", Json, nullable=False),
    Column("roles", Json, nullable=False),
    Column("claims", Json, nullable=False),
    Column("rule", TranslatedText, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("signed_in_at", UtcDateTime, nullable=False, index=True),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("method", "subject"),
)
"""Somebody who signed in once, as the provider last described them.

`ref` is their User entity, or empty; `groups` are references of Group entities, `names` the
provider's names of groups. `rule` tells what found the User.
"""

session: Final = Table(
    "portal_session",
    metadata,
    Column("id", Number, primary_key=True),
    Column("secret", String(64), nullable=False, unique=True),
    Column(
        "account_id",
        Number,
        ForeignKey("portal_account.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("method", String(80), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),
    Column("checked_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False, index=True),
    Column("limit_at", UtcDateTime, nullable=False),
    Column("address", String(64), nullable=False),
    Column("agent", String(200), nullable=False),
    Column("provider_session", String(255), nullable=False),
    Column("id_token", Text, nullable=False),
    Column("refresh_token", Text, nullable=False),
    Index("ix_portal_session_provider", "method", "provider_session"),
    Index("ix_portal_session_check", "method", "checked_at"),
    # A number is never given twice: the audit log names sessions by it.
    sqlite_autoincrement=True,
)
"""A session that is open; one that ended is deleted.

`secret` is the SHA-256 of what the cookie holds. `ends_at` is when it ends unless it is used, never
after `limit_at`. The tokens are encrypted, or empty.
"""

attempt: Final = Table(
    "portal_sign_in_attempt",
    metadata,
    Column("key", String(120), primary_key=True),
    Column("since", UtcDateTime, primary_key=True),
    Column("count", Integer, nullable=False),
)
"""Failed and begun sign-ins of one address or account name, counted in windows of time."""
