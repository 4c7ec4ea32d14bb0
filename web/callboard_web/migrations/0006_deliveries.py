"""Deliveries of other systems."""

import sqlalchemy as sa
from alembic import op

from callboard.database import Json, UtcDateTime
from callboard.database.types import TranslatedText

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "portal_delivery",
        sa.Column("id", number, nullable=False),
        sa.Column("plugin", sa.String(length=120), nullable=False),
        sa.Column("hook", sa.String(length=80), nullable=False),
        sa.Column("webhook", sa.String(length=80), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=120), nullable=False),
        sa.Column("headers", Json(), nullable=False),
        sa.Column("query", Json(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=10), nullable=False),
        sa.Column("reason", TranslatedText(), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("outcome", TranslatedText(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("links", Json(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("run", number, nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_delivery")),
        sqlite_autoincrement=True,
    )
    verified = sa.text("verdict = 'verified'")
    op.create_index(
        "uq_portal_delivery_key",
        "portal_delivery",
        ["plugin", "hook", "key"],
        unique=True,
        sqlite_where=verified,
        postgresql_where=verified,
    )
    op.create_index(op.f("ix_portal_delivery_received_at"), "portal_delivery", ["received_at"])
    op.create_index(
        "ix_portal_delivery_health",
        "portal_delivery",
        ["plugin", "hook", "verdict", "state", "last_at"],
    )
    op.create_index("ix_portal_delivery_state_id", "portal_delivery", ["state", "id"])
