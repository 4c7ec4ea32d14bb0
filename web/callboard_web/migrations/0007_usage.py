"""Who looks at what."""

import sqlalchemy as sa
from alembic import op

from callboard.database import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "portal_usage",
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("machines", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("ref", "day", name=op.f("pk_portal_usage")),
    )
    op.create_index("ix_portal_usage_day", "portal_usage", ["day"])
    op.create_table(
        "portal_usage_looker",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column("hash", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("day", "ref", "hash", name=op.f("pk_portal_usage_looker")),
    )
    op.create_table(
        "portal_usage_named",
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("ref", sa.String(length=255), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", "ref", "day", name=op.f("pk_portal_usage_named")),
    )
    op.create_index("ix_portal_usage_named_ref", "portal_usage_named", ["ref", "day"])
    op.create_index("ix_portal_usage_named_day", "portal_usage_named", ["day"])
    op.create_table(
        "portal_usage_shown",
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_portal_usage_shown")),
    )
    op.create_table(
        "portal_problem_look",
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("before", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_portal_problem_look")),
    )
