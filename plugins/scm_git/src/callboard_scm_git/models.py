"""The plugin's tables: what was read of each repository, once for all its entities."""

from typing import Final

from sqlalchemy import (
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

from callboard.database import UtcDateTime

metadata: Final = MetaData()

repository: Final = Table(
    "scm_git_repository",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("url", String(500), nullable=False, unique=True),
    # A digest of every branch and tag as they were read: equal means that nothing moved.
    Column("state", String(64), nullable=False),
    Column("head", String(64), nullable=False),
    Column("branch", String(250), nullable=False),
    Column("branches", Integer, nullable=False),
    Column("tags", Integer, nullable=False),
    Column("contributors", Integer, nullable=False),
    Column("read_at", UtcDateTime),
    Column("failing_since", UtcDateTime),
    Column("error", Text, nullable=False),
    # Set where the host refused: it is left alone until then.
    Column("next_try_at", UtcDateTime),
)

folder: Final = Table(
    "scm_git_folder",
    metadata,
    Column("id", Integer, primary_key=True),
    Column(
        "repository_id",
        ForeignKey("scm_git_repository.id", ondelete="CASCADE"),
        nullable=False,
    ),
    # Empty for the whole repository, which every repository has.
    Column("path", String(500), nullable=False),
    Column("state", String(64), nullable=False),
    Column("committed_at", UtcDateTime),
    Index("uq_scm_git_folder", "repository_id", "path", unique=True),
)

entity: Final = Table(
    "scm_git_entity",
    metadata,
    Column("ref", String(250), primary_key=True),
    Column(
        "repository_id",
        ForeignKey("scm_git_repository.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
)
"""Which entities a repository is shown for: who sees one of them may see its commits."""

commit: Final = Table(
    "scm_git_commit",
    metadata,
    Column("folder_id", ForeignKey("scm_git_folder.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("hash", String(64), nullable=False),
    Column("author", String(200), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("committed_at", UtcDateTime, nullable=False, index=True),
)

contributor: Final = Table(
    "scm_git_contributor",
    metadata,
    Column(
        "repository_id",
        ForeignKey("scm_git_repository.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("position", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("commits", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
)

reference: Final = Table(
    "scm_git_reference",
    metadata,
    Column(
        "repository_id",
        ForeignKey("scm_git_repository.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("kind", String(6), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("name", String(250), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

activity: Final = Table(
    "scm_git_activity",
    metadata,
    Column(
        "repository_id",
        ForeignKey("scm_git_repository.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("day", Date, primary_key=True),
    Column("commits", Integer, nullable=False),
)
