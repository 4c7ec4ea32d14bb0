"""The plugin's tables: what was found where, and how it stands with each host."""

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

host: Final = Table(
    "scm_hosts_host",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("requests", Integer, nullable=False),
    Column("not_modified", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    # Of this portal's own budget: since when it is counted, and how much was used.
    Column("hour_began", UtcDateTime),
    Column("hour_requests", Integer, nullable=False),
    # What the host said of its own limit, last.
    Column("budget", Integer),
    Column("remaining", Integer),
    Column("resets_at", UtcDateTime),
    Column("waiting_until", UtcDateTime),
    Column("waiting_for", TranslatedText, nullable=False),
    Column("in_a_row", Integer, nullable=False),
    Column("asked_at", UtcDateTime),
)
"""How many requests a host was sent, and what it allows."""

discovery: Final = Table(
    "scm_hosts_discovery",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("host", String(60), nullable=False),
    # Grows with every change of what the source gives.
    Column("revision", Integer, nullable=False),
    Column("scanned_at", UtcDateTime),
    Column("complete", Boolean, nullable=False),
    Column("failing_since", UtcDateTime),
    Column("error", TranslatedText, nullable=False),
    Column("hint", TranslatedText, nullable=False),
    Column("note", TranslatedText, nullable=False),
)

page: Final = Table(
    "scm_hosts_page",
    metadata,
    Column("discovery", String(60), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("address", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("following", Text, nullable=False),
    Column("items", Json, nullable=False),
)
"""Pages of a listing as they came, so that one that did not change need not be sent again."""

repository: Final = Table(
    "scm_hosts_repository",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("discovery", String(60), nullable=False),
    # The host's own number or name of it, which outlives a new path.
    Column("remote_id", String(200), nullable=False),
    Column("path", String(500), nullable=False),
    Column("branch", String(250), nullable=False),
    Column("topics", Json, nullable=False),
    Column("archived", Boolean, nullable=False),
    Column("fork", Boolean, nullable=False),
    # What the listing said of the last push when the repository was read.
    Column("read_moved", String(100), nullable=False),
    # A digest of the settings it was read by.
    Column("read_by", String(64), nullable=False),
    Column("head", String(64), nullable=False),
    Column("etag", Text, nullable=False),
    # new, read, none (no descriptor), empty, skipped or failed
    Column("state", String(10), nullable=False),
    Column("reason", TranslatedText, nullable=False),
    Column("files", Json, nullable=False),
    Column("descriptors", Integer, nullable=False),
    # How often it was asked for since it was read.
    Column("touched", Integer, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("read_at", UtcDateTime),
    Index("uq_scm_hosts_repository", "discovery", "remote_id", unique=True),
    Index("ix_scm_hosts_repository_path", "discovery", "path"),
    Index("ix_scm_hosts_repository_state", "discovery", "state"),
)
"""`files` has [path, blob, bytes, whether it is a descriptor] of what may be read."""

content: Final = Table(
    "scm_hosts_content",
    metadata,
    Column(
        "repository_id",
        ForeignKey("scm_hosts_repository.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("blob", String(64), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
"""Files that were read. A scan reads descriptors, so that the catalog waits for no host."""
