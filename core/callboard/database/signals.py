"""Tell other threads of this process that a transaction was committed."""

import logging
import threading
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection

TOPICS: Final = "callboard_topics"
"""The execution option that holds the topics a transaction touched."""

log = logging.getLogger(__name__)


def touch(connection: Connection, topic: str) -> None:
    """Have the listeners of `topic` called once this transaction is committed.

    Only transactions of `Database.write` tell; who listens must poll for all others, those of
    other processes among them.
    """
    topics = connection.get_execution_options().get(TOPICS)
    if topics is not None:
        topics.add(topic)


class CommitSignals:
    """Listeners by topic. A listener is called in the thread that committed: it only wakes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[str, tuple[Callable[[], None], ...]] = {}

    def listen(self, topic: str, listener: Callable[[], None]) -> None:
        with self._lock:
            self._listeners[topic] = (*self._listeners.get(topic, ()), listener)

    def unlisten(self, topic: str, listener: Callable[[], None]) -> None:
        with self._lock:
            present = self._listeners.get(topic, ())
            self._listeners[topic] = tuple(item for item in present if item != listener)

    def send(self, topics: set[str]) -> None:
        for topic in sorted(topics):
            for listener in self._listeners.get(topic, ()):
                try:
                    listener()
                except Exception:  # the transaction is committed: its caller must not see a fault
                    log.exception("A listener of %s failed after a commit.", topic)
