"""When a host that refused a repository is asked for it again."""

import sqlalchemy as sa
from alembic import op

from callboard.database import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("scm_git_repository", sa.Column("next_try_at", UtcDateTime(), nullable=True))
