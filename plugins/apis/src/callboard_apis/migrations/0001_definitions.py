"""Definitions, their items and texts, the APIs that have them, and their versions."""

import sqlalchemy as sa
from alembic import op

from callboard.database import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "apis_definition",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False, unique=True),
        sa.Column("made_by", sa.Integer, nullable=False),
        sa.Column("format", sa.String(20), nullable=False),
        sa.Column("dialect", sa.String(40), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("version", sa.String(100), nullable=False),
        sa.Column("operations", sa.Integer, nullable=False),
        sa.Column("schemas", sa.Integer, nullable=False),
        sa.Column("deprecated", sa.Integer, nullable=False),
        sa.Column("faults", sa.Integer, nullable=False),
        sa.Column("lines", sa.Integer, nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("head", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "apis_item",
        _definition(),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(9), nullable=False),
        sa.Column("key", sa.String(120), nullable=False),
        sa.Column("tag", sa.String(300), nullable=False),
        sa.Column("verb", sa.String(40), nullable=False),
        sa.Column("title", sa.String(400), nullable=False),
        sa.Column("summary", sa.String(300), nullable=False),
        sa.Column("deprecated", sa.Boolean, nullable=False),
        sa.Column("line", sa.Integer, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("uq_apis_item_key", "apis_item", ["definition_id", "kind", "key"], unique=True)
    op.create_table(
        "apis_source",
        _definition(),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("first_line", sa.Integer, nullable=False),
        sa.Column("text", sa.LargeBinary, nullable=False),
    )
    _create_apis()


def _create_apis() -> None:
    op.create_table(
        "apis_api",
        sa.Column("ref", sa.String(250), primary_key=True),
        sa.Column("wanted", sa.String(64), nullable=False),
        sa.Column("waiting", sa.Boolean, nullable=False),
        sa.Column("definition_id", sa.Integer, sa.ForeignKey("apis_definition.id")),
        sa.Column("type", sa.String(100), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("owner", sa.String(250), nullable=False),
        sa.Column("lifecycle", sa.String(100), nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
    )
    op.create_index("ix_apis_api_waiting", "apis_api", ["waiting"])
    op.create_index("ix_apis_api_title", "apis_api", ["title", "ref"])
    op.create_index("ix_apis_api_type", "apis_api", ["type"])
    op.create_index("ix_apis_api_owner", "apis_api", ["owner"])
    op.create_table(
        "apis_version",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("ref", sa.String(250), nullable=False),
        sa.Column("definition_id", sa.Integer, sa.ForeignKey("apis_definition.id"), nullable=False),
        sa.Column("version", sa.String(100), nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.Column("breaking", sa.Integer),
        sa.Column("warning", sa.Integer),
        sa.Column("ok", sa.Integer),
        sa.Column("changes", sa.LargeBinary),
    )
    op.create_index("ix_apis_version_ref", "apis_version", ["ref", "id"])


def _definition() -> sa.Column[int]:
    return sa.Column(
        "definition_id",
        sa.Integer,
        sa.ForeignKey("apis_definition.id", ondelete="CASCADE"),
        primary_key=True,
        nullable=False,
    )
