"""The table of greetings. A migration spells everything out: models change, history does not."""

import sqlalchemy as sa
from alembic import op

from callboard.database import UtcDateTime

# The first revision of a line has nothing before it.
revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hello_greeting",
        sa.Column("ref", sa.String(250), primary_key=True),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("greeted_at", UtcDateTime, nullable=False),
    )
