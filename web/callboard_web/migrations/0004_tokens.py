"""Tokens and service accounts."""

import sqlalchemy as sa
from alembic import op

from callboard.database import Json, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "portal_service_account",
        sa.Column("id", number, nullable=False),
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("owner", sa.String(length=255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=300), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_service_account")),
        sa.UniqueConstraint("name", name=op.f("uq_portal_service_account_name")),
    )
    op.create_index(op.f("ix_portal_service_account_owner"), "portal_service_account", ["owner"])
    op.create_table(
        "portal_token",
        sa.Column("id", number, nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("account_id", number, nullable=True),
        sa.Column("service_account_id", number, nullable=True),
        sa.Column("owner", sa.String(length=300), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("old_secret", sa.String(length=64), nullable=False),
        sa.Column("old_secret_until", UtcDateTime(), nullable=True),
        sa.Column("permissions", Json(), nullable=False),
        sa.Column("selector", Json(), nullable=False),
        sa.Column("rate", sa.Integer(), nullable=True),
        sa.Column("form", sa.String(length=43), nullable=False),
        sa.Column("rotations", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("created_by", sa.String(length=300), nullable=False),
        sa.Column("rotated_at", UtcDateTime(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("warn_at", UtcDateTime(), nullable=False),
        sa.Column("announced_at", UtcDateTime(), nullable=True),
        sa.Column("last_used_at", UtcDateTime(), nullable=True),
        sa.Column("last_used_address", sa.String(length=64), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.Column("revoked_by", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_token")),
        sa.UniqueConstraint("form", name=op.f("uq_portal_token_form")),
        sqlite_autoincrement=True,
    )
    indexed = ("account_id", "service_account_id", "owner", "expires_at", "warn_at", "revoked_at")
    for name in indexed:
        op.create_index(op.f(f"ix_portal_token_{name}"), "portal_token", [name])
    op.create_index("ix_portal_token_owner_id", "portal_token", ["owner", "id"])
