"""Gives the lines of a log to who may see them: from its archive, or while it is written."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import Row, select

from callboard.errors import NotFoundError
from callboard.i18n import Text, Translator
from callboard.streams import StreamMessage
from callboard_ci_tekton.logs.archive import Archive, DamagedError, Line
from callboard_ci_tekton.logs.hub import Follow, hub_of
from callboard_ci_tekton.logs.places import place_of
from callboard_ci_tekton.logs.showing import plain
from callboard_ci_tekton.logs.sources import LostError
from callboard_ci_tekton.models import log, step, task
from callboard_ci_tekton.pages.reading import find_run
from callboard_ci_tekton.runs.states import FINISHED

if TYPE_CHECKING:
    from callboard.host import Host

_ = Translator("ci_tekton")

AT_ONCE: Final = 1000
"""Lines of one message of a stream."""
BATCH_SECONDS: Final = 0.1
"""Seconds for which lines are gathered once some were sent."""
FIRST_SECONDS: Final = 2.0
"""Seconds to wait for the first lines, where lines are asked for and not followed."""
END_SECONDS: Final = 30.0
"""Seconds to wait for the end of a log whose step has ended, to search or download all of it."""
KEPT: Final = frozenset({"kept", "cut"})
OVER: Final = frozenset({*KEPT, "lost", "expired"})


@dataclass(frozen=True, slots=True)
class Found:
    """A log that the one who asks may see: the rows of its run, task and step, and its own."""

    run: Row[Any]
    task: Row[Any]
    container: str
    step: Row[Any] | None
    kept: Row[Any] | None

    @property
    def is_over(self) -> bool:
        """Whether it is kept, or there is nothing to keep."""
        return self.kept is not None and self.kept.state in OVER

    @property
    def has_ended(self) -> bool:
        """Whether no more lines will be written."""
        ended = self.step is not None and self.step.finished_at is not None
        return self.is_over or ended or self.task.state in FINISHED

    @property
    def state(self) -> str:
        """Its state in the words of the table, or `running`; `reading` until an end is kept."""
        if self.kept is not None and self.is_over:
            return str(self.kept.state)
        if self.has_ended:
            return "reading"
        running = self.step is not None and self.step.state == "running"
        return "running" if running else "waiting"


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines of a log. `total` counts all lines so far; `done`: there will be no more."""

    state: str
    lines: list[Line]
    total: int
    done: bool
    message: Text = ""
    gap: tuple[int, int] | None = None


def find_log(host: "Host", number: int, container: str) -> Found:
    """Find a log. Raises `NotFoundError` for one that is not there or may not be seen."""
    with host.read() as connection:
        asked = connection.execute(select(task).where(task.c.id == number)).one_or_none()
    if asked is None or asked.run_id is None:
        raise NotFoundError(_("There is no such log, or you may not see it."))
    of_run = find_run(host, asked.run_id)
    with host.read() as connection:
        steps = select(step).where(step.c.task_id == number, step.c.container == container)
        its_step = connection.execute(steps).first()
        kept = select(log).where(log.c.task_id == number, log.c.container == container)
        its_log = connection.execute(kept).one_or_none()
    if its_step is None and its_log is None:
        raise NotFoundError(_("There is no such log, or you may not see it."))
    return Found(of_run, asked, container, its_step, its_log)


def may_see(host: "Host", found: Found) -> bool:
    """Say whether the one who asks may see a log, still."""
    try:
        find_run(host, found.run.id)
    except NotFoundError:
        return False
    return True


def archive_of(host: "Host", kept: Row[Any]) -> Archive:
    """Open a kept log. Raises `DamagedError` where it is not what was kept."""
    place = place_of(host)
    return Archive(
        lambda offset, length: place.read(kept.address, offset, length), kept.stored, kept.digest
    )


def follow_of(host: "Host", found: Found) -> AbstractContextManager[Follow]:
    """Follow a log together with all who do."""
    return hub_of(host).follow(found.task, found.container)


