"""Deletes kept logs by their age and by what all of them take."""

import contextlib
import logging
import time
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, and_, func, select, update

from callboard.contributions import JobContext
from callboard_ci_tekton.logs.asking import SAVED
from callboard_ci_tekton.logs.places import place_of
from callboard_ci_tekton.models import log, task

if TYPE_CHECKING:
    from callboard.host import Host

logger = logging.getLogger(__name__)

TOGETHER: Final = 200
LEFT_SECONDS: Final = 86_400.0
"""Age of working files that were left behind by whoever was killed."""


def run_prune_logs(context: JobContext) -> None:
    """The scheduled job."""
    prune_logs(context.host)


def prune_logs(host: "Host") -> int:
    """Delete logs that are older, or more, than the settings keep; give how many."""
    settings, before = host.settings.logs, host.now() - host.settings.logs.keep_for
    old = log.c.kept_at < before
    count = _expire(host, old)
    with host.read() as connection:
        query = select(func.coalesce(func.sum(log.c.stored), 0))
        excess = int(connection.execute(query).scalar_one()) - settings.keep_bytes
    while excess > 0:
        freed, deleted = _expire_oldest(host, excess)
        count += deleted
        excess -= freed
        if not freed:
            break
    with host.write() as connection:
        # What could never be read is not tried for ever.
        late = select(task.c.id).where(task.c.finished_at < before)
        waiting = and_(log.c.state.in_(("waiting", "reading", SAVED)), log.c.task_id.in_(late))
        connection.execute(update(log).where(waiting).values(
            state="expired", holder="", held_until=None))  # fmt: skip
    _clear_working(host)
    return count


def _expire(host: "Host", which: ColumnElement[bool]) -> int:
    count = 0
    while True:
        with host.read() as connection:
            wanted = select(log.c.task_id, log.c.container, log.c.address, log.c.stored)
            rows = connection.execute(
                wanted.where(which, log.c.address != "").limit(TOGETHER)).all()  # fmt: skip
        if not rows:
            return count
        _forget(host, rows)
        count += len(rows)


def _expire_oldest(host: "Host", excess: int) -> tuple[int, int]:
    with host.read() as connection:
        wanted = select(log.c.task_id, log.c.container, log.c.address, log.c.stored)
        rows = connection.execute(
            wanted.where(log.c.address != "").order_by(log.c.kept_at).limit(TOGETHER)
        ).all()
    chosen, freed = [], 0
    for row in rows:
        if freed >= excess:
            break
        chosen.append(row)
        freed += row.stored
    if chosen:
        _forget(host, chosen)
    return freed, len(chosen)


def _forget(host: "Host", rows: Sequence[Any]) -> None:
    """Note that logs are gone, then delete them; whoever is killed between leaves a file."""
    with host.write() as connection:
        for row in rows:
            mine = and_(log.c.task_id == row.task_id, log.c.container == row.container)
            connection.execute(update(log).where(mine).values(
                state="expired", address="", stored=0, digest=""))  # fmt: skip
        host.audit(connection, "ci_tekton.log.expire", "", after={"logs": len(rows)})
        host.publish(connection, "ci_tekton.log.expired", "", {"logs": len(rows)})
    delete_files(host, [row.address for row in rows])


def addresses_of(connection: Any, tasks: ColumnElement[bool]) -> list[str]:
    """Give the addresses of all logs of tasks that fit a condition."""
    wanted = select(log.c.address).join(task, task.c.id == log.c.task_id)
    return list(connection.execute(wanted.where(tasks, log.c.address != "")).scalars())


def delete_files(host: "Host", addresses: Iterable[str]) -> None:
    """Delete archives; what cannot be deleted is told in the portal's log and left."""
    place = place_of(host)
    for address in addresses:
        try:
            place.delete(address)
        except Exception:
            logger.exception("The log %s cannot be deleted from its place.", address)


def _clear_working(host: "Host") -> None:
    folder, before = host.data / "working", time.time() - LEFT_SECONDS
    if not folder.is_dir():
        return
    for file in folder.iterdir():
        with contextlib.suppress(OSError):
            if file.stat().st_mtime < before:
                file.unlink()
