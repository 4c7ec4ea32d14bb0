"""Finds out why tasks wait: looks at their pods, and at the events about those that say nothing.

Following all pods and events of a cluster would be dear, and of use for the few tasks alone that
do not begin. So a job looks at those that have waited for a while, some at a time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, Row, Select, delete, insert, select

from callboard.contributions import JobContext
from callboard.errors import NotFoundError
from callboard.kubernetes import ClusterError, Resource
from callboard.redaction import redact
from callboard_ci_tekton.models import finding, run, task
from callboard_ci_tekton.runs.states import UNFINISHED
from callboard_ci_tekton.runs.values import items, mapping, text

if TYPE_CHECKING:
    from callboard.host import Host
    from callboard.kubernetes import Cluster

PODS: Final = Resource("", "v1", "pods", "Pod")
EVENTS: Final = Resource("", "v1", "events", "Event")
PATIENCE: Final = timedelta(seconds=15)
"""How long a task may wait before anybody looks why."""

MOST: Final = 50
"""Tasks that are looked at in one run of the job, those first that began to wait last."""

_NORMAL: Final = frozenset({"", "PodInitializing", "ContainerCreating"})
_WHOLE_CLUSTER: Final = frozenset({"down", "slow", "misconfigured", "unauthenticated", "busy"})


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a pod does not run, as the cluster says it."""

    reason: str
    message: str


def run_look(context: JobContext) -> None:
    """The scheduled job."""
    look(context.host)


def look(host: "Host") -> int:
    """Look at what waits, and write down why; give how many tasks that was told of anew.

    A cluster that does not answer is left for the next time, and what is known stays.
    """
    with host.read() as connection:
        waiting = _waiting(connection, host)
    if not waiting:
        return 0
    found: dict[int, Cause | None] = {}
    silent: set[str] = set()
    for row in waiting:
        if row.cluster in silent:
            continue
        try:
            found[row.id] = cause_of(host.clusters.get(row.cluster), row.namespace, row.pod)
        except NotFoundError:  # the settings have the cluster no more
            silent.add(row.cluster)
        except ClusterError as error:
            if error.state in _WHOLE_CLUSTER:
                silent.add(row.cluster)
    return _keep(host, {row.id: row.run_id for row in waiting}, found)


def _waiting(connection: Connection, host: "Host") -> Sequence[Row[Any]]:
    query: Select[Any] = (
        select(task.c.id, task.c.run_id, task.c.cluster, task.c.namespace, task.c.pod)
        .join(run, run.c.id == task.c.run_id)
        .where(
            run.c.state.in_(UNFINISHED), run.c.source == "tekton", run.c.gone.is_(False),
            task.c.current, task.c.state == "waiting", task.c.pod != "",
            task.c.created_at < host.now() - PATIENCE,
        )
        .order_by(task.c.created_at.desc(), task.c.id.desc())
        .limit(MOST)
    )  # fmt: skip
    return connection.execute(query).all()


def cause_of(cluster: "Cluster", namespace: str, pod: str) -> Cause | None:
    """Give why a pod does not run, None where nothing says so. Raises `ClusterError`.

    The pod itself is asked first; only where it says nothing are the warnings about it.
    """
    try:
        body = cluster.get(PODS, namespace, pod)
    except ClusterError as error:
        if error.state == "missing":
            return None
        raise
    said = _said_by_pod(mapping(body, "status"))
    if said is not None:
        return said
    about = {"involvedObject.name": pod, "involvedObject.kind": "Pod", "type": "Warning"}
    warnings = list(cluster.list(EVENTS, namespace, fields=about))
    if not warnings:
        return None
    return _cause(max(warnings, key=_last_seen))


def _said_by_pod(status: Mapping[str, Any]) -> Cause | None:
    for condition in items(status, "conditions"):
        if condition.get("type") == "PodScheduled" and condition.get("status") == "False":
            return _cause(condition)
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in items(status, kind):
            waiting = mapping(container, "state", "waiting")
            if text(waiting, "reason") not in _NORMAL:
                return _cause(waiting)
    return None


def _last_seen(event: Mapping[str, Any]) -> str:
    """Give when an event was last seen: RFC 3339 in UTC sorts as text."""
    return (
        text(mapping(event, "series"), "lastObservedTime")
        or text(event, "lastTimestamp")
        or text(event, "eventTime")
    )


def _cause(told: Mapping[str, Any]) -> Cause:
    return Cause(text(told, "reason", 100), redact(text(told, "message")))


def _keep(host: "Host", runs: Mapping[int, int], found: Mapping[int, Cause | None]) -> int:
    """Write causes down in one transaction, and tell of the runs for which they are new."""
    with host.write() as connection:
        query = select(finding).where(finding.c.task_id.in_(list(found)))
        had = {row.task_id: Cause(row.reason, row.message) for row in connection.execute(query)}
        # A task may have gone with its run since it was read.
        query = select(task.c.id).where(task.c.id.in_(list(found)))
        there = set(connection.execute(query).scalars())
        changed = {number: cause for number, cause in found.items()
                   if cause != had.get(number) and number in there}  # fmt: skip
        if not changed:
            return 0
        connection.execute(delete(finding).where(finding.c.task_id.in_(list(changed))))
        rows = [
            {"task_id": number, "reason": cause.reason, "message": cause.message,
             "seen_at": host.now()}
            for number, cause in changed.items()
            if cause is not None
        ]  # fmt: skip
        if rows:
            connection.execute(insert(finding), rows)
        for number in sorted({runs[task_id] for task_id in changed}):
            host.publish(connection, "ci_tekton.task.changed", str(number), {})
    return len(changed)
