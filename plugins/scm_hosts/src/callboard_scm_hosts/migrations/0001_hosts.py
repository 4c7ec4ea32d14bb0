"""Hosts, discoveries, pages of listings, repositories and files."""

import sqlalchemy as sa
from alembic import op

from callboard.database import Json, TranslatedText, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "scm_hosts_host",
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("requests", sa.Integer, nullable=False),
        sa.Column("not_modified", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("hour_began", UtcDateTime),
        sa.Column("hour_requests", sa.Integer, nullable=False),
        sa.Column("budget", sa.Integer),
        sa.Column("remaining", sa.Integer),
        sa.Column("resets_at", UtcDateTime),
        sa.Column("waiting_until", UtcDateTime),
        sa.Column("waiting_for", TranslatedText, nullable=False),
        sa.Column("in_a_row", sa.Integer, nullable=False),
        sa.Column("asked_at", UtcDateTime),
    )
    op.create_table(
        "scm_hosts_discovery",
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("host", sa.String(60), nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("scanned_at", UtcDateTime),
        sa.Column("complete", sa.Boolean, nullable=False),
        sa.Column("failing_since", UtcDateTime),
        sa.Column("error", TranslatedText, nullable=False),
        sa.Column("hint", TranslatedText, nullable=False),
        sa.Column("note", TranslatedText, nullable=False),
    )
    op.create_table(
        "scm_hosts_page",
        sa.Column("discovery", sa.String(60), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("etag", sa.Text, nullable=False),
        sa.Column("following", sa.Text, nullable=False),
        sa.Column("items", Json, nullable=False),
    )
    _create_repositories()


def _create_repositories() -> None:
    op.create_table(
        "scm_hosts_repository",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("discovery", sa.String(60), nullable=False),
        sa.Column("remote_id", sa.String(200), nullable=False),
        sa.Column("path", sa.String(500), nullable=False),
        sa.Column("branch", sa.String(250), nullable=False),
        sa.Column("topics", Json, nullable=False),
        sa.Column("archived", sa.Boolean, nullable=False),
        sa.Column("fork", sa.Boolean, nullable=False),
        sa.Column("read_moved", sa.String(100), nullable=False),
        sa.Column("read_by", sa.String(64), nullable=False),
        sa.Column("head", sa.String(64), nullable=False),
        sa.Column("etag", sa.Text, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", TranslatedText, nullable=False),
        sa.Column("files", Json, nullable=False),
        sa.Column("descriptors", sa.Integer, nullable=False),
        sa.Column("touched", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("read_at", UtcDateTime),
    )
    table = "scm_hosts_repository"
    op.create_index("uq_scm_hosts_repository", table, ["discovery", "remote_id"], unique=True)
    op.create_index("ix_scm_hosts_repository_path", table, ["discovery", "path"])
    op.create_index("ix_scm_hosts_repository_state", table, ["discovery", "state"])
    op.create_table(
        "scm_hosts_content",
        sa.Column(
            "repository_id",
            sa.Integer,
            sa.ForeignKey("scm_hosts_repository.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("blob", sa.String(64), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
    )
