"""Records what happens often and alike, such as refusals, without flooding the log.

The first of its kind is an entry at once. What is alike within a minute is counted, and told as
one more entry with the count. Beyond a bound all that an actor does is counted as one, and beyond
another all that anybody does: who asks for a thousand addresses a second fills no disk.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from callboard.audit.log import record
from callboard.audit.reading import Result
from callboard.database import Database
from callboard.identity import CLIENT_ADDRESS, SYSTEM, Principal, asking
from callboard.logs import REQUEST_ID

WINDOW: Final = timedelta(minutes=1)
MOST_OF_ONE: Final = 30
"""Entries within a minute that one actor makes from one address."""

MOST: Final = 600
"""Entries within a minute in all, of this process."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Kind:
    actor: Principal
    on_behalf_of: Principal | None
    address: str
    action: str
    subject: str
    result: Result


@dataclass(slots=True)
class _Count:
    since: datetime
    further: int = 0
    request_id: str = ""


class Folding:
    """What has been recorded within the last minute, of one process."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._counts: dict[_Kind, _Count] = {}

    def denied(self, permission: str, subject: str, why: Mapping[str, Any] | None = None) -> None:
        """Record that who asks was refused; not within a transaction, and never raises.

        `subject` is what they wanted to do it with: an entity's reference or a path.
        """
        self._note(permission, subject, "denied", why)

    def looked_at(self, permission: str, subject: str) -> None:
        """Record that who asks saw data of another person; not within a transaction."""
        self._note(permission, subject, "ok", None)

    def settle(self, everything: bool = False) -> None:
        """Record the counts of minutes that are over, or of all."""
        with self._lock:
            over = self._taken(everything=everything)
        if over:
            with self._database.write() as connection:
                for kind, count in over:
                    after = {"further": count.further, "since": count.since}
                    self._record(connection, kind, count.request_id, after)

    def _note(
        self, action: str, subject: str, result: Result, after: Mapping[str, Any] | None
    ) -> None:
        try:
            who = asking()
            kind = _Kind(
                who.principal if who else SYSTEM,
                who.on_behalf_of if who else None,
                CLIENT_ADDRESS.get(),
                action,
                subject,
                result,
            )
            self.settle()
            with self._lock:
                first = self._is_first(kind)
            if first:
                with self._database.write() as connection:
                    self._record(connection, first, REQUEST_ID.get(), after)
        except Exception:  # the answer is a refusal all the same
            log.exception("A refusal could not be recorded: %s of %s.", action, subject)

    def _is_first(self, kind: _Kind) -> _Kind | None:
        """Count one, and give the kind it is to be recorded as unless there is an entry already."""
        if kind not in self._counts:
            kind = self._bounded(kind)
        count = self._counts.get(kind)
        if count is None:
            self._counts[kind] = _Count(self._clock(), request_id=REQUEST_ID.get())
            return kind
        count.further += 1
        return None

    def _bounded(self, kind: _Kind) -> _Kind:
        own = sum(
            other.actor == kind.actor and other.address == kind.address for other in self._counts
        )
        if len(self._counts) >= MOST:
            anybody = Principal(kind="anonymous", name="many")
            return _Kind(anybody, None, "", "portal.access.flood", "*", kind.result)
        if own >= MOST_OF_ONE:
            return _Kind(kind.actor, kind.on_behalf_of, kind.address, "portal.access.flood", "*",
                         kind.result)  # fmt: skip
        return kind

    def _taken(self, *, everything: bool) -> list[tuple[_Kind, _Count]]:
        before = self._clock() - WINDOW
        over = [
            (kind, count)
            for kind, count in self._counts.items()
            if everything or count.since <= before
        ]
        for kind, _ in over:
            del self._counts[kind]
        return [(kind, count) for kind, count in over if count.further]

    def _record(
        self, connection: Any, kind: _Kind, request_id: str, after: Mapping[str, Any] | None
    ) -> None:
        record(
            connection,
            kind.action,
            kind.subject,
            actor=kind.actor,
            on_behalf_of=kind.on_behalf_of,
            after=after,
            result=kind.result,
            address=kind.address,
            request_id=request_id,
            at=self._clock(),
        )
