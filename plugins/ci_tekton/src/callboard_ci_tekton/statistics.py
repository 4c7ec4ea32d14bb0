"""Figures of runs: success rate, duration and time in the queue."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, select

from callboard_ci_tekton.days import COUNTED, SHOWN, first_shown
from callboard_ci_tekton.models import day, entity, match, run

MOST: Final = 50_000


@dataclass(frozen=True, slots=True)
class Figures:
    """Of a group of finished runs. Cancelled ones count neither way; times are seconds."""

    name: str
    runs: int
    succeeded: int
    success_rate: float | None
    duration_median: float | None
    duration_p95: float | None
    queue_median: float | None
    queue_p95: float | None


def load_finished(
    connection: Connection, since: datetime, *conditions: ColumnElement[bool]
) -> Sequence[Row[Any]]:
    """Give runs that ended since then, newest first, with the owner of an entity they belong to.

    A run of several entities is there once for each. At most 50,000.
    """
    query: Select[Any] = (
        select(run.c.id, run.c.state, run.c.duration, run.c.queued, run.c.finished_at,
               run.c.cluster, run.c.namespace, run.c.pipeline, match.c.entity, entity.c.owner)
        .outerjoin(match, match.c.run_id == run.c.id)
        .outerjoin(entity, entity.c.ref == match.c.entity)
        .where(run.c.finished_at >= since, run.c.state.in_(COUNTED), *conditions)
        .order_by(run.c.finished_at.desc())
        .limit(MOST)
    )  # fmt: skip
    return connection.execute(query).all()


def figures_of(name: str, rows: Iterable[Row[Any]]) -> Figures:
    """Sum up runs; each counts once, whatever entities it belongs to."""
    given = {row.id: row for row in rows}.values()
    return _summed(
        name, len(given), sum(row.state == "succeeded" for row in given),
        (row.duration for row in given if row.duration is not None),
        (row.queued for row in given if row.queued is not None),
    )  # fmt: skip


def _summed(name: str, runs: int, good: int, *times: Iterable[int]) -> Figures:
    """Give figures of runs, of which some were good, from durations and times in the queue."""
    durations, queues = (sorted(given) for given in times)
    return Figures(
        name, runs, good, good / runs if runs else None,
        _middle(durations), _high(durations), _middle(queues), _high(queues),
    )  # fmt: skip


def _middle(values: Sequence[int]) -> float | None:
    place = len(values) // 2
    if len(values) % 2:
        return float(values[place])
    return (values[place - 1] + values[place]) / 2 if values else None


def _high(values: Sequence[int]) -> float | None:
    return float(values[int((len(values) - 1) * 0.95)]) if values else None


def grouped(rows: Sequence[Row[Any]], *, by_team: bool) -> list[Figures]:
    """Give the figures of each pipeline (`cluster/namespace/name`), or of each owner."""
    groups: dict[str, list[Row[Any]]] = {}
    for row in rows:
        pipeline = f"{row.cluster}/{row.namespace}/{row.pipeline}"
        groups.setdefault((row.owner or "") if by_team else pipeline, []).append(row)
    return [figures_of(name, groups[name]) for name in sorted(groups)]


HEIGHT: Final = 80
SMALL_HEIGHT: Final = 40


def load_days(connection: Connection, ref: str, now: datetime) -> Sequence[Row[Any]]:
    """Give what ended of the runs of an entity that began in thirty days: a row for each day."""
    query = select(day).where(day.c.entity == ref, day.c.day >= first_shown(now))
    return connection.execute(query).all()


@dataclass(frozen=True, slots=True)
class Day:
    """A day of the charts: positions in percent of their width, heights in pixels."""

    at: date
    figures: Figures
    x: float
    good: float
    bad: float
    duration: float


def draw_days(rows: Iterable[Row[Any]], now: datetime) -> tuple[list[Day], Figures]:
    """Give thirty days that end with today, in UTC, as bars: runs by their end, and durations.

    With them come the figures of all these runs.
    """
    first = first_shown(now)
    found = {row.day: row for row in rows if first <= row.day < first + timedelta(days=SHOWN)}
    days = [first + timedelta(days=index) for index in range(SHOWN)]
    summed = [_of_rows([found[on]] if on in found else []) for on in days]
    top = max(1, *(item.runs for item in summed))
    longest = max(1, *(item.duration_median or 0 for item in summed))
    drawn = [
        Day(
            on, item, round(100 / SHOWN * (index + 0.1), 2),
            round(HEIGHT * item.succeeded / top, 1),
            round(HEIGHT * (item.runs - item.succeeded) / top, 1),
            round(SMALL_HEIGHT * (item.duration_median or 0) / longest, 1),
        )
        for index, (on, item) in enumerate(zip(days, summed, strict=True))
    ]  # fmt: skip
    return drawn, _of_rows(found.values())


def _of_rows(rows: Collection[Row[Any]]) -> Figures:
    return _summed(
        "", sum(row.runs for row in rows), sum(row.succeeded for row in rows),
        chain.from_iterable(row.durations for row in rows),
        chain.from_iterable(row.queues for row in rows),
    )  # fmt: skip
