"""The tables of sign-ins: those under way, those that were, and the people made from claims."""

from typing import Final

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text, UniqueConstraint

from callboard.database.types import Json, TranslatedText, UtcDateTime, metadata

Number: Final = BigInteger().with_variant(Integer, "sqlite")

pending: Final = Table(
    "portal_sign_in_pending",
    metadata,
    Column("state", String(64), primary_key=True),
    Column("browser", String(64), nullable=False, index=True),
    Column("provider", String(40), nullable=False),
    Column("nonce", String(64), nullable=False),
    Column("verifier", String(128), nullable=False),
    Column("next", Text, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)
"""A sign-in that has begun. `state` and `browser` are SHA-256 of what the browser was given."""

sign_in: Final = Table(
    "portal_sign_in",
    metadata,
    Column("id", Number, primary_key=True),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("provider", String(40), nullable=False),
    Column("result", String(10), nullable=False),
    Column("fault", String(40), nullable=False),
    Column("reason", TranslatedText, nullable=False),
    Column("subject", String(600), nullable=False),
    Column("title", String(200), nullable=False),
    Column("ref", String(255), nullable=False),
    Column("claims", Json, nullable=False),
    Column("steps", Json, nullable=False),
    Column("groups", Json, nullable=False),
    Column("address", String(64), nullable=False),
    Column("request_id", String(64), nullable=False),
    sqlite_autoincrement=True,
)
"""An attempt to sign in. `result` is `ok` or `failed`; `fault` names what failed; `steps` are the
rules that were tried; `groups` what the provider's groups were taken for. No tokens are kept."""

logout_token: Final = Table(
    "portal_logout_token",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)
"""Logout tokens that were obeyed, so that none is obeyed twice. `key` is a SHA-256."""

claimed_user: Final = Table(
    "portal_claimed_user",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("provider", String(40), nullable=False),
    Column("subject", String(600), nullable=False),
    Column("title", String(200), nullable=False),
    Column("email", String(320), nullable=False),
    Column("picture", Text, nullable=False),
    Column("groups", Json, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("provider", "subject"),
)
"""A User made from claims, because the catalog had none. `groups` are references of its Groups."""

claimed_member: Final = Table(
    "portal_claimed_member",
    metadata,
    Column("group", String(255), primary_key=True),
    Column("provider", String(40), primary_key=True),
    Column("subject", String(600), primary_key=True, index=True),
    Column("title", String(300), nullable=False),
    Column("user", String(255), nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
"""Who is in a Group made from claims, because the catalog had none. `title` is the provider's name
of it, `user` the person's User, empty where there is none."""