def read_page(host: "Host", found: Found, first: int, count: int) -> LogPage:
    """Give lines from a number on. Raises `ClusterError` where they cannot be read now."""
    if found.kept is not None and found.is_over:
        return _kept_page(host, found.kept, first, count)
    if found.state == "waiting" and not found.has_ended:
        return LogPage("waiting", [], 0, done=False)
    try:
        with follow_of(host, found) as follow:
            follow.wait(first - 1, FIRST_SECONDS)
            lines = follow.spool.read(first, count)
            if not follow.total and follow.ended and follow.error is not None:
                raise follow.error
            return LogPage(
                found.state, lines, follow.total, done=follow.ended, gap=follow.spool.gap
            )
    except LostError as error:
        return LogPage("lost", [], 0, done=True, message=error.message)


def _kept_page(host: "Host", kept: Row[Any], first: int, count: int) -> LogPage:
    if kept.state not in KEPT:
        return LogPage(kept.state, [], 0, done=True, message=kept.error)
    try:
        archive = archive_of(host, kept)
        lines = archive.lines(first, count)
    except DamagedError as error:
        return LogPage("damaged", [], 0, done=True, message=error.message)
    return LogPage(
        kept.state, lines, archive.index.lines, done=True, message=kept.error,
        gap=archive.index.gap,
    )  # fmt: skip


def lines_so_far(host: "Host", found: Found) -> Iterator[Line]:
    """Yield all lines there are; of a step that has ended, all.

    Raises `DamagedError`, `LostError`, or `ClusterError` where they cannot be read now.
    """
    if found.kept is not None and found.is_over:
        if found.kept.state not in KEPT:
            raise LostError(found.kept.error or _("The log is kept no longer."))
        yield from archive_of(host, found.kept).iterate()
        return
    with follow_of(host, found) as follow:
        follow.wait(0, FIRST_SECONDS)
        if found.has_ended:
            after = -1
            while not follow.ended and follow.total > after:
                after = follow.total
                follow.wait(after, END_SECONDS)
        if not follow.total and follow.ended and follow.error is not None:
            raise follow.error
        yield from follow.spool.iterate()


def search(host: "Host", found: Found, wanted: str, limit: int) -> tuple[list[int], int]:
    """Give the numbers of the first lines that hold a text, and how many do.

    Letters are alike in both cases; what is looked at is what a terminal would show.
    """
    folded = wanted.casefold()
    numbers, total = [], 0
    for number, _at, text in lines_so_far(host, found):
        if folded in plain(text).casefold():
            total += 1
            if total <= limit:
                numbers.append(number)
    return numbers, total


async def messages(host: "Host", found: Found, after: int) -> AsyncIterator[StreamMessage]:
    """Yield what is there after a line, and then what comes, to the end of the log."""
    if found.is_over:
        async for message in _kept_messages(host, found, after):
            yield message
        return
    while found.task.kind == "TaskRun" and not found.task.pod and not found.has_ended:
        await asyncio.sleep(1)  # there is no pod yet
        found = await asyncio.to_thread(find_log, host, found.task.id, found.container)
    try:
        with follow_of(host, found) as follow:  # nothing is asked here that takes time
            while True:
                await follow.news(after)
                has_ended = follow.ended
                while lines := await _lines(follow, after):
                    after = lines[-1][0]
                    yield _message(lines)
                if has_ended:
                    break
                await asyncio.sleep(BATCH_SECONDS)
            error, total = follow.error, follow.total
    except LostError as raised:
        error, total = raised, 0
    yield _end(_end_state(found, error), total, error.message if error else "")


def _end_state(found: Found, error: Exception | None) -> str:
    if error is None:
        return found.state if found.is_over else "reading"
    return "lost" if isinstance(error, LostError) else "failed"


async def _lines(follow: Follow, after: int) -> list[Line]:
    if follow.total <= after:
        return []
    return await asyncio.to_thread(follow.spool.read, after + 1, AT_ONCE)


async def _kept_messages(host: "Host", found: Found, after: int) -> AsyncIterator[StreamMessage]:
    while True:
        page = await asyncio.to_thread(read_page, host, found, after + 1, AT_ONCE)
        if not page.lines:
            break
        after = page.lines[-1][0]
        yield _message(page.lines)
    yield _end(page.state, page.total, page.message)


def _message(lines: list[Line]) -> StreamMessage:
    data = {"first": lines[0][0], "lines": [[at or None, text] for _number, at, text in lines]}
    return StreamMessage(orjson.dumps(data).decode(), "lines", str(lines[-1][0]))


def _end(state: str, total: int, message: Text) -> StreamMessage:
    data = {"state": state, "total": total, "message": str(message)}
    return StreamMessage(orjson.dumps(data).decode(), "end")
