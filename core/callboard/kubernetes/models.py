"""Tables of what was seen in clusters."""

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
    String,
    Table,
    UniqueConstraint,
    text,
)

from callboard.database import Json, TranslatedText, UtcDateTime, metadata

# One row for each cluster, kind and namespace that is watched (an empty namespace: all of them).
# `change` counts what was written for it; only the holder of its lease counts on. `objects` is how
# many are there, `lag` the seconds between the last event's arrival and its commit.
cluster_watch: Final = Table(
    "cluster_watch",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cluster", String(63), nullable=False),
    Column("resource", String(320), nullable=False),
    Column("namespace", String(63), nullable=False),
    Column("kind", String(63), nullable=False),
    Column("state", String(20), nullable=False),
    Column("error", TranslatedText, nullable=False),
    Column("resource_version", String(100), nullable=False),
    Column("change", BigInteger, nullable=False),
    Column("objects", Integer, nullable=False),
    Column("lag", Float, nullable=False),
    Column("events", BigInteger, nullable=False),
    Column("lists", Integer, nullable=False),
    Column("connects", Integer, nullable=False),
    Column("listed_at", UtcDateTime),
    Column("event_at", UtcDateTime),
    Column("seen_at", UtcDateTime),
    Column("failing_since", UtcDateTime),
    Column("holder", String(120), nullable=False),
    Column("held_until", UtcDateTime),
    UniqueConstraint("cluster", "resource", "namespace"),
)

# `body` is the object as JSON, compressed, without managed fields and secrets.
cluster_object: Final = Table(
    "cluster_object",
    metadata,
    Column("watch", Integer, ForeignKey("cluster_watch.id", ondelete="CASCADE"), primary_key=True),
    Column("uid", String(80), primary_key=True),
    Column("namespace", String(63), nullable=False),
    Column("name", String(253), nullable=False),
    Column("resource_version", String(100), nullable=False),
    Column("change", BigInteger, nullable=False),
    Column("gone", Boolean, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Index("ix_cluster_object_watch_change", "watch", "change"),
    Index("ix_cluster_object_watch_namespace_name", "watch", "namespace", "name"),
    Index(
        "ix_cluster_object_gone",
        "watch",
        "change",
        sqlite_where=text("gone = 1"),
        postgresql_where=text("gone"),
    ),
)

# How far each follower has come with each watch.
cluster_follower: Final = Table(
    "cluster_follower",
    metadata,
    Column("follower", String(240), primary_key=True),
    Column("watch", Integer, ForeignKey("cluster_watch.id", ondelete="CASCADE"), primary_key=True),
    Column("change", BigInteger, nullable=False),
    Column("failing_since", UtcDateTime),
    Column("error", TranslatedText, nullable=False),
    Index("ix_cluster_follower_watch", "watch"),
)

# What a cluster is and serves, as it said last. `resources` has the served versions by the keys of
# resources, the preferred one first; `lacks` has, by `<plugin>.<rule>`, the namespaces in which the
# portal's account lacks what the rule asks for (an empty one: in all at once).
cluster: Final = Table(
    "cluster",
    metadata,
    Column("name", String(63), primary_key=True),
    Column("version", String(80), nullable=False),
    Column("state", String(20), nullable=False),
    Column("error", TranslatedText, nullable=False),
    Column("said", String(2000), nullable=False),
    Column("resources", Json, nullable=False),
    Column("lacks", Json, nullable=False),
    Column("asked_at", UtcDateTime),
    Column("answered_at", UtcDateTime),
)
