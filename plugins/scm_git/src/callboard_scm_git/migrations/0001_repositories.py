"""Repositories, their folders, commits, contributors, references and activity."""

import sqlalchemy as sa
from alembic import op

from callboard.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scm_git_repository",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("url", sa.String(500), nullable=False, unique=True),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("head", sa.String(64), nullable=False),
        sa.Column("branch", sa.String(250), nullable=False),
        sa.Column("branches", sa.Integer, nullable=False),
        sa.Column("tags", sa.Integer, nullable=False),
        sa.Column("contributors", sa.Integer, nullable=False),
        sa.Column("read_at", UtcDateTime),
        sa.Column("failing_since", UtcDateTime),
        sa.Column("error", sa.Text, nullable=False),
    )
    op.create_table(
        "scm_git_folder",
        sa.Column("id", sa.Integer, primary_key=True),
        _repository(primary_key=False),
        sa.Column("path", sa.String(500), nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("committed_at", UtcDateTime),
    )
    op.create_index("uq_scm_git_folder", "scm_git_folder", ["repository_id", "path"], unique=True)
    op.create_table(
        "scm_git_commit",
        sa.Column(
            "folder_id",
            sa.Integer,
            sa.ForeignKey("scm_git_folder.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("subject", sa.String(300), nullable=False),
        sa.Column("committed_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_scm_git_commit_committed_at", "scm_git_commit", ["committed_at"])
    _create_figures()


def _create_figures() -> None:
    op.create_table(
        "scm_git_contributor",
        _repository(primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("commits", sa.Integer, nullable=False),
        sa.Column("last_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "scm_git_reference",
        _repository(primary_key=True),
        sa.Column("kind", sa.String(6), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(250), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "scm_git_activity",
        _repository(primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("commits", sa.Integer, nullable=False),
    )


def _repository(*, primary_key: bool) -> sa.Column[int]:
    return sa.Column(
        "repository_id",
        sa.Integer,
        sa.ForeignKey("scm_git_repository.id", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )
