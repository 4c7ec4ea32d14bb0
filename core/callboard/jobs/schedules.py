"""When jobs run by themselves: the table of schedules, in transactions of the caller."""

import random
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from callboard.contributions import Job
from callboard.jobs.models import job_schedule
from callboard.jobs.store import JobName


def register(connection: Connection, jobs: Mapping[JobName, Job], now: datetime) -> None:
    """Make the table agree with the jobs of this process; a new schedule is due at once.

    Rows of jobs not known here are left alone: another process may have other plugins.
    """
    rows = connection.execute(select(job_schedule)).all()
    present = {(row.plugin, row.name): row for row in rows}
    for (plugin, name), job in jobs.items():
        row = present.get((plugin, name))
        this = (job_schedule.c.plugin == plugin) & (job_schedule.c.name == name)
        if job.every is None:
            if row is not None:
                connection.execute(delete(job_schedule).where(this))
            continue
        seconds = job.every.total_seconds()
        if row is None:
            _add_schedule(connection, plugin, name, seconds, now)
        elif row.every_seconds != seconds:
            next_at = min(row.next_at, now + job.every)
            changed = update(job_schedule).where(this)
            connection.execute(changed.values(every_seconds=seconds, next_at=next_at))


def _add_schedule(
    connection: Connection, plugin: str, name: str, seconds: float, now: datetime
) -> None:
    # Another process may add the same one at this moment.
    try:
        with connection.begin_nested():
            connection.execute(
                insert(job_schedule).values(
                    plugin=plugin, name=name, every_seconds=seconds, next_at=now
                )
            )
    except IntegrityError:
        pass


def due(
    connection: Connection, jobs: Collection[JobName], now: datetime
) -> list[tuple[JobName, datetime]]:
    """Give the jobs whose time has come, with that time."""
    query = select(job_schedule).where(job_schedule.c.next_at <= now)
    rows = connection.execute(query).all()
    return [((row.plugin, row.name), row.next_at) for row in rows if (row.plugin, row.name) in jobs]


def advance(
    connection: Connection, job: JobName, every: timedelta, was: datetime, now: datetime
) -> bool:
    """Move a schedule on by its interval ±10 %; False when another process has done so.

    The one that moves it submits the run in the same transaction: no time is lost or run twice.
    """
    next_at = now + every * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load
    statement = update(job_schedule).where(
        job_schedule.c.plugin == job[0],
        job_schedule.c.name == job[1],
        job_schedule.c.next_at == was,
    )
    return connection.execute(statement.values(next_at=next_at)).rowcount == 1
