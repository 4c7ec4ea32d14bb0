"""The tables of the index of usage. Days are in UTC."""

from typing import Final

from sqlalchemy import Column, Date, Index, Integer, String, Table

from callboard.database.types import UtcDateTime, metadata

usage: Final = Table(
    "portal_usage",
    metadata,
    Column("ref", String(255), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("looks", Integer, nullable=False),
    Column("people", Integer, nullable=False),
    Column("machines", Integer, nullable=False),
    Index("ix_portal_usage_day", "day"),
)
"""Of one entity on one day: looks of people, different people, looks of machines."""

usage_sum: Final = Table(
    "portal_usage_sum",
    metadata,
    Column("days", Integer, primary_key=True, autoincrement=False),
    Column("ref", String(255), primary_key=True),
    Column("looks", Integer, nullable=False),
    Column("people", Integer, nullable=False),
    Column("machines", Integer, nullable=False),
    Column("last", Date, nullable=False),
    Index("ix_portal_usage_sum_looks", "days", "looks", "machines"),
)
"""The looks at one entity in the last `days` days, `people` of the day with most; see `sums`."""

usage_summed: Final = Table(
    "portal_usage_summed",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("day", Date, nullable=False),
)
"""One row: the last day of all sums. Whoever changes them holds it."""

looker: Final = Table(
    "portal_usage_looker",
    metadata,
    Column("day", Date, primary_key=True),
    Column("ref", String(255), primary_key=True),
    Column("hash", String(32), primary_key=True),
)
"""Tells the people of one entity and day apart while the day lasts; deleted after it.

The hash is of the person and the entity, with a key of that day: it links neither days nor
entities, and nothing can be worked out of it once the key is deleted.
"""

named: Final = Table(
    "portal_usage_named",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("ref", String(255), primary_key=True),
    Column("day", Date, primary_key=True),
    Column("looks", Integer, nullable=False),
    Index("ix_portal_usage_named_ref", "ref", "day"),
    Index("ix_portal_usage_named_day", "day"),
)
"""Looks of people who chose to be shown, and of nobody else."""

shown: Final = Table(
    "portal_usage_shown",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
)
"""Who chose to be shown."""

problem_look: Final = Table(
    "portal_problem_look",
    metadata,
    Column("key", String(300), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("before", UtcDateTime),
)
"""When a person last looked at their problems, and when before that."""
