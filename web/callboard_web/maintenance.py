"""Maintenance: every page says that the portal is being worked on, on every replica.

Commands import this.
"""

import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, insert, select

from callboard import events
from callboard.audit import record
from callboard.database import Database
from callboard.errors import CallboardError
from callboard.i18n import Translator
from callboard.identity import Principal
from callboard_web.personal import models

log = logging.getLogger(__name__)
_: Final = Translator("callboard")

SUBJECT: Final = "portal:maintenance"
ACTION: Final = "portal.maintenance.switch"
SWITCHED: Final = "portal.maintenance.switched"
TABLE: Final = models.maintenance
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
    until = at + length if on and length else None
    told = until.isoformat() if until else None
    after = {"on": on, "texts": dict(texts or {}), "until": told}
    with database.write() as connection:
        connection.execute(delete(TABLE))
        if on:
            row = {"id": 1, "texts": dict(texts or {}), "since": at, "until": until}
            connection.execute(insert(TABLE).values(row))
        record(connection, ACTION, SUBJECT, actor=actor, after=after, at=at)
        events.publish(connection, SWITCHED, SUBJECT, {"on": on}, actor=actor, at=at)


def read(database: Database) -> Maintenance | None:
    """Give the state as it is kept."""
    with database.read() as connection:
        row = connection.execute(select(TABLE)).one_or_none()
    return Maintenance(row.texts, row.since, row.until) if row else None


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
