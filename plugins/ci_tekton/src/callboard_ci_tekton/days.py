"""What ended on each day of each entity, for the charts: kept beside the runs, told from them.

A row is worked out anew from the runs of its day, never added to, so that whatever is done twice
counts once. It is written in the transaction that changes a run or whose it is.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, func, insert, literal, or_, select

from callboard_ci_tekton.models import day, match, run

COUNTED: Final = ("succeeded", "failed", "timed_out")
"""The states of runs that figures are made of; cancelled ones count neither way."""

SHOWN: Final = 30
"""Days that charts show, the last one is today, in UTC."""

KEPT: Final = timedelta(days=SHOWN + 1)
"""For how long runs must be kept after they began, so that charts say what happened."""

_TOGETHER: Final = 100
_LOCK: Final = 0x74656B64  # of PostgreSQL's advisory locks: any number, always the same

Place = tuple[str, date]
"""An entity's reference and a day, in UTC."""


def first_shown(now: datetime) -> date:
    """Give the first day that charts show."""
    return now.astimezone(UTC).date() - timedelta(days=SHOWN - 1)


def day_of(moment: datetime) -> date:
    """Give the day of the charts that a run belongs to, by when it was created."""
    return moment.astimezone(UTC).date()


def places_of(connection: Connection, numbers: Collection[int]) -> set[Place]:
    """Give the days of entities that runs count for, by their numbers."""
    query = select(match.c.entity, match.c.created_at).where(match.c.run_id.in_(numbers))
    return {(row.entity, day_of(row.created_at)) for row in connection.execute(query)}


def count_days(connection: Connection, places: Iterable[Place]) -> None:
    """Work days of entities out anew, in the caller's transaction.

    Call it when all runs of the transaction are written and matched: it waits for others that
    count, and these must not wait for a row that this transaction still wants.
    """
    listed = sorted(set(places))
    if listed:
        hold_days(connection)
    for at in range(0, len(listed), _TOGETHER):
        part = listed[at : at + _TOGETHER]
        connection.execute(delete(day).where(or_(*(_is_of(place) for place in part))))
        rows = [_row(place, runs) for place, runs in _ended(connection, part).items()]
        if rows:
            connection.execute(insert(day), rows)


def hold_days(connection: Connection) -> None:
    """Let nobody else count days until the end of the transaction.

    Of two who count the same day at once neither would see the other's run.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(literal(_LOCK))))


def _is_of(place: Place) -> Any:
    return and_(day.c.entity == place[0], day.c.day == place[1])


def _ended(connection: Connection, places: Sequence[Place]) -> dict[Place, list[Any]]:
    began = (
        and_(match.c.entity == entity, match.c.created_at >= _midnight(on),
             match.c.created_at < _midnight(on + timedelta(days=1)))
        for entity, on in places
    )  # fmt: skip
    query = (
        select(match.c.entity, match.c.created_at, run.c.state, run.c.duration, run.c.queued)
        .join(run, run.c.id == match.c.run_id)
        .where(or_(*began), run.c.state.in_(COUNTED))
    )
    found: dict[Place, list[Any]] = {}
    for row in connection.execute(query):
        found.setdefault((row.entity, day_of(row.created_at)), []).append(row)
    return found


def _midnight(on: date) -> datetime:
    return datetime.combine(on, time(), UTC)


def _row(place: Place, runs: Sequence[Any]) -> dict[str, Any]:
    return {
        "entity": place[0],
        "day": place[1],
        "runs": len(runs),
        "succeeded": sum(item.state == "succeeded" for item in runs),
        "durations": sorted(item.duration for item in runs if item.duration is not None),
        "queues": sorted(item.queued for item in runs if item.queued is not None),
    }


def delete_days(connection: Connection, now: datetime) -> None:
    """Delete days that charts show no more."""
    hold_days(connection)
    connection.execute(delete(day).where(day.c.day < first_shown(now)))
