"""What was seen in clusters: watches, their objects, and how far followers have come."""

import sqlalchemy as sa
from alembic import op

from callboard.database import Json, TranslatedText, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "cluster",
        sa.Column("name", sa.String(length=63), nullable=False),
        sa.Column("version", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("error", TranslatedText(), nullable=False),
        sa.Column("said", sa.String(length=2000), nullable=False),
        sa.Column("resources", Json(), nullable=False),
        sa.Column("lacks", Json(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cluster")),
    )
    op.create_table(
        "cluster_watch",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cluster", sa.String(length=63), nullable=False),
        sa.Column("resource", sa.String(length=320), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("kind", sa.String(length=63), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("error", TranslatedText(), nullable=False),
        sa.Column("resource_version", sa.String(length=100), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("objects", sa.Integer(), nullable=False),
        sa.Column("lag", sa.Float(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("lists", sa.Integer(), nullable=False),
        sa.Column("connects", sa.Integer(), nullable=False),
        sa.Column("listed_at", UtcDateTime(), nullable=True),
        sa.Column("event_at", UtcDateTime(), nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.Column("holder", sa.String(length=120), nullable=False),
        sa.Column("held_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cluster_watch")),
        sa.UniqueConstraint(
            "cluster",
            "resource",
            "namespace",
            name=op.f("uq_cluster_watch_cluster_resource_namespace"),
        ),
    )
    op.create_table(
        "cluster_object",
        sa.Column("watch", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=80), nullable=False),
        sa.Column("namespace", sa.String(length=63), nullable=False),
        sa.Column("name", sa.String(length=253), nullable=False),
        sa.Column("resource_version", sa.String(length=100), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["watch"],
            ["cluster_watch.id"],
            name=op.f("fk_cluster_object_watch"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("watch", "uid", name=op.f("pk_cluster_object")),
    )
    op.create_index(
        "ix_cluster_object_watch_change", "cluster_object", ["watch", "change"], unique=False
    )
    op.create_index(
        "ix_cluster_object_watch_namespace_name",
        "cluster_object",
        ["watch", "namespace", "name"],
        unique=False,
    )
    op.create_index(
        "ix_cluster_object_gone",
        "cluster_object",
        ["watch", "change"],
        unique=False,
        sqlite_where=sa.text("gone = 1"),
        postgresql_where=sa.text("gone"),
    )
    op.create_table(
        "cluster_follower",
        sa.Column("follower", sa.String(length=240), nullable=False),
        sa.Column("watch", sa.Integer(), nullable=False),
        sa.Column("change", sa.BigInteger(), nullable=False),
        sa.Column("failing_since", UtcDateTime(), nullable=True),
        sa.Column("error", TranslatedText(), nullable=False),
        sa.ForeignKeyConstraint(
            ["watch"],
            ["cluster_watch.id"],
            name=op.f("fk_cluster_follower_watch"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("follower", "watch", name=op.f("pk_cluster_follower")),
    )
    op.create_index("ix_cluster_follower_watch", "cluster_follower", ["watch"], unique=False)
