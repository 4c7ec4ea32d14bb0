"""What the page of jobs and the metrics show."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, func, select

from callboard import events
from callboard.contributions import Job, JobContext
from callboard.i18n import Translator
from callboard.jobs import store
from callboard.jobs.models import job_run, job_schedule
from callboard.jobs.store import Run, State

_: Final = Translator("callboard")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSummary:
    """One job with its newest run, the newest that failed, and when its schedule is due."""

    plugin: str
    name: str
    every: timedelta | None
    next_at: datetime | None
    last: Run | None
    last_failed: Run | None


def runs(
    connection: Connection,
    *,
    state: State | None = None,
    plugin: str | None = None,
    name: str | None = None,
    key: str | None = None,
    limit: int = 50,
    before: int | None = None,
) -> list[Run]:
    """Give runs, newest first; `before` is the last number of the page before."""
    query = select(job_run).order_by(job_run.c.id.desc()).limit(limit)
    for column, value in (
        ("state", state), ("plugin", plugin), ("name", name), ("key", key),
    ):  # fmt: skip
        if value is not None:
            query = query.where(job_run.c[column] == value)
    if before is not None:
        query = query.where(job_run.c.id < before)
    return [Run(**row) for row in connection.execute(query).mappings()]


def find(connection: Connection, run_id: int) -> Run | None:
    """Give one run, or None where there is none (any more)."""
    row = connection.execute(select(job_run).where(job_run.c.id == run_id)).mappings().first()
    return Run(**row) if row else None


def summaries(connection: Connection) -> list[JobSummary]:
    """Give every job that has a schedule or a run that is kept, by plugin and name."""
    schedules = {
        (row.plugin, row.name): row for row in connection.execute(select(job_schedule)).all()
    }
    last = _newest(connection, None)
    failed = _newest(connection, "failed")
    found = []
    for plugin, name in sorted({*schedules, *last}):
        row = schedules.get((plugin, name))
        found.append(
            JobSummary(
                plugin=plugin,
                name=name,
                every=timedelta(seconds=row.every_seconds) if row else None,
                next_at=row.next_at if row else None,
                last=last.get((plugin, name)),
                last_failed=failed.get((plugin, name)),
            )
        )
    return found


def _newest(connection: Connection, state: State | None) -> dict[store.JobName, Run]:
    newest = select(func.max(job_run.c.id)).group_by(job_run.c.plugin, job_run.c.name)
    if state is not None:
        newest = newest.where(job_run.c.state == state)
    rows = connection.execute(select(job_run).where(job_run.c.id.in_(newest))).mappings()
    return {(row["plugin"], row["name"]): Run(**row) for row in rows}


def counts(connection: Connection) -> dict[State, int]:
    """Give how many runs there are in each state, 0 included."""
    query = select(job_run.c.state, func.count().label("number")).group_by(job_run.c.state)
    found = {row.state: row.number for row in connection.execute(query)}
    states: Sequence[State] = ("waiting", "running", "succeeded", "failed", "cancelled")
    return {state: found.get(state, 0) for state in states}


def oldest_waiting(connection: Connection, now: datetime) -> timedelta:
    """Give for how long the run that is due and waits longest has been due, zero without one."""
    query = select(func.min(job_run.c.not_before)).where(store.in_state("waiting"))
    since = connection.execute(query).scalar()
    return max(now - since, timedelta()) if since else timedelta()


def housekeeping(keep: timedelta) -> Job:
    """Give the job that deletes finished runs and events older than `keep`, for the host to add."""

    def run(context: JobContext) -> None:
        before = context.host.now() - keep
        with context.host.write() as connection:
            store.prune(connection, before)
            events.prune(connection, before)

    title = _("Delete old runs and events")
    return Job(name="housekeeping", title=title, run=run, every=timedelta(hours=1))
