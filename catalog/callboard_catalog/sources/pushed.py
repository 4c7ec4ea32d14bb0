"""Which sources a push concerns."""

import logging
from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

from callboard.contributions import Event, EventContext, EventHandler
from callboard.repositories.pushed import KIND, Pushed
from callboard_catalog.sources.base import Source

log = logging.getLogger(__name__)


@runtime_checkable
class FollowsPushes(Protocol):
    """A reader of Git repositories."""

    def follows(self, pushed: Pushed) -> bool:
        """Say whether what it reads may have changed by a push."""


def concerned(sources: Iterable[Source], pushed: Pushed) -> list[str]:
    """Name the sources that read what was pushed; other branches concern none."""
    return [
        source.name
        for source in sources
        if isinstance(source.reader, FollowsPushes) and source.reader.follows(pushed)
    ]


def of_events(sources: Iterable[Source], events: Iterable[Event]) -> list[str]:
    """Name the sources that some events concern, each once. Events that cannot be read are told
    of in the log: whoever published them must mend them, and others must not wait for that."""
    listed = list(sources)
    names: dict[str, None] = {}
    for event in events:
        try:
            pushed = Pushed.of(event.data)
        except ValueError as error:
            log.warning("Event %d: %s", event.id, error)
            continue
        names.update(dict.fromkeys(concerned(listed, pushed)))
    return list(names)


def handler(sources: Callable[[], Iterable[Source]]) -> EventHandler:
    """Give the handler that asks for what was pushed to be read soon."""

    def read_soon(context: EventContext) -> None:
        for name in of_events(sources(), context.events):
            context.host.submit("refresh", {"source": name}, key=name)

    return EventHandler(name="pushed", kinds=(KIND,), handle=read_soon)
