"""Takes in what clusters tell of runs: PipelineRuns, TaskRuns and CustomRuns, in any order.

The same object may come twice, tasks may come before their run, and states in between may be
missing; the rows are the same at the end. What is gone in a cluster stays here.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from sqlalchemy import Connection

from callboard.contributions import ClusterWatch, ObservedContext, ObservedObject
from callboard.kubernetes import Resource
from callboard_ci_tekton.building import is_history, tell_builds
from callboard_ci_tekton.days import count_days, places_of
from callboard_ci_tekton.logs.asking import ask_to_keep, ask_to_save, ended_containers
from callboard_ci_tekton.logs.saving import are_short
from callboard_ci_tekton.matching.keys import keys_of_run
from callboard_ci_tekton.matching.service import hold_matching, match_runs
from callboard_ci_tekton.models import run, task
from callboard_ci_tekton.runs.parsing import ParsedRun, ParsedTask, parse_run, parse_task
from callboard_ci_tekton.runs.states import FINISHED
from callboard_ci_tekton.store import (
    NEW_RUN,
    adopt_tasks,
    ended_otherwise,
    hold_cluster,
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

log = logging.getLogger(__name__)

PIPELINE_RUNS: Final = Resource("tekton.dev", "v1", "pipelineruns", "PipelineRun")
TASK_RUNS: Final = Resource("tekton.dev", "v1", "taskruns", "TaskRun")
CUSTOM_RUNS: Final = Resource("tekton.dev", "v1beta1", "customruns", "CustomRun")

P = TypeVar("P")


def watches() -> list[ClusterWatch]:
    """Give what the plugin follows in clusters."""
    return [
        ClusterWatch(name="runs", resource=PIPELINE_RUNS, changed=keep_runs),
        ClusterWatch(name="tasks", resource=TASK_RUNS, changed=keep_tasks),
        ClusterWatch(name="custom_tasks", resource=CUSTOM_RUNS, changed=keep_tasks),
    ]


def keep_runs(context: ObservedContext) -> None:
    """Write PipelineRuns to tables, match them, and tell of those that began or ended."""
    connection, cluster = context.connection, context.cluster
    hold_cluster(connection, cluster)
    hold_matching(connection)
    given = _parsed(context, parse_run)
    known = known_runs(connection, cluster, given)
    now = context.host.now()
    fresh: dict[str, ParsedRun] = {}
    new, changed = [], []
    for uid, (item, parsed) in given.items():
        had = known.get(uid)
        if had is not None and is_older(parsed.row["version"], had.version):
            continue
        row = {**parsed.row, "cluster": cluster, "gone": item.gone, "changed_at": now}
        if item.gone and row["state"] not in FINISHED:
            row |= {"state": "deleted", "finished_at": now}
        fresh[uid] = parsed
        if had is None:
            new.append({**row, **NEW_RUN})
        else:
            changed.append({**row, "id": had.id})
    write_rows(connection, run, new, changed)
    after = known_runs(connection, cluster, fresh)
    numbers = {uid: after[uid].id for uid in fresh}
    write_details(connection, {numbers[uid]: parsed for uid, parsed in fresh.items()})
    keys = {numbers[uid]: keys_of_run(cluster, parsed.row, parsed.detail)
            for uid, parsed in fresh.items()}  # fmt: skip
    moved = write_keys(connection, keys)
    adopt_tasks(connection, cluster, {row["uid"]: numbers[row["uid"]] for row in new})
    ended = ended_otherwise(known, after) | refresh_figures(connection, list(numbers.values()))
    match_runs(connection, moved, ended)
    if any(row.state == "stopping" and not _was(known.get(uid), "stopping")
           for uid, row in after.items()):  # fmt: skip
        ask_to_save(context.host, connection)
    tell(context.host, connection, known, after)


def tell(
    host: "Host", connection: Connection, known: Mapping[str, Any], after: Mapping[str, Any]
) -> None:
    """Publish what began and what ended; last, as publishers wait for each other."""
    told = []
    for uid, row in after.items():
        before = known[uid].state if uid in known else ""
        if row.state != before and (row.state in (*FINISHED, "running") or not before):
            told.append(row)
    tell_builds(host, connection, [row.id for row in after.values() if row.state == "succeeded"])
    for row in told:
        if row.state in FINISHED:
            data = {"state": row.state, "imported": is_history(host, row.finished_at)}
            host.publish(connection, "ci_tekton.run.finished", str(row.id), data)
        else:
            host.publish(connection, "ci_tekton.run.started", str(row.id), {"state": row.state})


def _was(row: Any, state: str) -> bool:
    return row is not None and row.state == state


def keep_tasks(context: ObservedContext) -> None:
    """Write TaskRuns and CustomRuns with every attempt and its steps."""
    connection, cluster = context.connection, context.cluster
    hold_cluster(connection, cluster)
    given = _parsed(context, parse_task)
    known = known_tasks(connection, cluster, given)
    uids = {parsed[-1].row["run_uid"] for _item, parsed in given.values()} - {""}
    their_runs = known_runs(connection, cluster, uids)
    runs = {uid: row.id for uid, row in their_runs.items()}
    fresh = _fresh_tasks(given, known)
    new, changed = [], []
    for place, (item, parsed) in fresh.items():
        row = {**parsed.row, "cluster": cluster, "gone": item.gone,
               "run_id": runs.get(parsed.row["run_uid"])}  # fmt: skip
        if item.gone and row["state"] not in FINISHED and row["current"]:
            row |= {"state": "deleted", "finished_at": context.host.now()}
        if place in known:
            changed.append({**row, "id": known[place].id})
        else:
            new.append(row)
    write_rows(connection, task, new, changed)
    numbers = {place: row.id for place, row in known_tasks(connection, cluster, given).items()}
    parsed_by_number = {numbers[place]: parsed for place, (_item, parsed) in fresh.items()}
    moved = write_steps(connection, parsed_by_number)
    count_days(connection, places_of(connection, refresh_figures(connection, list(runs.values()))))
    gone = {numbers[place] for place, (item, _task) in fresh.items() if item.gone}
    host = context.host
    since = host.now() - host.settings.logs.keep_for
    ask_to_keep(host, connection, cluster, ended_containers(parsed_by_number, gone, since))
    begun = {number for number in moved
             if any(step["state"] == "running" for step in parsed_by_number[number].steps)
             }  # fmt: skip
    if _are_asked_to_end(fresh, known) or are_short(host, connection, begun):
        ask_to_save(host, connection)
    told = [
        row
        for row in changed
        if row["id"] in moved or row["state"] != known[row["uid"], row["attempt"]].state
    ]
    # Of a run that was over before its tasks were seen nobody looks at the page.
    told += [row for row in new
             if row["run_id"] and their_runs[row["run_uid"]].state not in FINISHED]  # fmt: skip
    for number in sorted({row["run_id"] for row in told} - {None}):
        context.host.publish(connection, "ci_tekton.task.changed", str(number), {})


def _are_asked_to_end(
    fresh: Mapping[tuple[str, int], tuple[ObservedObject, ParsedTask]], known: Mapping[Any, Any]
) -> bool:
    return any(
        parsed.row["state"] == "stopping" and not _was(known.get(place), "stopping")
        for place, (_item, parsed) in fresh.items()
    )


def _fresh_tasks(
    given: Mapping[str, tuple[ObservedObject, Sequence[ParsedTask]]], known: Mapping[Any, Any]
) -> dict[tuple[str, int], tuple[ObservedObject, ParsedTask]]:
    """Give the attempts of runs, by uid and attempt, that are not older than what is kept."""
    found = {}
    for uid, (item, attempts) in given.items():
        newest = attempts[-1].row["version"]
        for parsed in attempts:
            place = (uid, parsed.row["attempt"])
            had = known.get(place)
            if parsed.row["run_uid"] and not (had and is_older(newest, had.version)):
                found[place] = (item, parsed)
    return found


def _parsed(
    context: ObservedContext, parse: Callable[[Mapping[str, Any]], P]
) -> dict[str, tuple[ObservedObject, P]]:
    """Read objects by their uids, the last one of each; what cannot be read is logged."""
    found: dict[str, tuple[ObservedObject, P]] = {}
    for item in context.objects:
        try:
            found[item.uid] = (item, parse(item.body))
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
            where = f"{context.cluster}: {item.namespace}/{item.name}"
            log.exception("%s %s cannot be read and is left out.", item.body.get("kind"), where)
    return found
