"""The job that keeps logs: each is read whole, written to a place, and noted.

A log belongs to one worker for a while (`holder`, `held_until`). One that is killed leaves nothing
but its working file: the log is read anew by the next. A file that was put into its place and not
noted is found again by its name, also where the pod is gone by then.
"""

import contextlib
import hashlib
import logging
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Row, and_, or_, select, update

from callboard.contributions import JobContext
from callboard.errors import CallboardError
from callboard.i18n import Text, Translator
from callboard.kubernetes import ClusterError
from callboard.settings.types import format_size
from callboard.threads import DaemonPool
from callboard_ci_tekton.logs.archive import (
    Archive,
    ArchiveWriter,
    DamagedError,
    Index,
    footer_of,
    index_of,
)
from callboard_ci_tekton.logs.asking import JOB
from callboard_ci_tekton.logs.hub import hub_of
from callboard_ci_tekton.logs.places import (
    Place,
    beginning_of,
    is_whole,
    name_of,
    place_of,
    working_file,
)
from callboard_ci_tekton.logs.sources import LostError, PodLog, lines_of, source_of
from callboard_ci_tekton.models import log, task

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")
logger = logging.getLogger(__name__)

HELD: Final = timedelta(minutes=2)
"""How long a log belongs to a worker that says nothing."""
RENEWED: Final = 30.0
TOGETHER: Final = 4
"""Logs that are read side by side."""
SECONDS: Final = 240.0
"""After so long a run of the job makes way for others; the next goes on."""
PAUSE: Final = timedelta(seconds=15)
LONGEST_PAUSE: Final = timedelta(hours=1)
LIMIT: Final = timedelta(minutes=15)


NOTHING: Final = Index(0, 0, ())


@dataclass(frozen=True, slots=True)
class Kept:
    """What becomes of a log."""

    state: str
    error: Text = ""
    address: str = ""
    digest: str = ""
    stored: int = 0
    index: Index = NOTHING
    until: str = ""


class _HandedOnError(Exception):
    """The log belongs to another worker by now."""


def run_keep(context: JobContext) -> None:
    """The job, for one cluster; on its schedule, it asks for those that have something to do."""
    host, cluster = context.host, str(context.payload.get("cluster") or "")
    if cluster:
        keep_logs(host, cluster)
        return
    with host.read() as connection:
        waiting = select(task.c.cluster).join(log, log.c.task_id == task.c.id)
        names = connection.execute(waiting.where(_is_due(host.now())).distinct()).scalars().all()
    for name in names:
        host.submit(JOB, {"cluster": name}, key=name)


def _is_due(now: datetime) -> ColumnElement[bool]:
    free = or_(log.c.held_until.is_(None), log.c.held_until <= now)
    return and_(log.c.state.in_(("waiting", "reading")), free)


def keep_logs(host: "Host", cluster: str) -> int:
    """Keep what is due of a cluster; give how many logs were dealt with."""
    holder, count, until = secrets.token_hex(8), 0, time.monotonic() + SECONDS
    pool = DaemonPool(TOGETHER, "ci-keep")
    try:
        while taken := take(host, cluster, holder):
            futures = [pool.submit(_keeping(host, row, holder)) for row in taken]
            wait(futures)
            count += len(taken)
            if not any(future.result() for future in futures):
                return count  # the cluster does not answer: not one after the other
            if time.monotonic() > until:
                host.submit(JOB, {"cluster": cluster}, key=cluster)
                return count
    finally:
        pool.close()
    return count


def _keeping(host: "Host", row: Row[Any], holder: str) -> Any:
    return lambda: keep(host, row, holder)


def take(host: "Host", cluster: str, holder: str) -> Sequence[Row[Any]]:
    """Take some logs for this worker."""
    now = host.now()
    with host.write() as connection:
        wanted = (
            select(task, log.c.container, log.c.attempts, log.c.holder, log.c.address)
            .join(log, log.c.task_id == task.c.id)
            .where(task.c.cluster == cluster, _is_due(now))
            .order_by(log.c.task_id, log.c.container)
            .limit(TOGETHER)
        )
        taken = []
        for row in connection.execute(wanted).all():
            mine = update(log).where(_is_of(row), log.c.holder == row.holder, _is_due(now))
            values = {"state": "reading", "holder": holder, "held_until": now + HELD,
                      "attempts": row.attempts + 1}  # fmt: skip
            if connection.execute(mine.values(values)).rowcount:
                taken.append(row)
    return taken


def _is_of(row: Any) -> ColumnElement[bool]:
    return and_(log.c.task_id == row.id, log.c.container == row.container)


def keep(host: "Host", row: Any, holder: str) -> bool:
    """Read and keep one log that was taken; say whether its source answers."""
    try:
        conclude(host, row, holder, _read(host, row, holder))
    except _HandedOnError:
        return True
    except CallboardError as error:
        _postpone(host, row, holder, error.message)
        return not (isinstance(error, ClusterError) and error.passes)
    except Exception:
        logger.exception("The log of task %s, container %s is not kept.", row.id, row.container)
        _postpone(host, row, holder, _("It could not be kept; the portal's log says why."))
    return True


