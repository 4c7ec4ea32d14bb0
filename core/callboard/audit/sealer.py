"""Seals entries as they are committed, beside all else that a process does."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

from callboard.audit.log import TOPIC
from callboard.audit.seal import has_backlog, seal_all
from callboard.database import Database

GATHER_SECONDS: Final = 0.25
"""How long entries are gathered before they are sealed together."""

POLL_SECONDS: Final = 1.0
STOP_SECONDS: Final = 5.0

log = logging.getLogger(__name__)


class Sealer:
    """One thread that seals what this process and others have written; `start` and `stop` frame it.

    Any number of processes may have one: whoever holds the head seals for all. `sealed` is called
    in the transaction of each batch, `settle` at each look, and with True at the last. `fault` is
    what went wrong last, or empty.
    """

    def __init__(
        self,
        database: Database,
        sealed: Callable[[Connection], None],
        settle: Callable[[bool], None],
    ) -> None:
        self._database = database
        self._sealed = sealed
        self._settle = settle
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.fault = ""

    def start(self) -> None:
        """Begin; the tables must be there."""
        self._stopping.clear()
        self._database.committed.listen(TOPIC, self._wake.set)
        self._thread = threading.Thread(target=self._run, name="audit-sealer", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Seal what is there and end."""
        if self._thread is None:
            return
        self._stopping.set()
        self._wake.set()
        self._thread.join(STOP_SECONDS)
        self._thread = None
        self._database.committed.unlisten(TOPIC, self._wake.set)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._look(last=False)
            if self._wake.wait(POLL_SECONDS):
                self._stopping.wait(GATHER_SECONDS)
            self._wake.clear()
        self._look(last=True)

    def _look(self, *, last: bool) -> None:
        try:
            self._settle(last)
            with self._database.read() as connection:
                waiting = has_backlog(connection)
            if waiting:
                seal_all(self._database, wait=last, after=self._sealed)
            self.fault = ""
        except Exception as error:  # a database that is away comes back; the thread must live
            if not self.fault:
                log.exception("The audit log cannot be sealed; trying again.")
            self.fault = f"{type(error).__name__}: {error}"[:300]
