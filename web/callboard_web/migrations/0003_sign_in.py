"""Sign-ins under way, those that were, and people made from claims."""

import sqlalchemy as sa
from alembic import op

from callboard.database.types import Json, TranslatedText, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "portal_sign_in_pending",
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("browser", sa.String(64), nullable=False),
        sa.Column("provider", sa.String(40), nullable=False),
        sa.Column("nonce", sa.String(64), nullable=False),
        sa.Column("verifier", sa.String(128), nullable=False),
        sa.Column("next", sa.Text(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("state", name=op.f("pk_portal_sign_in_pending")),
    )
    op.create_index(
        op.f("ix_portal_sign_in_pending_browser"), "portal_sign_in_pending", ["browser"]
    )
    op.create_index(
        op.f("ix_portal_sign_in_pending_expires_at"), "portal_sign_in_pending", ["expires_at"]
    )
    op.create_table(
        "portal_sign_in",
        sa.Column("id", _Number, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("provider", sa.String(40), nullable=False),
        sa.Column("result", sa.String(10), nullable=False),
        sa.Column("fault", sa.String(40), nullable=False),
        sa.Column("reason", TranslatedText(), nullable=False),
        sa.Column("subject", sa.String(600), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("ref", sa.String(255), nullable=False),
        sa.Column("claims", Json(), nullable=False),
        sa.Column("steps", Json(), nullable=False),
        sa.Column("groups", Json(), nullable=False),
        sa.Column("address", sa.String(64), nullable=False),
        sa.Column("request_id", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_sign_in")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_portal_sign_in_at"), "portal_sign_in", ["at"])
    op.create_table(
        "portal_logout_token",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_portal_logout_token")),
    )
    op.create_index(
        op.f("ix_portal_logout_token_expires_at"), "portal_logout_token", ["expires_at"]
    )
    op.create_table(
        "portal_claimed_user",
        sa.Column("name", sa.String(63), nullable=False),
        sa.Column("provider", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(600), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("picture", sa.Text(), nullable=False),
        sa.Column("groups", Json(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.UniqueConstraint(
            "provider", "subject", name=op.f("uq_portal_claimed_user_provider_subject")
        ),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_portal_claimed_user")),
    )
