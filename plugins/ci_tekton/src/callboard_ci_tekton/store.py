"""Writes of runs and tasks, in batches: a fixed number of statements for any number of objects."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Integer,
    Table,
    bindparam,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from callboard_ci_tekton.days import COUNTED
from callboard_ci_tekton.matching.service import in_parts
from callboard_ci_tekton.models import detail, key, run, step, task
from callboard_ci_tekton.runs.parsing import ParsedRun, ParsedTask
from callboard_ci_tekton.runs.states import FINISHED
from callboard_ci_tekton.runs.values import seconds

_LOCK: Final = 0x74656B72  # of PostgreSQL's advisory locks: any number, always the same


NEW_RUN: Final[Mapping[str, Any]] = {
    "matched": False, "worked_at": None, "queued": None, "retries": 0, "tasks_done": 0
}  # fmt: skip
"""What a run begins with that its tasks and entities say later."""


def hold_cluster(connection: Connection, cluster: str) -> None:
    """Let runs and tasks of a cluster be written one after the other.

    A run adopts the tasks that were there before it, a task looks for the run that was: written
    at once, neither would see the other.
    """
    if connection.dialect.name == "postgresql":
        of = func.hashtext(cluster)
        connection.execute(select(func.pg_advisory_xact_lock(literal(_LOCK, Integer), of)))


def is_older(version: str, kept: str) -> bool:
    """Whether an object is an earlier state than the one kept; unknown versions never are."""
    both = version.isdecimal() and kept.isdecimal()
    return both and int(version) < int(kept)


def known_runs(connection: Connection, cluster: str, uids: Collection[str]) -> dict[str, Any]:
    """Give the rows of runs by their uids."""
    wanted = (run.c.id, run.c.uid, run.c.version, run.c.state, run.c.duration, run.c.gone,
              run.c.finished_at)  # fmt: skip
    return {
        row.uid: row
        for part in in_parts(uids)
        for row in connection.execute(
            select(*wanted).where(run.c.cluster == cluster, run.c.uid.in_(part))
        )
    }


def known_tasks(connection: Connection, cluster: str, uids: Collection[str]) -> dict[Any, Any]:
    """Give the rows of attempts by uid and attempt."""
    wanted = (task.c.id, task.c.uid, task.c.attempt, task.c.version, task.c.run_id, task.c.state)
    return {
        (row.uid, row.attempt): row
        for part in in_parts(uids)
        for row in connection.execute(
            select(*wanted).where(task.c.cluster == cluster, task.c.uid.in_(part))
        )
    }


def write_rows(
    connection: Connection, table: Table, new: Sequence[Mapping[str, Any]],
    changed: Sequence[Mapping[str, Any]],
) -> None:  # fmt: skip
    """Insert rows, and update others by their `id`; what somebody else has just inserted stays."""
    if new:
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        connection.execute(dialect.insert(table).on_conflict_do_nothing(), list(new))
    if changed:
        names = [name for name in changed[0] if name != "id"]
        statement = (
            update(table)
            .where(table.c.id == bindparam("_id"))
            .values({name: bindparam(f"_{name}") for name in names})
        )
        # In one order, so that of two transactions neither waits for the other.
        ordered = sorted(changed, key=lambda row: int(row["id"]))
        rows = [{f"_{name}": value for name, value in row.items()} for row in ordered]
        connection.execute(statement, rows)


def write_details(connection: Connection, parsed: Mapping[int, ParsedRun]) -> None:
    """Write what only the pages of runs show."""
    for part in in_parts(parsed):
        connection.execute(delete(detail).where(detail.c.run_id.in_(part)))
        connection.execute(
            insert(detail), [{"run_id": number, **parsed[number].detail} for number in part]
        )


def write_keys(connection: Connection, keys: Mapping[int, set[str]]) -> set[int]:
    """Write the keys of runs and give those whose keys are not what they were."""
    changed: set[int] = set()
    for part in in_parts(keys):
        before: dict[int, set[str]] = {}
        for row in connection.execute(select(key).where(key.c.run_id.in_(part))):
            before.setdefault(row.run_id, set()).add(row.key)
        changed |= {number for number in part if before.get(number, set()) != keys[number]}
    for part in in_parts(sorted(changed)):
        connection.execute(delete(key).where(key.c.run_id.in_(part)))
        connection.execute(
            insert(key),
            [{"run_id": number, "key": item} for number in part for item in sorted(keys[number])],
        )
    return changed


def write_steps(connection: Connection, parsed: Mapping[int, ParsedTask]) -> set[int]:
    """Write the steps of attempts; give those of which any step is in another state than it was."""
    moved: set[int] = set()
    for part in in_parts(parsed):
        before: dict[int, dict[int, str]] = {}
        states = select(step.c.task_id, step.c.position, step.c.state)
        for row in connection.execute(states.where(step.c.task_id.in_(part))):
            before.setdefault(row.task_id, {})[row.position] = row.state
        for number in part:
            after = {item["position"]: item["state"] for item in parsed[number].steps}
            if after != before.get(number, {}):
                moved.add(number)
        connection.execute(delete(step).where(step.c.task_id.in_(part)))
        rows = [{"task_id": number, **item} for number in part for item in parsed[number].steps]
        if rows:
            connection.execute(insert(step), rows)
    return moved


def adopt_tasks(connection: Connection, cluster: str, runs: Mapping[str, int]) -> None:
    """Give runs, by their uids, the tasks that were seen before them."""
    for part in in_parts(runs):
        lone = select(task.c.id, task.c.run_uid).where(
            task.c.cluster == cluster, task.c.run_uid.in_(part), task.c.run_id.is_(None)
        )
        rows = [{"_id": row.id, "_run": runs[row.run_uid]} for row in connection.execute(lone)]
        if rows:
            statement = update(task).where(task.c.id == bindparam("_id"))
            connection.execute(statement.values(run_id=bindparam("_run")), rows)


def ended_otherwise(known: Mapping[str, Any], after: Mapping[str, Any]) -> set[int]:
    """Give the numbers of runs, by their uids, that charts must be told of anew."""

    def counts(row: Any) -> Any:
        return (row.state, row.duration) if row is not None and row.state in COUNTED else None

    return {row.id for uid, row in after.items() if counts(row) != counts(known.get(uid))}


def refresh_figures(connection: Connection, numbers: Collection[int]) -> set[int]:
    """Sum up the tasks of runs in their rows: retries, tasks that ended, time in the queue.

    Gives the numbers of ended runs for which charts had another time in the queue.
    """
    waited: set[int] = set()
    for part in in_parts(numbers):
        current = func.sum((task.c.current & task.c.state.in_(FINISHED)).cast(run.c.tasks.type))
        summed = (
            select(
                task.c.run_id,
                func.sum((task.c.attempt > 1).cast(run.c.tasks.type)).label("retries"),
                current.label("done"),
                func.min(task.c.worked_at).label("worked_at"),
            )
            .where(task.c.run_id.in_(part))
            .group_by(task.c.run_id)
        )
        found = {row.run_id: row for row in connection.execute(summed)}
        wanted = select(
            run.c.id, run.c.created_at, run.c.started_at, run.c.retries, run.c.tasks_done,
            run.c.worked_at, run.c.queued, run.c.state,
        ).where(run.c.id.in_(part))  # fmt: skip
        rows = []
        for row in connection.execute(wanted):
            sums = found.get(row.id)
            worked: datetime | None = sums.worked_at if sums else None
            figures = (
                int(sums.retries or 0) if sums else 0,
                int(sums.done or 0) if sums else 0,
                worked,
                seconds(row.created_at, worked or row.started_at),
            )
            if figures != (row.retries, row.tasks_done, row.worked_at, row.queued):
                names = ("retries", "tasks_done", "worked_at", "queued")
                rows.append({"id": row.id, **dict(zip(names, figures, strict=True))})
                if figures[-1] != row.queued and row.state in COUNTED:
                    waited.add(row.id)
        write_rows(connection, run, [], rows)
    return waited
