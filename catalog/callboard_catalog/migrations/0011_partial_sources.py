"""Sources of which some part cannot be read, and the page that lists the parts."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; each source is read as before."""
    op.add_column(
        "source", sa.Column("partial", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("source", sa.Column("details", sa.Text(), nullable=False, server_default=""))
