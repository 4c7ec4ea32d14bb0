"""Saves the logs of steps that are about to be ended by force: Tekton deletes their pods at once.

Whoever ends a run here has what is there saved before the cluster is asked. A job saves the rest,
and what is ended elsewhere: it follows the steps of runs that were asked to end, and of tasks whose
time is nearly up, until they are gone. It looks for such tasks now and then. One that has little
time from the start could end between two looks: so the job is asked for when its steps begin, and
one that is at work looks for such tasks all the time. What is saved takes the place of a log that
is lost, and is deleted when the log can be read whole.
"""

import logging
import re
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    insert,
    or_,
    select,
    update,
)

from callboard.contributions import JobContext
from callboard.errors import CallboardError
from callboard.threads import DaemonPool
from callboard_ci_tekton.logs.archive import ArchiveWriter
from callboard_ci_tekton.logs.asking import EMPTY, JOB, SAVED
from callboard_ci_tekton.logs.hiding import PIPELINE_RUNS, TASK_RUNS
from callboard_ci_tekton.logs.places import place_of, saved_name, working_file
from callboard_ci_tekton.logs.sources import readable, source_of
from callboard_ci_tekton.models import log, run, step, task
from callboard_ci_tekton.runs.values import mapping, text
from callboard_ci_tekton.store import hold_cluster

if TYPE_CHECKING:
    from callboard.host import Host
    from callboard_ci_tekton.logs.sources import Source

logger = logging.getLogger(__name__)

AT_ONCE: Final = 32
"""Logs that are saved side by side."""
MOST: Final = 500
"""Tasks whose time limits are looked at, those first that began first."""
FOLLOWED_SECONDS: Final = 60.0
"""How long a step is followed that is to end: a pod has 30 seconds unless it asks for more."""
EVERY: Final = timedelta(seconds=15)
"""How often it is looked whose time is nearly up."""
LEAD: Final = timedelta(seconds=30)
"""How long before its limit a task is followed."""
RECENT: Final = timedelta(minutes=1)
"""How long a run that was asked to end is of interest; its tasks may end by themselves later."""
NEXT_SECONDS: Final = 1.0
SECONDS: Final = 240.0

_UNITS: Final = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")

Key = tuple[int, str]


def save_run(host: "Host", run_id: int, seconds: float) -> None:
    """Save what the running steps of a run have written so far, as far as the time allows.

    It never raises: what is not saved is lost only if nobody else reads it in time.
    """
    try:
        with host.read() as connection:
            rows = connection.execute(_running().where(task.c.run_id == run_id)).all()
        pool = DaemonPool(AT_ONCE, "ci-save")
        try:
            wait([pool.submit(_saving(host, row, seconds, follow=False)) for row in rows], seconds)
        finally:
            pool.close()
    except Exception:
        logger.exception("The logs of run %s are not saved.", run_id)


def run_save(context: JobContext) -> None:
    """The job: save what is about to end, until nothing more is."""
    host, until = context.host, time.monotonic() + SECONDS
    begun: dict[Key, Future[None]] = {}
    late, looked_at = set[int](), 0.0
    pool = DaemonPool(AT_ONCE, "ci-save")
    try:
        while True:
            if time.monotonic() - looked_at > EVERY.total_seconds():
                late, looked_at = late_tasks(host), time.monotonic()
            late |= late_tasks(host, _is_young(host.now()))
            for row in _ending(host, late) if time.monotonic() < until else ():
                if (row.id, row.container) not in begun:
                    call = _saving(host, row, FOLLOWED_SECONDS, follow=True)
                    begun[row.id, row.container] = pool.submit(call)
            going_on = [future for future in begun.values() if not future.done()]
            if not going_on:
                return
            wait(going_on, NEXT_SECONDS)
    finally:
        pool.close()


def _running() -> Select[Any]:
    """Select the containers that run, of tasks that do."""
    return (
        select(task, step.c.container)
        .join(step, step.c.task_id == task.c.id)
        .where(
            task.c.kind == "TaskRun", task.c.current, task.c.pod != "", task.c.gone.is_(False),
            task.c.state.in_(("running", "stopping")),
            step.c.state == "running", step.c.container != "",
        )
        .order_by(task.c.id, step.c.position)
        .limit(MOST)
    )  # fmt: skip


def _ending(host: "Host", late: Collection[int]) -> Sequence[Row[Any]]:
    asked = and_(run.c.state == "stopping", run.c.changed_at > host.now() - RECENT)
    which = or_(asked, task.c.state == "stopping", task.c.id.in_(late))
    with host.read() as connection:
        query = _running().join(run, run.c.id == task.c.run_id).where(which)
        return connection.execute(query).all()


def late_tasks(host: "Host", *which: ColumnElement[bool]) -> set[int]:
    """Give the tasks, of some or all, whose time is nearly up, as their objects tell."""
    with host.read() as connection:
        return _late(host, connection, *which)


def are_short(host: "Host", connection: Connection, numbers: Collection[int]) -> bool:
    """Whether any of some attempts, which have begun just now, is to end soon. Asks nobody."""
    if not numbers:
        return False
    mine = task.c.id.in_(sorted(numbers)[:MOST])
    return bool(_late(host, connection, mine, _is_young(host.now())))


