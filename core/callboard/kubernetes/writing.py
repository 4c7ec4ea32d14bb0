"""The one thread of a process that writes what its watches see."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from callboard.database import Database
from callboard.errors import NotReadyError
from callboard.kubernetes import keeping
from callboard.kubernetes.inbox import Inbox, Item, Listed, Seen, Told
from callboard.kubernetes.leases import Held

log = logging.getLogger(__name__)

PAUSE: Final = 1.0
"""Seconds until a database that was away is tried again; readers wait meanwhile."""


class Writer:
    """Takes from an inbox and writes, until the inbox is closed and empty.

    `changed` is called with the watches that have new changes, once they are committed.
    """

    def __init__(
        self,
        database: Database,
        inbox: Inbox,
        changed: Callable[[set[int]], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._database = database
        self._inbox = inbox
        self._changed = changed
        self._clock = clock
        self._thread = threading.Thread(target=self._run, name="cluster-writer", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Write what waits, and end; waits so long at most."""
        self._inbox.close()
        self._thread.join(seconds)

    def _run(self) -> None:
        while items := self._inbox.take():
            for part in _parts(items):
                self._write(part)

    def _write(self, part: Sequence[Seen | Told] | Listed) -> None:
        """Write until it is written; what cannot be is read again from where the tables are."""
        while True:
            held = [part.held] if isinstance(part, Listed) else [item.held for item in part]
            try:
                self.write(part)
                return
            except NotReadyError as error:
                log.warning("What clusters told cannot be written for the moment: %s", error)
                if self._inbox.closed:
                    return
                time.sleep(PAUSE)
            except Exception:
                log.exception("What clusters told could not be written; it is asked for again.")
                _end(held)
                return

    def write(self, part: Sequence[Seen | Told] | Listed) -> None:
        """Write a batch, or the end of a list, and wake those who follow."""
        if isinstance(part, Listed):
            self._end_list(part)
            return
        items = [item for item in part if not item.held.ended.is_set()]
        if items:
            with self._database.write() as connection:
                result = keeping.keep(connection, items, now=self._clock(), clock=time.monotonic())
            _end(result.lost)
            if result.changed:
                self._changed(result.changed)

    def _end_list(self, listed: Listed) -> None:
        if listed.held.ended.is_set():
            return
        with self._database.read() as connection:
            gone = keeping.missing(connection, listed)
        is_held = True
        for start in range(0, len(gone), keeping.GONE_AT_ONCE):
            with self._database.write() as connection:
                part = gone[start : start + keeping.GONE_AT_ONCE]
                is_held = is_held and keeping.bury(connection, listed.held, part)
        with self._database.write() as connection:
            is_held = is_held and keeping.end_list(connection, listed, self._clock())
        if not is_held:
            _end([listed.held])
        elif gone:
            self._changed({listed.held.watch})


def _parts(items: Sequence[Item]) -> Iterator[list[Seen | Told] | Listed]:
    """Give what can be written at once; the end of a list comes after all that is before it."""
    part: list[Seen | Told] = []
    for item in items:
        if not isinstance(item, Listed):
            part.append(item)
            continue
        if part:
            yield part
        yield item
        part = []
    if part:
        yield part


def _end(several: Sequence[Held]) -> None:
    for held in several:
        held.ended.set()
