"""Writes pipelines that were read to the tables, as runs of clusters are written."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, select, update

from callboard_ci_tekton.following import tell
from callboard_ci_tekton.gitlab.parsing import Parsed
from callboard_ci_tekton.logs.asking import ask_to_keep
from callboard_ci_tekton.matching.keys import keys_of_run
from callboard_ci_tekton.matching.service import hold_matching, match_runs
from callboard_ci_tekton.models import project, run, task
from callboard_ci_tekton.runs.states import FINISHED
from callboard_ci_tekton.store import (
    NEW_RUN,
    ended_otherwise,
    is_older,
    known_runs,
    known_tasks,
    refresh_figures,
    write_details,
    write_keys,
    write_rows,
    write_steps,
)

if TYPE_CHECKING:
    from callboard.host import Host

LOGS_SINCE: Final = timedelta(days=1)
"""Logs of jobs that ended earlier stay with GitLab: at the first look there may be thousands."""


def hold_project(connection: Connection, number: int) -> bool:
    """Let nobody else write pipelines of a project until the end of the transaction.

    Two may read the same new pipeline at once: by the schedule, and because of a delivery. False
    where the project is not followed any more.
    """
    query = select(project.c.id).where(project.c.id == number).with_for_update()
    return connection.execute(query).one_or_none() is not None


def keep_pipeline(host: "Host", connection: Connection, cluster: str, parsed: Parsed) -> None:
    """Write a pipeline with its jobs, match it, and tell if it began or ended.

    `cluster` is the host's name. What is older than the state that is kept is left out. Call
    `hold_project` before.
    """
    hold_matching(connection)
    uid = parsed.run.row["uid"]
    known = known_runs(connection, cluster, [uid])
    had = known.get(uid)
    if had is not None and is_older(parsed.run.row["version"], had.version):
        return
    row = {**parsed.run.row, "cluster": cluster, "gone": False, "changed_at": host.now()}
    if had is None:
        write_rows(connection, run, [{**row, **NEW_RUN}], [])
    else:
        write_rows(connection, run, [], [{**row, "id": had.id}])
    after = known_runs(connection, cluster, [uid])
    number = after[uid].id
    write_details(connection, {number: parsed.run})
    moved = write_keys(connection, {number: keys_of_run(cluster, row, parsed.run.detail)})
    has_moved = _keep_jobs(host, connection, cluster, number, parsed)
    ended = ended_otherwise(known, after) | refresh_figures(connection, [number])
    match_runs(connection, moved, ended)
    tell(host, connection, known, after)
    if has_moved:
        host.publish(connection, "ci_tekton.task.changed", str(number), {})


def _keep_jobs(
    host: "Host", connection: Connection, cluster: str, number: int, parsed: Parsed
) -> bool:
    """Write the jobs of a pipeline; say whether any of them is new or in another state."""
    given = {(item.row["uid"], item.row["attempt"]): item for item in parsed.tasks}
    uids = {uid for uid, _attempt in given}
    known = known_tasks(connection, cluster, uids)
    new, changed = [], []
    for place, item in given.items():
        row: dict[str, Any] = {**item.row, "cluster": cluster, "run_id": number}
        if place in known:
            changed.append({**row, "id": known[place].id})
        else:
            new.append(row)
    write_rows(connection, task, new, changed)
    numbers = {place: row.id for place, row in known_tasks(connection, cluster, uids).items()}
    write_steps(connection, {numbers[place]: item for place, item in given.items()})
    since = host.now() - LOGS_SINCE
    ended = {
        numbers[place]: [step["container"] for step in item.steps]
        for place, item in given.items()
        if item.row["state"] in FINISHED and (item.row["finished_at"] or since) > since
    }
    ask_to_keep(host, connection, cluster, ended)
    return any(
        place not in known or known[place].state != item.row["state"]
        for place, item in given.items()
    )


def note_gone(host: "Host", connection: Connection, cluster: str, uid: str) -> None:
    """Note that GitLab has a pipeline no more."""
    known = known_runs(connection, cluster, [uid])
    if uid not in known or known[uid].gone:
        return
    values: dict[str, Any] = {"gone": True, "changed_at": host.now()}
    if known[uid].state not in FINISHED:
        values |= {"state": "deleted", "finished_at": host.now()}
    connection.execute(update(run).where(run.c.id == known[uid].id).values(values))
    tell(host, connection, known, known_runs(connection, cluster, [uid]))
