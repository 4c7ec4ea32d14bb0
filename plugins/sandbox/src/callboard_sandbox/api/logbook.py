"""The logs of containers, kept with the store. They live as long as their pod."""

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log without its end; `at` in nanoseconds since 1970."""

    number: int
    at: int
    text: bytes


def nanoseconds(at: datetime) -> int:
    """Give a time in nanoseconds since 1970."""
    past = at - _EPOCH
    return ((past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds) * 1000


class Logbook:
    """The part of the store that keeps logs, by the uid of the pod."""

    _connection: sqlite3.Connection

    def _transaction(self) -> AbstractContextManager[None]:
        raise NotImplementedError

    def _reading(self) -> AbstractContextManager[Any]:
        raise NotImplementedError

    def _wake(self) -> None:
        raise NotImplementedError

    def _append(
        self, uid: str, container: str, restart: int, lines: Sequence[str], at: datetime
    ) -> None:
        with self._transaction():
            self._connection.execute(
                "insert into log (pod, container, restart) values (?, ?, ?) on conflict do nothing",
                (uid, container, restart),
            )
            log = self._log(uid, container, restart)
            begun = max(nanoseconds(at), self._newest(log))
            self._connection.executemany(
                "insert into line (log, at, text) values (?, ?, ?)",
                [(log, begun + index, line.encode()) for index, line in enumerate(lines)],
            )
        self._wake()

    def _newest(self, log: int) -> int:
        """Give the time of the last line: no line is older than the one before it."""
        found = self._connection.execute(
            "select at from line where log = ? order by id desc limit 1", (log,)
        ).fetchone()
        return int(found[0]) if found else 0

    def _log(self, uid: str, container: str, restart: int) -> int:
        found = self._connection.execute(
            "select id from log where pod = ? and container = ? and restart = ?",
            (uid, container, restart),
        ).fetchone()
        return int(found[0]) if found else 0

    def _forget_logs(self, uid: str) -> None:
        logs = "select id from log where pod = ?"
        self._connection.execute(f"delete from line where log in ({logs})", (uid,))
        self._connection.execute("delete from log where pod = ?", (uid,))

    def log_lines(
        self, uid: str, container: str, *, restart: int = 0, after: int = 0, limit: int = 1000
    ) -> list[Line]:
        """Give lines of the container of a pod (by its uid) after a line's number."""
        with self._reading():
            rows = self._connection.execute(
                "select id, at, text from line where log = ? and id > ? order by id limit ?",
                (self._log(uid, container, restart), after, limit),
            ).fetchall()
        return [Line(number, at, text) for number, at, text in rows]

    def log_tail(self, uid: str, container: str, lines: int, *, restart: int = 0) -> int:
        """Give the number after which the last `lines` come."""
        with self._reading():
            found = self._connection.execute(
                "select id from line where log = ? order by id desc limit 1 offset ?",
                (self._log(uid, container, restart), lines),
            ).fetchone()
        return int(found[0]) if found else 0

    def log_since(self, uid: str, container: str, at: int, *, restart: int = 0) -> int:
        """Give the number after which lines come that are not older than `at` (nanoseconds)."""
        with self._reading():
            log = self._log(uid, container, restart)
            found = self._connection.execute(
                "select max(id) from line where log = ? and at < ?", (log, at)
            ).fetchone()
        return int(found[0] or 0)
