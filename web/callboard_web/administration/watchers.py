"""Who follows the event log, how far each has come, and how many pages listen."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import Connection, func, select

from callboard import events
from callboard.contributions import EventHandler
from callboard.events.log import of_kinds
from callboard.events.models import event, event_cursor
from callboard.plugins import Contributed

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Watcher:
    """A follower of events. `behind` counts those it has not handled; `since` is the oldest's."""

    plugin: str
    name: str
    kinds: tuple[str, ...]
    position: int
    behind: int
    since: datetime | None


def watchers(runtime: "Runtime") -> list[Watcher]:
    """Give every event handler of host and plugins, those that are behind first."""
    handlers = runtime.plugins.contributions.event_handlers
    with runtime.database.read() as connection:
        positions = {
            row.subscriber: row.position for row in connection.execute(select(event_cursor))
        }
        found = [_watcher(connection, item, positions.get(item.key)) for item in handlers]
    return sorted(found, key=lambda item: (-item.behind, item.plugin, item.name))


def _watcher(
    connection: Connection, item: Contributed[EventHandler], position: int | None
) -> Watcher:
    behind, since = 0, None
    if position is not None:
        wanted = (event.c.id > position, of_kinds(item.value.kinds))
        counted = select(func.count(), func.min(event.c.at)).where(*wanted)
        behind, since = connection.execute(counted).one()
    return Watcher(
        item.plugin, item.value.name, tuple(item.value.kinds), position or 0, behind, since
    )


def log_size(connection: Connection) -> tuple[int, datetime | None]:
    """Give the number of the newest event and its time."""
    newest = events.newest(connection)
    at = connection.execute(select(event.c.at).where(event.c.id == newest)).scalar()
    return newest, at


LATE = timedelta(minutes=1)
"""How long an event may wait for its handler before the page says that it is late."""
