"""Who is on call for which team."""

import sqlalchemy as sa
from alembic import op

from callboard.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "oncall_duty",
        sa.Column("team", sa.String(250), primary_key=True),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
    )
