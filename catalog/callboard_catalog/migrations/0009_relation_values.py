"""An index of relations that has both their ends, so that no question for them opens the table."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Put the ends behind the names."""
    op.drop_index("ix_relation_type", "relation")
    op.create_index("ix_relation_type", "relation", ["type", "reverse", "target_ref", "origin_id"])
