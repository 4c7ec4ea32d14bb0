"""Sums of looks, and deliveries by event."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables; they are filled when looks are written, or tidied, for the first time."""
    op.create_table(
        "portal_usage_sum",
        sa.Column("days", sa.Integer(), nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("machines", sa.Integer(), nullable=False),
        sa.Column("last", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("days", "ref", name=op.f("pk_portal_usage_sum")),
    )
    op.create_index("ix_portal_usage_sum_looks", "portal_usage_sum", ["days", "looks", "machines"])
    op.create_table(
        "portal_usage_summed",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_portal_usage_summed")),
    )
    op.create_index("ix_portal_delivery_event_id", "portal_delivery", ["event", "id"])
