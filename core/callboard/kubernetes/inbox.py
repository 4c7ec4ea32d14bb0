"""What readers hand to the one who writes: bounded, so that a socket waits when it is slow."""

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from callboard.kubernetes.failures import ClusterError
from callboard.kubernetes.leases import Held

ITEMS: Final = 1000
"""What may wait, and what is written at once."""
BYTES: Final = 32 * 1024**2
GATHERING: Final = 0.03
"""Seconds that the first of a batch waits for others."""


Happened = Literal["listing", "open", "bookmark", "failed", "absent"]


@dataclass(frozen=True, slots=True)
class Seen:
    """An object of a list, or of an event. `body` is its JSON, compressed.

    `listed` ones do not move the version to go on from. `at` is when it came, monotonic.
    """

    held: Held
    uid: str
    namespace: str
    name: str
    version: str
    gone: bool
    listed: bool
    body: bytes
    at: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class Told:
    """What became of the watch itself: it lists, it is open, it has failed, the kind is absent.

    A `bookmark` only moves the version to go on from. `at` is when the reader learned it.
    """

    held: Held
    what: Happened
    at: datetime
    version: str = ""
    error: ClusterError | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """The end of a list: what it did not have is gone."""

    held: Held
    version: str
    uids: frozenset[str]


Item = Seen | Told | Listed


class EndedError(Exception):
    """The watch is held by others by now, or nobody writes any more."""


class Inbox:
    """A queue of many readers and one writer."""

    def __init__(self, items: int = ITEMS, size: int = BYTES, gathering: float = GATHERING) -> None:
        self._most = items
        self._largest = size
        self._gathering = gathering
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        self._room = threading.Condition(lock)
        self._items: list[Item] = []
        self._size = 0
        self._closed = False

    def put(self, item: Item) -> None:
        """Hand in an item; waits for room. Raises `EndedError` where it is of no use any more."""
        with self._changed:
            while self._is_full and not self._closed and not item.held.ended.is_set():
                self._room.wait(0.5)
            if self._closed or item.held.ended.is_set():
                raise EndedError
            self._items.append(item)
            self._size += len(item.body) if isinstance(item, Seen) else 0
            if len(self._items) == 1 or self._is_full:
                self._changed.notify()

    def take(self) -> list[Item]:
        """Give what there is, a moment after the first has come; nothing once it is closed."""
        with self._changed:
            while not self._items and not self._closed:
                self._changed.wait()
            if self._gathering and not self._closed:
                self._changed.wait_for(lambda: self._is_full or self._closed, self._gathering)
            taken, self._items, self._size = self._items, [], 0
            self._room.notify_all()
            return taken

    def close(self) -> None:
        """Take in no more; what is there can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            self._room.notify_all()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    @property
    def _is_full(self) -> bool:
        return len(self._items) >= self._most or self._size >= self._largest
