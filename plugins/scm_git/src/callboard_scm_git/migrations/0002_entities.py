"""The entities that repositories are shown for."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scm_git_entity",
        sa.Column("ref", sa.String(250), primary_key=True),
        sa.Column(
            "repository_id",
            sa.Integer,
            sa.ForeignKey("scm_git_repository.id", ondelete="CASCADE"),
            nullable=False,
        ),
    )
    op.create_index("ix_scm_git_entity_repository_id", "scm_git_entity", ["repository_id"])
