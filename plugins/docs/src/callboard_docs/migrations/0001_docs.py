"""Sites, their pages and files, what pages say, and which entities show them."""

import sqlalchemy as sa
from alembic import op

from callboard.database import Json, TranslatedText, UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "docs_site",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("url", sa.String(500), nullable=False),
        sa.Column("reference", sa.String(250), nullable=False),
        sa.Column("folder", sa.String(500), nullable=False),
        sa.Column("version", sa.String(250), nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("head", sa.String(64), nullable=False),
        sa.Column("branch", sa.String(250), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("docs", sa.String(700), nullable=False),
        sa.Column("pages", sa.Integer, nullable=False),
        sa.Column("problems", sa.Integer, nullable=False),
        sa.Column("versions", Json, nullable=False),
        sa.Column("changed_at", UtcDateTime),
        sa.Column("read_at", UtcDateTime),
        sa.Column("used_at", UtcDateTime, nullable=False),
        sa.Column("failing_since", UtcDateTime),
        sa.Column("error", TranslatedText, nullable=False),
    )
    op.create_index(
        "uq_docs_site", "docs_site", ["url", "folder", "reference", "version"], unique=True
    )
    op.create_table(
        "docs_entity",
        sa.Column("ref", sa.String(250), primary_key=True),
        sa.Column("site_id", sa.Integer, sa.ForeignKey("docs_site.id", ondelete="SET NULL")),
        sa.Column("target", sa.String(250), nullable=False),
        sa.Column("path", sa.String(500), nullable=False),
        sa.Column("fault", TranslatedText, nullable=False),
        sa.Column("title", sa.String(250), nullable=False),
        sa.Column("folded", sa.String(600), nullable=False),
        sa.Column("owner", sa.String(250), nullable=False),
    )
    op.create_index("ix_docs_entity_site_id", "docs_entity", ["site_id"])
    op.create_index("ix_docs_entity_title", "docs_entity", ["title", "ref"])
    op.create_table(
        "docs_tree",
        sa.Column(
            "site_id",
            sa.Integer,
            sa.ForeignKey("docs_site.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("nodes", Json, nullable=False),
        sa.Column("notes", Json, nullable=False),
    )
    _create_pages()
    _create_files()


def _create_pages() -> None:
    op.create_table(
        "docs_page",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column(
            "site_id", sa.Integer, sa.ForeignKey("docs_site.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("path", sa.String(700), nullable=False),
        sa.Column("address", sa.String(700), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("listed", sa.Boolean, nullable=False),
        sa.Column("blob", sa.String(64), nullable=False),
        sa.Column("includes", Json, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("fault", sa.String(20), nullable=False),
        sa.Column("targets", Json, nullable=False),
        sa.Column("author", sa.String(200), nullable=False),
        sa.Column("commit", sa.String(64), nullable=False),
        sa.Column("changed_at", UtcDateTime),
    )
    op.create_index("ix_docs_page_digest", "docs_page", ["digest"])
    op.create_index("ix_docs_page_position", "docs_page", ["site_id", "position"])
    op.create_index("uq_docs_page_address", "docs_page", ["site_id", "address"], unique=True)
    op.create_table(
        "docs_rendition",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("html", sa.Text, nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("heading", sa.String(300), nullable=False),
        sa.Column("headings", Json, nullable=False),
        sa.Column("links", Json, nullable=False),
        sa.Column("diagrams", sa.Integer, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "docs_section",
        sa.Column(
            "digest",
            sa.String(64),
            sa.ForeignKey("docs_rendition.digest", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("anchor", sa.String(200), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("folded", sa.Text, nullable=False),
    )


def _create_files() -> None:
    op.create_table(
        "docs_problem",
        sa.Column(
            "site_id",
            sa.Integer,
            sa.ForeignKey("docs_site.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("path", sa.String(700), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_table(
        "docs_blob",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "docs_file",
        sa.Column(
            "site_id",
            sa.Integer,
            sa.ForeignKey("docs_site.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("name", sa.String(80), primary_key=True),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("ix_docs_file_hash", "docs_file", ["hash"])
