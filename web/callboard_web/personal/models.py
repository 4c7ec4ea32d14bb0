"""The tables of what belongs to one person, or was made by one.

`key` is who it belongs to: `visitor:<id>` for a browser whose person has not signed in.
"""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from callboard.database.types import Json, UtcDateTime, metadata

Number: Final = BigInteger().with_variant(Integer, "sqlite")

person: Final = Table(
    "portal_person",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("ref", String(255), nullable=False),
    Column("home", Json, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
"""`ref` is the User entity they say they are, or empty; `home` is how they arranged their home
page."""

star: Final = Table(
    "portal_star",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("ref", String(255), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)

visit: Final = Table(
    "portal_visit",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("path", String(500), primary_key=True),
    Column("title", Text, nullable=False),
    Column("ref", String(255), nullable=False),
    Column("count", Integer, nullable=False),
    Column("last_at", UtcDateTime, nullable=False),
    Index("ix_portal_visit_last", "key", "last_at"),
)
"""A page someone opened. `ref` is its entity, or empty."""

view: Final = Table(
    "portal_view",
    metadata,
    Column("id", Number, primary_key=True),
    Column("key", String(300), nullable=False, index=True),
    Column("name", String(80), nullable=False),
    Column("query", Text, nullable=False),
    Column("shared", Boolean, nullable=False, index=True),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
)
"""A list with its filters under a name. `query` is what follows `/catalog?`."""

announcement: Final = Table(
    "portal_announcement",
    metadata,
    Column("id", Number, primary_key=True),
    Column("status", String(10), nullable=False),
    Column("texts", Json, nullable=False),
    Column("path", Text, nullable=False),
    Column("begins_at", UtcDateTime, nullable=False, index=True),
    Column("ends_at", UtcDateTime),
    Column("author", String(300), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("withdrawn_at", UtcDateTime),
)
"""`texts` maps a language to `{"title": …, "text": …}`; `status` is of the status vocabulary."""

secret: Final = Table(
    "portal_secret",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", String(200), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
"""Secrets that the portal made for itself, shared by every process on this database."""

maintenance: Final = Table(
    "portal_maintenance",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("texts", Json, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime),
)
"""One row while the portal is closed, none while it is open. `texts` are by language."""

dismissal: Final = Table(
    "portal_dismissal",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("announcement_id", Number, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
)
"""An announcement that someone has put away."""
