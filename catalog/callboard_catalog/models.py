"""The catalog's tables.

`entity` holds what is served: real columns for what every list asks for, and the finished JSON as
bytes. Other keys are in `entity_field`. One row of `relation` is a relation in both directions.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    func,
    literal_column,
)

from callboard.database.types import Json, TranslatedText, UtcDateTime, metadata

Key: Final = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only where the key is a plain INTEGER."""

state: Final = Table(
    "catalog_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("generation", BigInteger, nullable=False),
    Column("exact_from", UtcDateTime),
)
"""One row: a number that grows with every change of the catalog, and the time from which on the
past is known exactly, None where that is from the beginning."""

source: Final = Table(
    "source",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", String(120), nullable=False, unique=True),
    Column("type", String(40), nullable=False),
    Column("title", TranslatedText, nullable=False),
    Column("address", Text, nullable=False),
    Column("every", Float, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("head", Text, nullable=False),
    Column("last_read_at", UtcDateTime),
    Column("last_success_at", UtcDateTime),
    Column("failing_since", UtcDateTime),
    Column("error", TranslatedText, nullable=False),
    Column("hint", TranslatedText, nullable=False),
    Column("partial", Boolean, nullable=False, server_default=false()),
    Column("details", Text, nullable=False, server_default=""),
)
"""A place entities come from. `head` is the version that was last read whole.

`partial` says that the error is of some of its parts, which the page `details` lists."""

source_file: Final = Table(
    "source_file",
    metadata,
    Column("id", Key, primary_key=True),
    Column("source_id", Key, ForeignKey("source.id", ondelete="CASCADE"), nullable=False),
    Column("path", Text, nullable=False),
    Column("blob", Text, nullable=False),
    Column("remote", Boolean, nullable=False),
    Column("targets", Json),
    Column("reads", Json),
    UniqueConstraint("source_id", "path"),
)
"""A descriptor that was read. `blob` names its content; `targets` are its Locations and what they
point to; `reads` maps the files its placeholders took in to their blobs; `remote` says that it is,
or takes in, a URL, which must be asked even when the source itself has not moved."""

entity: Final = Table(
    "entity",
    metadata,
    Column("id", Key, primary_key=True),
    Column("ref", String(255), nullable=False),
    Column("uid", String(36), nullable=False),
    Column("kind", String(63), nullable=False),
    Column("name", String(63), nullable=False),
    Column("title", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("lifecycle", Text, nullable=False),
    Column("owner", String(255), nullable=False),
    Column("system", String(255), nullable=False),
    Column("domain", String(255), nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("hash", String(40), nullable=False),
    Column("source_id", Key, ForeignKey("source.id"), nullable=False),
    Column("file_id", Key, ForeignKey("source_file.id"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("line", Integer, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    # With the number, what looks a reference or uid up reads its index alone.
    UniqueConstraint("ref", postgresql_include=["id"]),
    UniqueConstraint("uid", postgresql_include=["id"]),
    Index("ix_entity_name", "name", "id"),
    Index("ix_entity_kind_name", "kind", "name", "id"),
    Index("ix_entity_kind_owner", "kind", "owner"),
    Index("ix_entity_kind_type", "kind", "type"),
    Index("ix_entity_kind_lifecycle", "kind", "lifecycle"),
    Index("ix_entity_kind_system", "kind", "system"),
    Index("ix_entity_source_kind", "source_id", "kind"),
    Index("ix_entity_updated", "updated_at", "id"),
)
"""What is served. `kind` and `name` are lower case; `document` keeps the case of its author."""

title_order: Final = func.lower(
    func.substr(entity.c.title, literal_column("1"), literal_column("200"))
)
"""What entities are ordered by for their title. It is the expression of an index, so it has no
bound values; PostgreSQL indexes no value of more than 2.7 KB, so it is the beginning of long ones.
"""

Index("ix_entity_title", title_order, entity.c.id)

relation: Final = Table(
    "relation",
    metadata,
    Column("origin_id", Key, nullable=False),
    Column("source_ref", String(255), nullable=False),
    Column("type", String(63), nullable=False),
    Column("target_ref", String(255), nullable=False),
    Column("reverse", String(63), nullable=False),
    Index("ix_relation_origin", "origin_id"),
    Index("ix_relation_source", "source_ref"),
    Index("ix_relation_target", "target_ref"),
    Index("ix_relation_type", "type", "reverse", "target_ref", "origin_id"),
)
"""`source_ref` has `type` to `target_ref`, which has `reverse` back; `origin_id` declared it.

Here and in `entity_field` no constraint looks each row's entity up: on PostgreSQL that took longer
than all else about writing them. `store.entities` deletes them with their entity."""

finished_relations: Final = Table(
    "finished_relations",
    metadata,
    Column("entity_id", Key, ForeignKey("entity.id", ondelete="CASCADE"), primary_key=True),
    Column("items", LargeBinary, nullable=False),
)
"""What a JSON list of all relations of an entity has in it, where it was made already; see
`store.finished`."""

field_key: Final = Table(
    "field_key",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("form", SmallInteger, nullable=False, server_default="0"),
    UniqueConstraint("name", "form"),
)
"""The dotted paths that occur in entities, lower-case, and what rows of `entity_field` with them
say: `form` is one of `store.fields`."""

CODE_POINTS: Final = "C"
"""The collation of PostgreSQL that compares text as SQLite and Python do."""

_Field: Final = String(200).with_variant(String(200, CODE_POINTS), "postgresql")

entity_field: Final = Table(
    "entity_field",
    metadata,
    Column("key_id", Integer, nullable=False),
    Column("value", _Field, nullable=False),
    Column("entity_id", Key, nullable=False),
    Column("written", _Field),
    Index("ix_entity_field_key_value", "key_id", "value", "entity_id", "written"),
    Index("ix_entity_field_entity", "entity_id"),
)
"""Values that have no column of their own, lower-case, for filters, orders and facets; `written`
is how a value stands in the document, where that is not in lower case."""

claim: Final = Table(
    "claim",
    metadata,
    Column("id", Key, primary_key=True),
    Column("ref", String(255), nullable=False, index=True),
    Column("source_id", Key, ForeignKey("source.id", ondelete="CASCADE"), nullable=False),
    Column(
        "file_id", Key, ForeignKey("source_file.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("position", Integer, nullable=False),
    Column("line", Integer, nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("pairs", Json, nullable=False),
    Column("hash", String(40), nullable=False),
    Column("since", UtcDateTime, nullable=False),
)
"""A good document whose ref another one holds already. It is served when that one leaves."""

rejected: Final = Table(
    "rejected",
    metadata,
    Column("id", Key, primary_key=True),
    Column("source_id", Key, ForeignKey("source.id", ondelete="CASCADE"), nullable=False),
    Column(
        "file_id", Key, ForeignKey("source_file.id", ondelete="CASCADE"), nullable=False, index=True
    ),
    Column("position", Integer, nullable=False),
    Column("line", Integer, nullable=False),
    Column("severity", String(10), nullable=False),
    Column("code", Text, nullable=False),
    Column("message", TranslatedText, nullable=False),
    Column("ref", String(255), nullable=False, index=True),
    Column("owner", String(255), nullable=False),
    Column("since", UtcDateTime, nullable=False),
)
"""A fault of a document, and where. Severity `error`: it cannot be served; `warning`: it is served
without the part named. `ref` and `owner` are empty where unreadable."""

search_document: Final = Table(
    "search_document",
    metadata,
    Column("id", Key, primary_key=True),
    Column("source", String(120), nullable=False),
    Column("key", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("ref", String(255), nullable=False),
    Column("hash", String(40), nullable=False),
    Column("text", Text, nullable=False, server_default=""),
    UniqueConstraint("source", "key"),
)
"""What plugins let search find. The words are in `search_document_text`, an index of its own."""

entity_version: Final = Table(
    "entity_version",
    metadata,
    Column("id", Key, primary_key=True),
    Column("ref", String(255), nullable=False),
    Column("uid", String(36), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("action", String(10), nullable=False),
    Column("source", String(120), nullable=False),
    Column("path", Text, nullable=False),
    Column("head", Text, nullable=False),
    Column("changed", Json, nullable=False),
    Column("before", LargeBinary),
    Column("created", UtcDateTime),
    Column("owner", String(255), nullable=False, server_default=""),
    Column("hash", String(40), nullable=False, server_default=""),
    Column("gap", UtcDateTime),
    Index("ix_entity_version_ref", "ref", "id"),
    Index("ix_entity_version_at", "at", "ref", "id"),
)
"""A change of an entity. `action` is `updated`, `removed` or `returned`; `changed` has the dotted
`paths` that differ and the `commit` that changed the file, where it is known; `before` is the
document as it was, compressed; `head` is the version of the source that brought the change.

`created`, `owner` and `hash` are those of the entity as it was before the change: so the catalog
of a past time is read without opening documents. `gap` is the time of the newest change before
this one that is no longer kept, where only some of an entity's changes were deleted."""

dangling: Final = Table(
    "dangling",
    metadata,
    Column("origin_id", Key, ForeignKey("entity.id", ondelete="CASCADE"), nullable=False),
    Column("type", String(63), nullable=False),
    Column("other", String(255), nullable=False, index=True),
    Column("since", UtcDateTime, nullable=False),
    UniqueConstraint("origin_id", "type", "other"),
)
"""A relation that the entity `origin_id` declares to one that is not there, read from its side.
Kept with every change of entities, so that nobody looks through all relations for it."""

stale: Final = Table(
    "stale",
    metadata,
    Column("entity_id", Key, ForeignKey("entity.id", ondelete="CASCADE"), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
)
"""An entity of which the last good version is served: its file, as it is now, does not show it."""

pushed_source: Final = Table(
    "pushed_source",
    metadata,
    Column("source_id", Key, ForeignKey("source.id", ondelete="CASCADE"), primary_key=True),
    Column("owner", String(300), nullable=False),
    Column("pushed_by", String(300), nullable=False),
    Column("pushed_at", UtcDateTime, nullable=False),
    Column("mode", String(10), nullable=False),
)
"""A source that others push to. `owner` pushed first, `pushed_by` last with something new."""

pushed_text: Final = Table(
    "pushed_text",
    metadata,
    Column("file_id", Key, ForeignKey("source_file.id", ondelete="CASCADE"), primary_key=True),
    Column("content", LargeBinary, nullable=False),
)
"""A pushed document with faults, as text whose lines they name: nowhere else can it be read."""

deletion: Final = Table(
    "deletion",
    metadata,
    Column("id", Key, primary_key=True),
    Column("ref", String(255), nullable=False, unique=True),
    Column("uid", String(36), nullable=False, unique=True),
    Column("title", Text, nullable=False),
    Column("source", String(120), nullable=False),
    Column("path", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("actor", String(300), nullable=False),
    Column("reason", Text, nullable=False),
)
"""An entity that a person or program deleted. While the row is there nobody's document of this
`ref` is served: all of them wait in `claim`."""
