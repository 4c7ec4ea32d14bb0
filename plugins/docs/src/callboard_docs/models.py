"""The plugin's tables.

A site is the documentation in one folder of one repository, at one version; several entities may
show the same. What a page says is kept once for each content (`docs_rendition`), whatever sites,
versions and places it stands in; where its links lead is kept with the page.
"""

from typing import Final

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

from callboard.database import Json, TranslatedText, UtcDateTime

metadata: Final = MetaData()

site: Final = Table(
    "docs_site",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("url", String(500), nullable=False),
    # The branch or tag that the annotation names, empty for the default branch.
    Column("reference", String(250), nullable=False),
    Column("folder", String(500), nullable=False),
    # The version that readers ask for beside it, empty for the one everybody sees.
    Column("version", String(250), nullable=False),
    # A digest of all that pages depend on: equal means that nothing is to be done.
    Column("state", String(64), nullable=False),
    Column("head", String(64), nullable=False),
    Column("branch", String(250), nullable=False),
    Column("title", String(200), nullable=False),
    Column("docs", String(700), nullable=False),
    Column("pages", Integer, nullable=False),
    Column("problems", Integer, nullable=False),
    Column("versions", Json, nullable=False),
    Column("changed_at", UtcDateTime),
    Column("read_at", UtcDateTime),
    Column("used_at", UtcDateTime, nullable=False),
    Column("failing_since", UtcDateTime),
    Column("error", TranslatedText, nullable=False),
    Index("uq_docs_site", "url", "folder", "reference", "version", unique=True),
)

entity: Final = Table(
    "docs_entity",
    metadata,
    Column("ref", String(250), primary_key=True),
    Column("site_id", ForeignKey("docs_site.id", ondelete="SET NULL"), index=True),
    # The entity whose documentation this one shows, and the page in it; or why there is none.
    Column("target", String(250), nullable=False),
    Column("path", String(500), nullable=False),
    Column("fault", TranslatedText, nullable=False),
    Column("title", String(250), nullable=False),
    Column("folded", String(600), nullable=False),
    Column("owner", String(250), nullable=False),
    Index("ix_docs_entity_title", "title", "ref"),
)

tree: Final = Table(
    "docs_tree",
    metadata,
    Column("site_id", ForeignKey("docs_site.id", ondelete="CASCADE"), primary_key=True),
    Column("nodes", Json, nullable=False),
    Column("notes", Json, nullable=False),
)

page: Final = Table(
    "docs_page",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("site_id", ForeignKey("docs_site.id", ondelete="CASCADE"), nullable=False),
    Column("path", String(700), nullable=False),
    Column("address", String(700), nullable=False),
    Column("title", String(300), nullable=False),
    Column("position", Integer, nullable=False),
    Column("listed", Boolean, nullable=False),
    Column("blob", String(64), nullable=False),
    # The blobs of included files by their paths, and the names that led nowhere.
    Column("includes", Json, nullable=False),
    # The rendition; empty where `fault` says why there is none.
    Column("digest", String(64), nullable=False),
    Column("fault", String(20), nullable=False),
    Column("targets", Json, nullable=False),
    Column("author", String(200), nullable=False),
    Column("commit", String(64), nullable=False),
    Column("changed_at", UtcDateTime),
    Index("uq_docs_page_address", "site_id", "address", unique=True),
    Index("ix_docs_page_position", "site_id", "position"),
    Index("ix_docs_page_digest", "digest"),
)

rendition: Final = Table(
    "docs_rendition",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("html", Text, nullable=False),
    Column("title", String(300), nullable=False),
    Column("heading", String(300), nullable=False),
    Column("headings", Json, nullable=False),
    Column("links", Json, nullable=False),
    Column("diagrams", Integer, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
)

section: Final = Table(
    "docs_section",
    metadata,
    Column("digest", ForeignKey("docs_rendition.digest", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("anchor", String(200), nullable=False),
    Column("title", String(300), nullable=False),
    Column("text", Text, nullable=False),
    # Title and text without case, for the search within a site.
    Column("folded", Text, nullable=False),
)

problem: Final = Table(
    "docs_problem",
    metadata,
    Column("site_id", ForeignKey("docs_site.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    # `link`, `image`, `include`, `nav`, `page` or `file`.
    Column("kind", String(20), nullable=False),
    Column("path", String(700), nullable=False),
    Column("detail", Text, nullable=False),
)

blob: Final = Table(
    "docs_blob",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("content", LargeBinary, nullable=False),
    Column("made_at", UtcDateTime, nullable=False),
)

file: Final = Table(
    "docs_file",
    metadata,
    Column("site_id", ForeignKey("docs_site.id", ondelete="CASCADE"), primary_key=True),
    # The blob's hash and the end of the file's name, which says what it is served as.
    Column("name", String(80), primary_key=True),
    Column("hash", String(64), nullable=False, index=True),
)
