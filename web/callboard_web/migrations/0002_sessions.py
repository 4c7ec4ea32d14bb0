"""Accounts and sessions."""

import sqlalchemy as sa
from alembic import op

from callboard.database import Json, TranslatedText, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "portal_account",
        sa.Column("id", number, nullable=False),
        sa.Column("method", sa.String(length=80), nullable=False),
        sa.Column("subject", sa.String(length=600), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column("groups", Json(), nullable=False),
        sa.Column("names", Json(), nullable=False),
        sa.Column("roles", Json(), nullable=False),
        sa.Column("claims", Json(), nullable=False),
        sa.Column("rule", TranslatedText(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("signed_in_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_account")),
        sa.UniqueConstraint("method", "subject", name=op.f("uq_portal_account_method_subject")),
    )
    op.create_index(op.f("ix_portal_account_ref"), "portal_account", ["ref"])
    op.create_index(op.f("ix_portal_account_signed_in_at"), "portal_account", ["signed_in_at"])
    op.create_table(
        "portal_session",
        sa.Column("id", number, nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("account_id", number, nullable=False),
        sa.Column("method", sa.String(length=80), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("checked_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("limit_at", UtcDateTime(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("agent", sa.String(length=200), nullable=False),
        sa.Column("provider_session", sa.String(length=255), nullable=False),
        sa.Column("id_token", sa.Text(), nullable=False),
        sa.Column("refresh_token", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"],
            ["portal_account.id"],
            name=op.f("fk_portal_session_account_id_portal_account"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_session")),
        sa.UniqueConstraint("secret", name=op.f("uq_portal_session_secret")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_portal_session_account_id"), "portal_session", ["account_id"])
    op.create_index(op.f("ix_portal_session_ends_at"), "portal_session", ["ends_at"])
    op.create_index("ix_portal_session_provider", "portal_session", ["method", "provider_session"])
    op.create_index("ix_portal_session_check", "portal_session", ["method", "checked_at"])
    op.create_table(
        "portal_sign_in_attempt",
        sa.Column("key", sa.String(length=120), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", "since", name=op.f("pk_portal_sign_in_attempt")),
    )
