"""Announcements in tables, and those of now in memory."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from callboard.database import Database
from callboard_web.personal import models

FRESH_SECONDS: Final = 2.0
"""How long another process may take to show what was announced."""

MOST_CURRENT: Final = 20
RANK: Final = {"bad": 0, "warn": 1}
_TABLE: Final = models.announcement

State = Literal["current", "planned", "past", "withdrawn"]


@dataclass(frozen=True, slots=True)
class Announcement:
    """One announcement. `texts` maps a language to its `title` and `text`; times are in UTC."""

    id: int
    status: str
    texts: Mapping[str, Mapping[str, str]]
    path: str
    begins_at: datetime
    ends_at: datetime | None
    author: str
    created_at: datetime
    withdrawn_at: datetime | None

    def title(self, language: str) -> str:
        """Give the title in a language, or in the first that has one."""
        return self._said(language)[1].get("title", "")

    def text(self, language: str) -> str:
        """Give the text that belongs to the title of `title`."""
        return self._said(language)[1].get("text", "")

    def language(self, language: str) -> str:
        """Give the language that `title` and `text` are in."""
        return self._said(language)[0]

    def _said(self, language: str) -> tuple[str, Mapping[str, str]]:
        for name in (language, *self.texts):
            if self.texts.get(name, {}).get("title"):
                return name, self.texts[name]
        return language, {}

    def state(self, now: datetime) -> State:
        """Say whether it is shown now, later, or no more."""
        if self.withdrawn_at:
            return "withdrawn"
        if self.ends_at and self.ends_at <= now:
            return "past"
        return "current" if self.begins_at <= now else "planned"


class Announcements:
    """Reads and writes announcements; what is current costs a page no query."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self.database = database
        self.now = now
        self._open: list[Announcement] = []
        self._read_at = -FRESH_SECONDS
        self._lock = threading.Lock()

    def current(self) -> Sequence[Announcement]:
        """Give those that are shown now, the gravest first, then the newest."""
        now = self.now()
        found = [item for item in self._not_over(now) if item.state(now) == "current"]
        return sorted(found, key=lambda item: (RANK.get(item.status, 2), -item.id))

    def _not_over(self, now: datetime) -> list[Announcement]:
        with self._lock:
            if time.monotonic() - self._read_at >= FRESH_SECONDS:
                statement = select(_TABLE).where(
                    _TABLE.c.withdrawn_at.is_(None),
                    or_(_TABLE.c.ends_at.is_(None), _TABLE.c.ends_at > now),
                )
                with self.database.read() as connection:
                    rows = connection.execute(
                        statement.order_by(_TABLE.c.id.desc()).limit(MOST_CURRENT)
                    )
                    self._open = [_announcement(row) for row in rows]
                self._read_at = time.monotonic()
            return self._open

    def forget(self) -> None:
        """Read anew at the next page: something was written."""
        with self._lock:
            self._read_at = -FRESH_SECONDS

    def all(self, *, before: int = 0, limit: int = 50) -> Sequence[Announcement]:
        """Give all of them, the newest first; `before` is the last number of the page before."""
        statement = select(_TABLE).order_by(_TABLE.c.id.desc()).limit(limit)
        if before:
            statement = statement.where(_TABLE.c.id < before)
        with self.database.read() as connection:
            return [_announcement(row) for row in connection.execute(statement)]

    def get(self, number: int) -> Announcement | None:
        """Give one of them."""
        with self.database.read() as connection:
            row = connection.execute(select(_TABLE).where(_TABLE.c.id == number)).one_or_none()
        return _announcement(row) if row else None

    # Writing is part of the caller's transaction, with its audit entry and its event.

    def add(self, connection: Connection, values: Mapping[str, Any], author: str) -> int:
        """Write a new one and give its number."""
        row = {**values, "author": author, "created_at": self.now(), "withdrawn_at": None}
        statement = insert(_TABLE).values(row).returning(_TABLE.c.id)
        return int(connection.execute(statement).scalar_one())

    def change(self, connection: Connection, number: int, values: Mapping[str, Any]) -> None:
        """Write other values over those of one."""
        connection.execute(update(_TABLE).where(_TABLE.c.id == number).values(**values))

    # What each person has put away

    def dismissed(self, key: str) -> set[int]:
        """Give the numbers of those that someone has put away."""
        table = models.dismissal
        if not key:
            return set()
        with self.database.read() as connection:
            statement = select(table.c.announcement_id).where(table.c.key == key)
            return set(connection.scalars(statement))

    def dismiss(self, key: str, number: int) -> None:
        """Put one away for someone; a second time changes nothing."""
        row = {"key": key, "announcement_id": number, "at": self.now()}
        with self.database.write() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            statement = dialect.insert(models.dismissal).values(row)
            connection.execute(statement.on_conflict_do_nothing())


def _announcement(row: Any) -> Announcement:
    return Announcement(
        row.id, row.status, row.texts, row.path, row.begins_at, row.ends_at, row.author,
        row.created_at, row.withdrawn_at,
    )  # fmt: skip
