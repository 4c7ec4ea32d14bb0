"""Event handlers, run as jobs: one at a time each, tried again until they succeed."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from callboard import events
from callboard.contributions import EventContext, EventHandler, Job, JobContext
from callboard.events.log import of_kinds
from callboard.events.models import event, event_cursor
from callboard.i18n import Translator
from callboard.jobs.models import job_run
from callboard.jobs.store import JobName, in_state
from callboard.plugins import Contributed

_ = Translator("callboard")

BATCH = 500
BATCHES_A_RUN = 20
"""A run ends after so many and another follows, so that no backlog outlasts the time limit."""

UNLIMITED = 1_000_000
"""Attempts: an event that cannot be handled stops its handler, visibly, until it can be."""

PREFIX = "events:"


class HandlerJobs:
    """The handlers of all plugins as jobs, and the question which of them have something to do."""

    def __init__(self, handlers: Sequence[Contributed[EventHandler]]) -> None:
        self._handlers = {
            (handler.plugin, PREFIX + handler.value.name): handler for handler in handlers
        }
        self._nothing_until: dict[JobName, int] = {}

    def jobs(self) -> list[Contributed[Job]]:
        return [
            Contributed(
                handler.plugin,
                Job(
                    name=name,
                    title=_("Handle events: %(handler)s", handler=handler.value.name),
                    run=partial(_run, handler),
                    attempts=UNLIMITED,
                ),
            )
            for (_plugin, name), handler in self._handlers.items()
        ]

    def register(self, connection: Connection) -> None:
        """Let new handlers begin at the end of the log as it is now."""
        present = set(connection.execute(select(event_cursor.c.subscriber)).scalars())
        position = events.newest(connection)
        for handler in self._handlers.values():
            if handler.key in present:
                continue
            try:
                with connection.begin_nested():
                    row = {"subscriber": handler.key, "position": position}
                    connection.execute(insert(event_cursor).values(row))
            except IntegrityError:  # another process has registered it at this moment
                continue

    def pending(self, connection: Connection) -> list[JobName]:
        """Give the jobs of handlers that have events to handle and do not wait already."""
        newest = events.newest(connection)
        behind = [name for name in self._handlers if self._nothing_until.get(name, -1) < newest]
        if not behind:
            return []
        positions = {row.subscriber: row.position for row in connection.execute(_CURSORS)}
        waiting = {(row.plugin, row.name) for row in connection.execute(_WAITING)}
        return [
            name
            for name in behind
            if name not in waiting
            and self._has_events(connection, name, newest, positions[self._handlers[name].key])
        ]

    def _has_events(
        self, connection: Connection, name: JobName, newest: int, position: int
    ) -> bool:
        after = max(position, self._nothing_until.get(name, 0))
        wanted = exists().where(event.c.id > after, of_kinds(self._handlers[name].value.kinds))
        if connection.execute(select(wanted)).scalar():
            return True
        self._nothing_until[name] = newest
        return False


_CURSORS = select(event_cursor)
_WAITING = select(job_run.c.plugin, job_run.c.name).where(
    in_state("waiting"), job_run.c.name.startswith(PREFIX)
)


def _run(handler: Contributed[EventHandler], context: JobContext) -> None:
    cursor = event_cursor.c.subscriber == handler.key
    for _ in range(BATCHES_A_RUN):
        with context.host.read() as connection:
            query = select(event_cursor.c.position).where(cursor)
            position = connection.execute(query).scalar_one()
            batch = events.read(connection, position, handler.value.kinds, BATCH)
        if not batch:
            return
        handler.value.handle(EventContext(host=context.host, events=batch))
        with context.host.write() as connection:
            # Forward only: a run that lost its lease must not undo what its successor did.
            moved = update(event_cursor).where(cursor, event_cursor.c.position < batch[-1].id)
            connection.execute(moved.values(position=batch[-1].id))
