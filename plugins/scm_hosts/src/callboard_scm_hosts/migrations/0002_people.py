"""People and groups."""

import sqlalchemy as sa
from alembic import op

from callboard.database import Json, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scm_hosts_identity",
        sa.Column("source", sa.String(60), primary_key=True),
        sa.Column("kind", sa.String(5), primary_key=True),
        sa.Column("remote_id", sa.String(200), primary_key=True),
        sa.Column("wanted", sa.String(63), nullable=False),
        sa.Column("name", sa.String(63), nullable=False),
    )
    op.create_index(
        "uq_scm_hosts_identity", "scm_hosts_identity", ["source", "kind", "name"], unique=True
    )
    op.create_table(
        "scm_hosts_answer",
        sa.Column("people", sa.String(60), primary_key=True),
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("etag", sa.Text, nullable=False),
        sa.Column("following", sa.Text, nullable=False),
        sa.Column("data", Json, nullable=False),
        sa.Column("asked_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "scm_hosts_reading",
        sa.Column("people", sa.String(60), primary_key=True),
        sa.Column("began_at", UtcDateTime, nullable=False),
    )
