"""How often signing in may be tried: from one address, and with one name."""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite

from callboard.database import Database
from callboard.errors import CallboardError
from callboard.i18n import Translator
from callboard.identity import CLIENT_ADDRESS
from callboard_web.sessions import models

_: Final = Translator("callboard")

WINDOW: Final = timedelta(minutes=15)
MOST_OF_ADDRESS: Final = 30
MOST_OF_NAME: Final = 10
_TABLE: Final = models.attempt


class TooManyAttemptsError(CallboardError):
    """Signing in was tried too often."""

    status: ClassVar = 429
    name = "TooManyAttemptsError"

    def __init__(self, seconds: int) -> None:
        minutes = max(1, -(-seconds // 60))
        super().__init__(
            _("Signing in was tried too often."),
            hint=_.plural(
                "Try again in %(number)s minute.", "Try again in %(number)s minutes.", minutes
            ),
        )
        self.headers: Mapping[str, str] = {"retry-after": str(seconds)}


class Attempts:
    """Counts attempts in windows of a quarter of an hour, for all processes on the database."""

    def __init__(self, database: Database, now: Callable[[], datetime]) -> None:
        self._database = database
        self._now = now

    def take(
        self, name: str = "", *, counted_as: str = "address", most: int = MOST_OF_ADDRESS
    ) -> None:
        """Count an attempt from the address that asks, with a name where one is given.

        `counted_as` keeps what is harmless, and allowed more often, apart from what is not.
        Raises `TooManyAttemptsError`, with the time of the next window, where it is one too many.
        """
        now = self._now()
        since = datetime.fromtimestamp(
            now.timestamp() // WINDOW.total_seconds() * WINDOW.total_seconds(), UTC
        )
        limits = {f"{counted_as}:{CLIENT_ADDRESS.get()}": most}
        if name:
            limits[f"name:{hashlib.sha256(name.encode()).hexdigest()}"] = MOST_OF_NAME
        counts = self._count(list(limits), since)
        if any(count > most for count, most in zip(counts, limits.values(), strict=True)):
            left = (since + WINDOW - now).total_seconds()
            raise TooManyAttemptsError(max(1, int(left)))

    def _count(self, keys: list[str], since: datetime) -> list[int]:
        """Count one more for each key, and give how many there are now."""
        counts = []
        with self._database.write() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            for key in keys:
                statement = (
                    dialect.insert(_TABLE)
                    .values(key=key, since=since, count=1)
                    .on_conflict_do_update(
                        index_elements=_TABLE.primary_key.columns,
                        set_={"count": _TABLE.c.count + 1},
                    )
                    .returning(_TABLE.c.count)
                )
                counts.append(int(connection.execute(statement).scalar_one()))
        return counts

    def forget(self) -> None:
        """Delete what no longer counts."""
        with self._database.write() as connection:
            connection.execute(delete(_TABLE).where(_TABLE.c.since < self._now() - WINDOW))