def _is_young(now: datetime) -> ColumnElement[bool]:
    """Select tasks that began after the time at which others are looked at before their end."""
    return task.c.started_at > now - LEAD


def _late(host: "Host", connection: Connection, *which: ColumnElement[bool]) -> set[int]:
    now = host.now()
    query = (
        select(task.c.id, task.c.cluster, task.c.namespace, task.c.name, task.c.started_at,
               run.c.name.label("run"), run.c.started_at.label("begun_at"))
        .join(run, run.c.id == task.c.run_id)
        .where(task.c.kind == "TaskRun", task.c.current, task.c.state == "running",
               task.c.gone.is_(False), task.c.started_at.is_not(None), *which)
        .order_by(task.c.started_at)
        .limit(MOST)
    )  # fmt: skip
    rows = connection.execute(query).all()
    tasks = _specs(host, connection, TASK_RUNS, [(row.cluster, row.namespace, row.name)
                                                 for row in rows])  # fmt: skip
    runs = _specs(host, connection, PIPELINE_RUNS, [(row.cluster, row.namespace, row.run)
                                                    for row in rows])  # fmt: skip
    found = set()
    for row in rows:
        limits = mapping(runs.get((row.cluster, row.namespace, row.run)), "timeouts")
        own = text(tasks.get((row.cluster, row.namespace, row.name)), "timeout", 40)
        ends = [*_ends(row.started_at, own),
                *_ends(row.begun_at, text(limits, "pipeline", 40)),
                *_ends(row.begun_at, text(limits, "tasks", 40))]  # fmt: skip
        if any(end - LEAD <= now <= end + RECENT for end in ends):
            found.add(row.id)
    return found


def _specs(
    host: "Host", connection: Connection, resource: Any, places: Sequence[tuple[str, str, str]]
) -> dict[tuple[str, str, str], Mapping[str, Any]]:
    named: dict[tuple[str, str], set[str]] = {}
    for cluster, namespace, name in places:
        named.setdefault((cluster, namespace), set()).add(name)
    return {
        (cluster, namespace, item.name): mapping(item.body, "spec")
        for (cluster, namespace), names in named.items()
        for item in host.clusters.observed(
            connection, resource, cluster=cluster, namespace=namespace, names=sorted(names)
        )
    }


def _ends(begun: datetime | None, span: str) -> Iterator[datetime]:
    """Give when a time that Go writes as `1h0m0s` is over; 0 stands for no limit."""
    seconds = sum(float(number) * _UNITS[unit] for number, unit in _SPAN.findall(span))
    if begun is not None and seconds:
        yield begun + timedelta(seconds=min(seconds, 1e8))


def _saving(host: "Host", row: Row[Any], seconds: float, *, follow: bool) -> Any:
    def save() -> None:
        try:
            source = source_of(host, row, row.container, follow=follow)
            timer = threading.Timer(seconds, source.close)
            timer.daemon = True
            timer.start()
            try:
                _save(host, row, source)
            finally:
                timer.cancel()
                source.close()
        except CallboardError as error:
            logger.info("Task %s, container %s is not saved: %s", row.id, row.container, error)
        except Exception:
            logger.exception("Task %s, container %s is not saved.", row.id, row.container)

    return save


def _save(host: "Host", row: Row[Any], source: "Source") -> None:
    writer = ArchiveWriter(host.settings.logs.limit)
    try:
        for at, line in readable(host, row, source):
            writer.add(at, line)
    except CallboardError:
        if not writer.lines:
            raise
    if not writer.lines:
        return
    place = place_of(host)
    with working_file(host) as (file, path):
        index, digest, stored = writer.write(file)
        file.close()
        address = saved_name(row, row.container, digest)
        place.put(address, path)
    values = {
        "address": address, "digest": digest, "stored": stored, "lines": index.lines,
        "bytes": index.size, "until": writer.last[:40], "kept_at": host.now(),
    }  # fmt: skip
    with host.write() as connection:
        unused = note_saved(host, connection, row, values)
    if unused:
        place.delete(unused)


def note_saved(
    host: "Host", connection: Connection, row: Row[Any], values: Mapping[str, Any]
) -> str:
    """Note what was saved of a log; give the address of the file that is not needed (any more).

    A log that was found lost meanwhile, or is being read just now, is looked at once more.
    """
    hold_cluster(connection, row.cluster)
    mine = and_(log.c.task_id == row.id, log.c.container == row.container)
    had = connection.execute(select(log).where(mine).with_for_update()).one_or_none()
    if had is None:
        given = {**EMPTY, **values, "state": SAVED, "task_id": row.id, "container": row.container}
        connection.execute(insert(log).values(given))
        return ""
    is_less = bool(had.address) and had.lines >= values["lines"]
    if had.address == values["address"]:
        return ""
    if had.state not in (SAVED, "waiting", "reading", "lost") or is_less:
        return str(values["address"])
    state = SAVED if had.state == SAVED else "waiting"
    again = {"state": state, "holder": "", "held_until": None, "error": ""}
    connection.execute(update(log).where(mine).values(**values, **again))
    if state == "waiting":
        host.submit(JOB, {"cluster": row.cluster}, key=row.cluster, connection=connection)
    return str(had.address)
