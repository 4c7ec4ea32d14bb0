"""What belongs to one person, and announcements."""

import sqlalchemy as sa
from alembic import op

from callboard.database import Json, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "portal_person",
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column("home", Json(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_portal_person")),
    )
    op.create_table(
        "portal_star",
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", "ref", name=op.f("pk_portal_star")),
    )
    op.create_table(
        "portal_visit",
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("path", sa.String(length=500), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", "path", name=op.f("pk_portal_visit")),
    )
    op.create_index("ix_portal_visit_last", "portal_visit", ["key", "last_at"])
    op.create_table(
        "portal_view",
        sa.Column("id", number, nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_view")),
    )
    op.create_index(op.f("ix_portal_view_key"), "portal_view", ["key"])
    op.create_index(op.f("ix_portal_view_shared"), "portal_view", ["shared"])
    op.create_table(
        "portal_announcement",
        sa.Column("id", number, nullable=False),
        sa.Column("status", sa.String(length=10), nullable=False),
        sa.Column("texts", Json(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("begins_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=True),
        sa.Column("author", sa.String(length=300), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("withdrawn_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_announcement")),
    )
    op.create_index(op.f("ix_portal_announcement_begins_at"), "portal_announcement", ["begins_at"])
    op.create_table(
        "portal_secret",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_portal_secret")),
    )
    op.create_table(
        "portal_dismissal",
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("announcement_id", number, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", "announcement_id", name=op.f("pk_portal_dismissal")),
    )
