"""Verify the log as a whole, and record what was found, for the job and the command."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final, Protocol

from sqlalchemy import Connection

from callboard.audit.checkpoint import Checkpoint
from callboard.audit.log import SUBJECT, record
from callboard.audit.seal import Writes, seal_all
from callboard.audit.verify import Fault, Outcome, verify

ACTION: Final = "audit.log.verify"
TOLD: Final = 20
"""Faults that the entry about a verification names."""


class Store(Writes, Protocol):
    """A database, or a host, which opens one for a plugin."""

    def read(self) -> AbstractContextManager[Connection]:
        """Open a connection that sees one state."""


def verify_and_record(
    store: Store,
    now: Callable[[], datetime],
    tell: Callable[[Fault], None],
    checkpoints: Iterable[Checkpoint] = (),
) -> Outcome:
    """Seal what waits, walk the chain, tell of each fault, and record the outcome."""
    seal_all(store)
    outcome = Outcome()
    named: list[str] = []
    with store.read() as connection:
        for fault in verify(connection, outcome, checkpoints):
            tell(fault)
            if len(named) < TOLD:
                named.append(str(fault))
    head = outcome.head
    found = {"checked": outcome.checked, "faults": outcome.faults}
    first = {"first": named} if named else {}
    with store.write() as connection:
        record(
            connection,
            ACTION,
            SUBJECT,
            after={"position": head.position if head else 0, **found, **first},
            result="failed" if outcome.faults else "ok",
            at=now(),
        )
    return outcome
