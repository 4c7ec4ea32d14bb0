"""Every change of the table of runs, each a step of the caller's transaction."""

import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    case,
    delete,
    exists,
    literal_column,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from callboard.contributions import Job
from callboard.database import touch
from callboard.errors import InputError
from callboard.jobs.models import job_run

TOPIC: Final = "job"
"""What `Database.committed` tells about when there may be work."""

MAXIMUM_PAYLOAD: Final = 8 * 1024 * 1024
LONGEST_BACKOFF: Final = timedelta(hours=1)

JobName = tuple[str, str]
"""Plugin and name."""

State = Literal["waiting", "running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of a job, as its row says; times in UTC.

    `attempt` counts the starts. `seconds` is how long the last attempt took. `error` is that of
    the last attempt that failed, without secrets, and `error_id` finds its traceback in the log.
    """

    id: int
    plugin: str
    name: str
    key: str
    payload: Mapping[str, Any]
    state: State
    attempt: int
    attempts: int
    not_before: datetime
    lease_owner: str | None
    lease_until: datetime | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    seconds: float | None
    error: str
    error_id: str
    progress_done: int
    progress_total: int
    progress_text: str

    @property
    def job(self) -> str:
        return f"{self.plugin}.{self.name}"


def in_state(state: State) -> ColumnElement[bool]:
    """Give the condition as a literal: SQLite uses a partial index for nothing else."""
    return job_run.c.state == literal_column(f"'{state}'")


def _is_due(now: datetime) -> ColumnElement[bool]:
    return in_state("waiting") & (job_run.c.not_before <= now)


def _is_of(jobs: Collection[JobName]) -> ColumnElement[bool]:
    return tuple_(job_run.c.plugin, job_run.c.name).in_(sorted(jobs))


def _is_free() -> ColumnElement[bool]:
    other = job_run.alias("other")
    return ~exists().where(
        other.c.state == literal_column("'running'"),
        other.c.plugin == job_run.c.plugin,
        other.c.name == job_run.c.name,
        other.c.key == job_run.c.key,
    )


def submit(
    connection: Connection,
    job: JobName,
    payload: Mapping[str, Any],
    key: str,
    *,
    attempts: int,
    now: datetime,
    hasten: bool = True,
) -> int:
    """Add a run, or give the number of the one that waits with the same job and key.

    `hasten` ends the pause of one that waits to be tried again. A run given back cannot start
    before this transaction has ended, so it sees what the transaction has changed.
    """
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(job_run).values(
        _new_run(job, payload, key, attempts=attempts, now=now)
    )
    sooner = case(
        (job_run.c.not_before < statement.excluded.not_before, job_run.c.not_before),
        else_=statement.excluded.not_before,
    )
    statement = statement.on_conflict_do_update(
        index_elements=["plugin", "name", "key"],
        index_where=in_state("waiting"),
        set_={"not_before": sooner if hasten else job_run.c.not_before},
    ).returning(job_run.c.id)
    number = int(connection.execute(statement).scalar_one())
    touch(connection, TOPIC)
    return number


def _new_run(
    job: JobName, payload: Mapping[str, Any], key: str, *, attempts: int, now: datetime
) -> dict[str, Any]:
    plugin, name = job
    _check(plugin, name, payload, key)
    return {
        "plugin": plugin,
        "name": name,
        "key": key,
        "payload": dict(payload),
        "state": "waiting",
        "attempt": 0,
        "attempts": attempts,
        "not_before": now,
        "created_at": now,
        "error": "",
        "error_id": "",
        "progress_done": 0,
        "progress_total": 0,
        "progress_text": "",
    }


def _check(plugin: str, name: str, payload: Mapping[str, Any], key: str) -> None:
    try:
        size = len(orjson.dumps(dict(payload)))
    except TypeError as error:
        raise InputError(
            f"The payload for the job {plugin}.{name} is not JSON: {error}."
        ) from error
    if size > MAXIMUM_PAYLOAD or len(key) > 300:
        raise InputError(
            f"The job {plugin}.{name} was given a payload of {size} bytes and a key of {len(key)} "
            f"characters; at most {MAXIMUM_PAYLOAD} bytes and 300 characters are taken.",
            hint="Put large data in a table and its number in the payload.",
        )


def has_due(connection: Connection, jobs: Collection[JobName], now: datetime) -> bool:
    """Say whether a run of these jobs could start now."""
    query = select(job_run.c.id).where(_is_due(now), _is_of(jobs), _is_free()).limit(1)
    return connection.execute(query).first() is not None


def take(
    connection: Connection,
    jobs: Collection[JobName],
    owner: str,
    *,
    now: datetime,
    lease: timedelta,
) -> tuple[Run | None, bool]:
    """Take the run that is due first; also say whether there is a further one."""
    query = (
        select(job_run.c.id)
        .where(_is_due(now), _is_of(jobs), _is_free())
        .order_by(job_run.c.not_before, job_run.c.id)
        .limit(2)
        .with_for_update(skip_locked=True, of=job_run)
    )
    found = connection.execute(query).scalars().all()
    if not found:
        return None, False
    taken = connection.execute(
        update(job_run)
        .where(job_run.c.id == found[0], in_state("waiting"))
        .values(
            state="running",
            attempt=job_run.c.attempt + 1,
            lease_owner=owner,
            lease_until=now + lease,
            started_at=now,
            finished_at=None,
            seconds=None,
            progress_done=0,
            progress_total=0,
            progress_text="",
        )
        .returning(*job_run.c)
    ).mappings()
    row = taken.one_or_none()
    return (Run(**row) if row else None), len(found) > 1


def renew(
    connection: Connection, run: Run, *, until: datetime, progress: tuple[int, int, str]
) -> bool:
    """Extend the lease and write how far the run is; False when it is no longer the owner's."""
    return _change(connection, run, lease_until=until, **_progress(progress))


def succeed(
    connection: Connection,
    run: Run,
    *,
    now: datetime,
    seconds: float,
    progress: tuple[int, int, str],
) -> bool:
    """End a run well; False when it is no longer the owner's."""
    return _change(
        connection,
        run,
        **_ended("succeeded", now),
        **_progress(progress),
        seconds=seconds,
        error="",
        error_id="",
    )


def forget_older(connection: Connection, run: Run) -> None:
    """Delete the earlier successes of a run's job and key."""
    connection.execute(
        delete(job_run).where(
            job_run.c.plugin == run.plugin,
            job_run.c.name == run.name,
            job_run.c.key == run.key,
            job_run.c.id < run.id,
            in_state("succeeded"),
        )
    )


def release_all(connection: Connection, now: datetime) -> None:
    """End every lease: for a process that knows itself to be the only one."""
    connection.execute(update(job_run).where(in_state("running")).values(lease_until=now))


def fail(
    connection: Connection,
    run: Run,
    *,
    now: datetime,
    seconds: float | None,
    error: str,
    error_id: str,
    retry_at: datetime | None,
) -> State | None:
    """End an attempt badly and give the run's new state, None when it is not the owner's.

    A run waits for `retry_at`, unless there is none, or another of its job and key has come to
    wait meanwhile, which then takes its place.
    """
    told = {"seconds": seconds, "error": error, "error_id": error_id}
    if retry_at is not None:
        try:
            with connection.begin_nested():
                waits = {"state": "waiting", "not_before": retry_at, **_RELEASED, **told}
                changed = _change(connection, run, **waits)
        except IntegrityError:
            pass
        else:
            touch(connection, TOPIC)
            return "waiting" if changed else None
    return "failed" if _change(connection, run, **_ended("failed", now), **told) else None


_RELEASED: Final = {"lease_owner": None, "lease_until": None}


def _ended(state: State, now: datetime) -> dict[str, Any]:
    return {"state": state, "finished_at": now, **_RELEASED}


def _progress(progress: tuple[int, int, str]) -> dict[str, Any]:
    done, total, what = progress
    return {"progress_done": done, "progress_total": total, "progress_text": what[:300]}


def _change(connection: Connection, run: Run, **values: Any) -> bool:
    # The attempt is part of the condition: an owner may lose a run and take it again.
    statement = update(job_run).where(
        job_run.c.id == run.id,
        job_run.c.attempt == run.attempt,
        job_run.c.lease_owner == run.lease_owner,
        in_state("running"),
    )
    return connection.execute(statement.values(**values)).rowcount == 1


def retry_at(job: Job, attempt: int, now: datetime) -> datetime:
    """Give when to try again after this attempt: doubled each time, an hour at most, ±10 %."""
    pause = min(job.backoff * 2.0 ** min(attempt - 1, 20), LONGEST_BACKOFF)
    return now + pause * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, hides nothing


def abandoned(connection: Connection, now: datetime) -> list[Run]:
    """Give the runs whose owner has not renewed its lease in time."""
    query = select(job_run).where(in_state("running"), job_run.c.lease_until < now)
    return [Run(**row) for row in connection.execute(query).mappings()]


def take_back(connection: Connection, run: Run, *, now: datetime) -> State | None:
    """Let an abandoned run be taken again, or fail it when this was its last attempt."""
    text = f"The process that ran it ended before the run did, in attempt {run.attempt}"
    if run.attempt >= run.attempts:
        text += (
            f" of {run.attempts}. It may have been killed, for lack of memory perhaps: "
            "see the log of that machine, then run the job again."
        )
    return fail(
        connection,
        run,
        now=now,
        seconds=None,
        error=text,
        error_id="",
        retry_at=now if run.attempt < run.attempts else None,
    )


def cancel(connection: Connection, run_id: int, *, now: datetime) -> bool:
    """Cancel a run that waits; False when it does not wait (any more)."""
    statement = update(job_run).where(job_run.c.id == run_id, in_state("waiting"))
    return connection.execute(statement.values(**_ended("cancelled", now))).rowcount == 1


def prune(connection: Connection, before: datetime) -> int:
    """Delete runs that ended before this time and give the count."""
    return connection.execute(delete(job_run).where(job_run.c.finished_at < before)).rowcount
