"""Sums of looks over the last days, kept with the counts, so that a page adds nothing up.

They are changed with every look that is written. Once a day they are counted again for entities of
which a day has become too old; no others are touched.
"""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    delete,
    func,
    insert,
    literal,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from callboard_web.usage.models import usage, usage_sum, usage_summed

PERIODS: Final = (7, 30, 90)
"""Days of which sums are kept."""

NEVER: Final = date(1970, 1, 1)
COLUMNS: Final = ("days", "ref", "looks", "people", "machines", "last")

Row = tuple[str, date, int, int, int]
"""Of one entity and day, as in the table of usage."""


def first_of(day: date, days: int) -> date:
    """Give the first of so many days that end with a day."""
    return day - timedelta(days=days - 1)


def summed_until(connection: Connection) -> date | None:
    """Give the day that all sums end with; None before the first look."""
    return connection.scalar(select(usage_summed.c.day).where(usage_summed.c.id == 1))


def advance(connection: Connection, day: date) -> date:
    """Let the sums end with this day, if they do not end later, and give the day they end with.

    Nobody else changes counts or sums until the transaction ends.
    """
    until = _hold(connection)
    if until >= day:
        return until
    for days in PERIODS:
        first = first_of(day, days)
        # Of these a day was within the sums and is not any more.
        gone = select(usage.c.ref).where(usage.c.day >= first_of(until, days), usage.c.day < first)
        _count(connection, days, first, None if until == NEVER else gone)
    connection.execute(update(usage_summed).values(day=day))
    return day


def _hold(connection: Connection) -> date:
    held = select(usage_summed.c.day).where(usage_summed.c.id == 1).with_for_update()
    found: date | None = connection.scalar(held)
    if found is None:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        begun = dialect.insert(usage_summed).values(id=1, day=NEVER)
        connection.execute(begun.on_conflict_do_nothing())
        found = connection.scalar(held)
    assert found is not None
    return found


def count_all(connection: Connection, oldest: date) -> None:
    """Count the sums again that reach back beyond the oldest day there is."""
    until = _hold(connection)
    for days in PERIODS:
        if first_of(until, days) < oldest:
            _count(connection, days, first_of(until, days), None)


def _count(connection: Connection, days: int, first: date, refs: Any) -> None:
    def chosen(column: ColumnElement[str]) -> ColumnElement[bool]:
        return true() if refs is None else column.in_(refs)

    connection.execute(delete(usage_sum).where(usage_sum.c.days == days, chosen(usage_sum.c.ref)))
    sums: Sequence[ColumnElement[Any]] = (
        literal(days),
        usage.c.ref,
        func.sum(usage.c.looks),
        func.max(usage.c.people),
        func.sum(usage.c.machines),
        func.max(usage.c.day),
    )
    counted = select(*sums).where(usage.c.day >= first, chosen(usage.c.ref)).group_by(usage.c.ref)
    connection.execute(insert(usage_sum).from_select(COLUMNS, counted))


def summands(rows: Sequence[Row], until: date) -> Iterator[tuple[Any, ...]]:
    """Give what looks of days add to the sums that end with a day, in `COLUMNS`."""
    for ref, day, looks, people, machines in rows:
        for days in PERIODS:
            if day >= first_of(until, days):
                yield (days, ref, looks, people, machines, day)
