"""The history of entities, and the texts that search shows passages of."""

import sqlalchemy as sa
from alembic import op

from callboard.database import Json, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and the column with what is there already indexed anew."""
    op.create_table(
        "entity_version",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("action", sa.String(length=10), nullable=False),
        sa.Column("source", sa.String(length=120), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("head", sa.Text(), nullable=False),
        sa.Column("changed", Json(), nullable=False),
        sa.Column("before", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entity_version")),
    )
    op.create_index("ix_entity_version_ref", "entity_version", ["ref", "id"])
    op.create_index(op.f("ix_entity_version_at"), "entity_version", ["at"])
    op.create_index("ix_entity_title", "entity", [sa.text("lower(substr(title, 1, 200))"), "id"])
    op.add_column(
        "search_document", sa.Column("text", sa.Text(), nullable=False, server_default="")
    )
    # What has no text yet is written again when it is read the next time.
    op.execute("UPDATE search_document SET hash = ''")
