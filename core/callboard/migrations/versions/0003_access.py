"""Roles and bindings made in pages, policies of repositories, and recorded requests."""

import sqlalchemy as sa
from alembic import op

from callboard.database import Json, TranslatedText, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "access_state",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_state")),
    )
    op.execute("INSERT INTO access_state (id, generation) VALUES (1, 0)")
    op.create_table(
        "access_role",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_access_role")),
    )
    op.create_table(
        "access_binding",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("changed_by", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_binding")),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "access_source",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.String(length=80), nullable=False),
        sa.Column("read_at", UtcDateTime(), nullable=True),
        sa.Column("succeeded_at", UtcDateTime(), nullable=True),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.Column("error", TranslatedText(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_access_source")),
    )
    op.create_table(
        "access_document",
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=500), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("revision", sa.String(length=80), nullable=False),
        sa.Column("faults", Json(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("source", "path", name=op.f("pk_access_document")),
    )
    op.create_table(
        "access_request",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("permission", sa.String(length=120), nullable=False),
        sa.Column("allowed", sa.Boolean(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_access_request")),
    )
    op.create_index("ix_access_request_last_at", "access_request", ["last_at"], unique=False)
