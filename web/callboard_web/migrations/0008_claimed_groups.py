"""Groups made from claims."""

import sqlalchemy as sa
from alembic import op

from callboard.database.types import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "portal_claimed_member",
        sa.Column("group", sa.String(255), nullable=False),
        sa.Column("provider", sa.String(40), nullable=False),
        sa.Column("subject", sa.String(600), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("user", sa.String(255), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint(
            "group", "provider", "subject", name=op.f("pk_portal_claimed_member")
        ),
    )
    op.create_index(op.f("ix_portal_claimed_member_subject"), "portal_claimed_member", ["subject"])
