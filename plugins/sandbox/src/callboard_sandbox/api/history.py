"""The history of the store: versions, changes kept until they are compacted, and who is woken."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import orjson

from callboard_sandbox.api.database import open_database
from callboard_sandbox.api.failures import ApiError
from callboard_sandbox.api.logbook import Logbook

Json = dict[str, Any]

COMPACT_EVERY: Final = 1000


@dataclass(frozen=True, slots=True)
class Change:
    """One write. `object` carries its version; of a deleted one it is the last body."""

    version: int
    type: Literal["ADDED", "MODIFIED", "DELETED"]
    resource: str
    object: Json
    previous: Json | None


class History(Logbook):
    """The part of the store that numbers writes, tells of them and forgets them."""

    def __init__(self, folder: Path, history: int) -> None:
        self.history: Final = history
        self._connection = open_database(folder)
        self._lock = threading.RLock()
        self._written = threading.Condition(self._lock)
        self._followers: list[Callable[[], None]] = []
        self._is_ending = False
        kept = dict(self._connection.execute("select key, value from meta"))
        self._version = int(kept.get("version", 0))
        self._compacted = int(kept.get("compacted", 0))

    def close(self) -> None:
        """Close the files; followers are not called any more."""
        with self._lock:
            self._followers.clear()
            self._connection.close()

    @property
    def version(self) -> int:
        """The version of the latest write."""
        return self._version

    @property
    def compacted(self) -> int:
        """The version whose changes, and those before, are forgotten."""
        return self._compacted

    def changes(
        self, after: int, *, resources: Sequence[str] = (), limit: int = 500
    ) -> list[Change]:
        """Give changes after a version, in order. Raises `ApiError` 410 when they are forgotten."""
        with self._lock:
            if after < self._compacted:
                raise ApiError(410, f"too old resource version: {after} ({self._compacted})")
            marks = ", ".join("?" * len(resources))
            rows = self._connection.execute(
                "select version, type, resource, body, previous from change where version > ?"
                f"{f' and resource in ({marks})' if resources else ''} order by version limit ?",
                (after, *resources, limit),
            ).fetchall()
        return [
            Change(
                version, type_, resource, orjson.loads(body), previous and orjson.loads(previous)
            )
            for version, type_, resource, body, previous in rows
        ]

    def wait(self, after: int, seconds: float) -> int:
        """Wait until there is a version after this one, at most so long; give the latest."""
        with self._written:
            self._written.wait_for(lambda: self._version > after or self._is_ending, seconds)
            return self._version

    def end_waits(self) -> None:
        """Let all waits return at once from now on, before the store is closed."""
        with self._written:
            self._is_ending = True
            self._written.notify_all()

    def subscribe(self, woken: Callable[[], None]) -> Callable[[], None]:
        """Have a short function called after each write to objects or logs, in its thread.

        The function given back ends that.
        """
        with self._lock:
            self._followers.append(woken)

        def leave() -> None:
            with self._lock, contextlib.suppress(ValueError):
                self._followers.remove(woken)

        return leave

    def _wake(self) -> None:
        with self._lock:
            if self._connection.in_transaction:
                return
            self._written.notify_all()
            followers = list(self._followers)
        for woken in followers:
            woken()

    def compact(self, version: int | None = None) -> None:
        """Forget the changes up to a version; all of them without one."""
        with self._transaction():
            self._compacted = max(
                self._compacted, min(self._version if version is None else version, self._version)
            )
            self._connection.execute("delete from change where version <= ?", (self._compacted,))
            self._keep("compacted", self._compacted)

    def _note(
        self,
        version: int,
        type_: str,
        key: tuple[str, str, str],
        body: bytes,
        previous: bytes | None,
    ) -> None:
        self._connection.execute(
            "insert into change (version, type, resource, namespace, name, body, previous)"
            " values (?, ?, ?, ?, ?, ?, ?)",
            (version, type_, *key, body, previous),
        )
        if version % COMPACT_EVERY == 0 and version - self.history > self._compacted:
            self.compact(version - self.history)

    def _next(self) -> int:
        self._version += 1
        self._keep("version", self._version)
        return self._version

    def _keep(self, key: str, value: int) -> None:
        self._connection.execute(
            "insert into meta (key, value) values (?, ?)"
            " on conflict (key) do update set value = excluded.value",
            (key, value),
        )

    @contextlib.contextmanager
    def _transaction(self, *, dry: bool = False) -> Iterator[None]:
        """Hold the store, and write all or nothing; within another one, belong to it."""
        with self._lock:
            if self._connection.in_transaction or dry:
                yield
                return
            version, compacted = self._version, self._compacted
            self._connection.execute("begin immediate")
            try:
                yield
                self._connection.execute("commit")
            except BaseException:
                self._connection.execute("rollback")
                self._version, self._compacted = version, compacted
                raise

    def _reading(self) -> contextlib.AbstractContextManager[Any]:
        return self._lock
