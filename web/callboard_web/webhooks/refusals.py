"""Refused deliveries: kept as few rows, however many there are.

The first from an address for a reason is a row at once. Those alike within an hour are counted in
memory and added to that row every minute. Beyond a bound of rows an hour, all that a hook refuses
is counted in one: who sends a thousand forged deliveries a second fills no disk.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from callboard.database import Database
from callboard.i18n import Message, Text, Translator
from callboard_web.webhooks import store
from callboard_web.webhooks.store import Arrival

_: Final = Translator("callboard")

SPAN: Final = timedelta(hours=1)
"""How long those alike are one row."""

FLUSH: Final = timedelta(minutes=1)
MOST: Final = 100
"""Rows an hour of this process, beside one for each hook."""

MANY: Final = _("Very many were refused, from several addresses.")

log = logging.getLogger(__name__)
_Kind = tuple[str, str, str, str]
"""Plugin, hook, address and the reason without what is filled in."""


@dataclass(slots=True)
class _Count:
    since: datetime
    flushed: datetime
    last: datetime
    further: int = 0
    row: int = field(default=0)


class Refusals:
    """What one process has refused within the last hour."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[_Kind, _Count] = {}

    def note(self, arrival: Arrival) -> None:
        """Keep that a delivery was refused; it never raises, the answer is a refusal all the
        same."""
        try:
            self.settle()
            with self._lock:
                first = self._first(arrival)
            if first is not None:
                kept, count = first
                with self._database.write() as connection:
                    count.row = store.keep_refused(connection, kept)
        except Exception:
            log.exception("A refused delivery could not be kept: %s.", arrival.hook)

    def settle(self, everything: bool = False) -> None:
        """Add to the rows what was counted for a minute, or all of it."""
        now = self._clock()
        with self._lock:
            told = [
                (count.row, count.further, count.last)
                for count in self._counts.values()
                if count.row and count.further and (everything or now - count.flushed >= FLUSH)
            ]
            rows = {row for row, _further, _last in told}
            for kind, count in list(self._counts.items()):
                if count.row in rows:
                    count.further, count.flushed = 0, now
                if now - count.since >= SPAN:
                    del self._counts[kind]
        if told:
            with self._database.write() as connection:
                for row, further, last in told:
                    store.count_refused(connection, row, further, last)

    def _first(self, arrival: Arrival) -> tuple[Arrival, _Count] | None:
        kind: _Kind = (arrival.plugin, arrival.hook, arrival.address, _template(arrival.reason))
        if kind not in self._counts and len(self._counts) >= MOST:
            kind = (arrival.plugin, arrival.hook, "", "")
            arrival = replace(
                arrival, address="", reason=MANY, event="", headers={}, query={}, request_id=""
            )
        count = self._counts.get(kind)
        if count is None:
            now = arrival.at
            count = self._counts[kind] = _Count(since=now, flushed=now, last=now)
            return arrival, count
        count.further += 1
        count.last = arrival.at
        return None


def _template(reason: Text) -> str:
    return reason.text if isinstance(reason, Message) else reason[:200]