def _read(host: "Host", row: Any, holder: str) -> Kept:
    """Give what becomes of a log, its archive in its place."""
    place = place_of(host)
    try:
        kept = _archived(host, place, row, _renewing(host, row, holder, _lines(host, row)))
    except LostError as error:
        return _found(host, place, row, error.message)
    if kept.state == "kept" and row.kind == "TaskRun" and not _is_there(host, row):
        # Nobody says whether the log had an end when its pod went.
        kept = replace(
            kept, state="cut",
            error=_("The pod was deleted while its log was read: the end may be missing."),
        )  # fmt: skip
    return kept


def _lines(host: "Host", row: Any) -> Iterator[tuple[str, str]]:
    try:
        yield from lines_of(host, row, row.container)
    except ClusterError as error:
        if error.state != "waiting" or row.finished_at is None:
            raise
        raise LostError(_("The step never started, so nothing was written.")) from error


def _is_there(host: "Host", row: Any) -> bool:
    source = source_of(host, row, row.container, follow=False)
    return not isinstance(source, PodLog) or source.is_there()


def _renewing(
    host: "Host", row: Any, holder: str, lines: Iterable[tuple[str, str]]
) -> Iterator[tuple[str, str]]:
    renewed = time.monotonic()
    for line in lines:
        if time.monotonic() - renewed > RENEWED:
            renewed = time.monotonic()
            with host.write() as connection:
                mine = update(log).where(_is_of(row), log.c.holder == holder)
                if not connection.execute(mine.values(held_until=host.now() + HELD)).rowcount:
                    raise _HandedOnError
        yield line


def _archived(host: "Host", place: Place, row: Any, lines: Iterable[tuple[str, str]]) -> Kept:
    limit = host.settings.logs.limit
    writer = ArchiveWriter(limit)
    for at, text in lines:
        writer.add(at, text)
    with working_file(host) as (file, path):
        index, digest, stored = writer.write(file)
        file.close()
        address = name_of(row, row.container, digest)
        place.put(address, path)
    kept = Kept("kept", "", address, digest, stored, index, writer.last[:40])
    if index.gap is None:
        return kept
    left = index.gap[1] - index.gap[0] + 1
    error = _.plural(
        "%(number)d line in the middle is left out: the log is longer than %(limit)s.",
        "%(number)d lines in the middle are left out: the log is longer than %(limit)s.",
        left,
        limit=format_size(limit),
    )
    return replace(kept, state="cut", error=error)


def _found(host: "Host", place: Place, row: Any, reason: Text) -> Kept:
    """Give what there is of a log that its source has no more: an archive, or what was followed."""
    for name in place.names(beginning_of(row, row.container)):
        if is_whole(row, row.container, name):
            with contextlib.suppress(DamagedError):
                return _adopted(place, name)
    error = _("%(reason)s This is what the portal had seen of it before.", reason=reason)
    saved = None
    if row.address:
        with contextlib.suppress(DamagedError):
            saved = replace(_adopted(place, row.address), state="cut", error=error)
    spool = hub_of(host).seen((row.id, row.container))
    if spool is None or (saved is not None and saved.index.lines >= spool.total):
        return saved or Kept("lost", reason)
    lines = ((at, text) for _number, at, text in spool.iterate())
    return replace(_archived(host, place, row, lines), state="cut", error=error)


def _adopted(place: Place, name: str) -> Kept:
    stored = place.size(name)
    footer = footer_of(lambda offset, length: place.read(name, offset, length), stored)
    digest, index = hashlib.sha256(footer).hexdigest(), index_of(footer)
    archive = Archive(lambda offset, length: place.read(name, offset, length), stored, digest)
    last = max((line for line in archive.iterate(max(index.lines, 1))), default=(0, "", ""))
    return Kept("cut" if index.gap else "kept", "", name, digest, stored, index, last[1][:40])


def conclude(host: "Host", row: Any, holder: str, kept: Kept) -> None:
    """Note what became of a log, if it still belongs to this worker."""
    values = {
        "state": kept.state, "error": kept.error, "address": kept.address, "digest": kept.digest,
        "stored": kept.stored, "lines": kept.index.lines, "bytes": kept.index.size,
        "until": kept.until, "kept_at": host.now(), "holder": "", "held_until": None,
    }  # fmt: skip
    if row.address not in ("", kept.address):
        # What was saved before is needed no more; a worker that is killed here finds the archive.
        place_of(host).delete(row.address)
    with host.write() as connection:
        mine = update(log).where(_is_of(row), log.c.holder == holder)
        connection.execute(mine.values(values))


def _postpone(host: "Host", row: Any, holder: str, why: Text) -> None:
    pause = min(PAUSE * 2 ** min(row.attempts, 10), LONGEST_PAUSE)
    with host.write() as connection:
        mine = update(log).where(_is_of(row), log.c.holder == holder)
        connection.execute(mine.values(
            state="waiting", error=why, holder="", held_until=host.now() + pause))  # fmt: skip
