"""Maintenance: every page says that the portal is being worked on, on every replica.

The newest entry of the audit log about it is the state; nothing else is kept. Commands import this.
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from callboard.audit import entries, record
from callboard.database import Database
from callboard.errors import CallboardError
from callboard.i18n import Translator
from callboard.identity import Principal

log = logging.getLogger(__name__)
_: Final = Translator("callboard")

SUBJECT: Final = "portal:maintenance"
ACTION: Final = "portal.maintenance.switch"
LOOK_SECONDS: Final = 3.0
"""How long a process goes on with what it knew before it looks again."""

RETRY_SECONDS: Final = 120
ANY: Final = ""
"""The language of the text for those whose own has none."""


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Why the portal is closed, by language, since when, and until when if that is known."""

    texts: Mapping[str, str]
    since: datetime
    until: datetime | None = None

    def text(self, language: str) -> str:
        """Give the words for a reader, empty where there are none."""
        return self.texts.get(language) or self.texts.get(ANY, "")


class MaintenanceError(CallboardError):
    """The portal is closed for the time being."""

    status = 503
    name = "MaintenanceError"

    def __init__(self, state: Maintenance, now: datetime) -> None:
        super().__init__(_("The portal is being worked on."))
        self.state = state
        left = (state.until - now).total_seconds() if state.until else 0
        self.headers = {"retry-after": str(max(int(left), RETRY_SECONDS))}


def switch(
    database: Database,
    *,
    on: bool,
    texts: Mapping[str, str] | None = None,
    length: timedelta | None = None,
    actor: Principal,
    at: datetime,
) -> None:
    """Close the portal for everyone, or open it again; every process follows within seconds."""
    until = (at + length).isoformat() if on and length else None
    after = {"on": on, "texts": dict(texts or {}), "until": until}
    with database.write() as connection:
        record(connection, ACTION, SUBJECT, actor=actor, after=after, at=at)


def read(database: Database) -> Maintenance | None:
    """Give the state as it is kept."""
    with database.read() as connection:
        found = entries(connection, subject=SUBJECT, limit=1)
    if not found or not found[0].after["on"]:
        return None
    kept = found[0].after
    until = datetime.fromisoformat(kept["until"]) if kept["until"] else None
    return Maintenance(kept["texts"], found[0].at, until)


class MaintenanceWatch:
    """Knows the state without asking the database for each request."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._state: Maintenance | None = None
        self._looked = 0.0

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._looked > LOOK_SECONDS or not self._looked

    @property
    def state(self) -> Maintenance | None:
        return self._state

    def look(self) -> None:
        """Read the state; a database that is away leaves it as it was."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            self._looked = time.monotonic()
            self._state = read(self._database)
        except Exception as error:
            log.warning("Whether the portal is closed cannot be read: %s", error)
        finally:
            self._lock.release()
