"""Gives plugins what has changed, from the tables: each at its own pace, none in another's way."""

import logging
import random
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import Connection, bindparam, delete, func, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from callboard.contributions import ClusterWatch, ObservedContext, ObservedObject
from callboard.database import Database, UtcDateTime
from callboard.errors import NotReadyError
from callboard.kubernetes.keeping import publish_follower
from callboard.kubernetes.leases import Held, WatchKey
from callboard.kubernetes.models import cluster_follower, cluster_object
from callboard.plugins import Contributed
from callboard.plugins.guard import describe
from callboard.redaction import redact

if TYPE_CHECKING:
    from callboard.host import Host

log = logging.getLogger(__name__)

OBJECTS: Final = 500
LONGEST_PAUSE: Final = 300.0
DATABASE_PAUSE: Final = 2.0
TOMBSTONES: Final = 5000

Note = Callable[[str, str, BaseException], object]
"""Records what a plugin raised: `Guard.note`."""


def register(connection: Connection, watch: int, followers: Sequence[str]) -> None:
    """Let these follow a watch, from the beginning where they are new, and nobody else."""
    found = cluster_follower.c
    others = delete(cluster_follower).where(found.watch == watch, found.follower.not_in(followers))
    connection.execute(others)
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    rows = [
        {"follower": follower, "watch": watch, "change": 0, "error": ""} for follower in followers
    ]
    if rows:
        connection.execute(dialect.insert(cluster_follower).on_conflict_do_nothing(), rows)


def bury(connection: Connection, watches: Sequence[int]) -> int:
    """Delete objects that are gone and that every follower has been told of; give how many."""
    each, found = cluster_object.c, cluster_follower.c
    passed = select(func.min(found.change)).where(found.watch == each.watch).scalar_subquery()
    done = (
        select(each.watch, each.uid)
        .where(each.watch.in_(watches), each.gone, each.change <= passed)
        .limit(TOMBSTONES)
    )
    rows = [{"of": row.watch, "lost": row.uid} for row in connection.execute(done)]
    if rows:
        one = (each.watch == bindparam("of"), each.uid == bindparam("lost"))
        connection.execute(delete(cluster_object).where(*one), rows)
    return len(rows)


@dataclass(frozen=True, slots=True)
class Portion:
    """Changes of one watch, in order; a follower that took them in has come to `last`."""

    first: int
    last: int
    objects: Sequence[ObservedObject]


def portion(connection: Connection, follower: str, watch: int) -> Portion | None:
    """Give what a follower is to be told next; None where it has been told everything."""
    found, each = cluster_follower.c, cluster_object.c
    cursor = connection.execute(
        select(found.change).where(found.follower == follower, found.watch == watch)
    ).scalar()
    if cursor is None:
        return None
    statement = (
        select(cluster_object)
        .where(each.watch == watch, each.change > cursor)
        .order_by(each.change)
        .limit(OBJECTS)
    )
    rows = connection.execute(statement).all()
    if not rows:
        return None
    return Portion(cursor, rows[-1].change, [observed(row) for row in rows])


def observed(row: Any) -> ObservedObject:
    """Give an object as plugins see it."""
    return ObservedObject(
        uid=row.uid,
        namespace=row.namespace,
        name=row.name,
        gone=row.gone,
        body=orjson.loads(zlib.decompress(row.body)),
    )


def deliver(
    database: Database, host: "Host", item: Contributed[ClusterWatch], watch: int, cluster: str
) -> bool:
    """Tell a follower what comes next; False where there was nothing. Raises what it raises.

    Its cursor moves in the transaction in which it writes, and only from where it was read: of two
    processes that tell it the same, one does nothing.
    """
    with database.read() as connection:
        given = portion(connection, item.key, watch)
    if given is None:
        return False
    found = cluster_follower.c
    with database.write() as connection:
        moved = connection.execute(
            update(cluster_follower)
            .where(
                found.follower == item.key, found.watch == watch, found.change == given.first
            )
            .values(change=given.last, failing_since=None, error="")
        )  # fmt: skip
        if moved.rowcount:
            item.value.changed(
                ObservedContext(
                    host=host, connection=connection, cluster=cluster, objects=given.objects
                )
            )
    return True


@dataclass(slots=True)
class _Followed:
    """A watch as one follower sees it. `not_before` is monotonic."""

    held: Held
    fresh: bool = True
    not_before: float = 0.0
    failures: int = 0


class Follower:
    """The thread that tells one plugin's `ClusterWatch` of the watches this process holds."""

    def __init__(
        self,
        item: Contributed[ClusterWatch],
        database: Database,
        host: "Host",
        clock: Callable[[], datetime],
        note: Note,
        *,
        pause: float = 1.0,
    ) -> None:
        self.item: Final = item
        self._database = database
        self._host = host
        self._clock = clock
        self._note = note
        self._pause = pause
        self._lock = threading.Lock()
        self._followed: dict[int, _Followed] = {}
        self._wake = threading.Event()
        self._ended = False
        self._thread = threading.Thread(target=self._run, name=f"follow-{item.key}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Let it end after what it is at; does not wait for it."""
        self._ended = True
        self._wake.set()

    def join(self, seconds: float) -> None:
        """Wait until it has ended, so long at most."""
        self._thread.join(max(0.0, seconds))

    def follow(self, held: Held) -> None:
        """Tell of a watch, from where it was left."""
        with self._lock:
            self._followed[held.watch] = _Followed(held)
        self._wake.set()

    def wake(self, watches: set[int]) -> None:
        """Say that these have changes."""
        with self._lock:
            for watch in watches & self._followed.keys():
                self._followed[watch].fresh = True
        self._wake.set()

    def _run(self) -> None:
        while not self._ended:
            self._wake.clear()
            again = self._round()
            if not self._ended:
                self._wake.wait(again)

    def _round(self) -> float | None:
        """Tell what is to be told, in turns; give seconds until the next try, None if none is due.

        A watch that has more after its portion comes again after all others.
        """
        while not self._ended:
            due = self._due()
            if not due:
                return self._until_next()
            for one in due:
                if self._ended:
                    return None
                self._tell(one)
        return None

    def _due(self) -> list[_Followed]:
        now = time.monotonic()
        with self._lock:
            for watch in [key for key, one in self._followed.items() if one.held.ended.is_set()]:
                del self._followed[watch]
            followed = self._followed.values()
            return [one for one in followed if one.fresh and one.not_before <= now]

    def _until_next(self) -> float | None:
        with self._lock:
            waiting = [one.not_before for one in self._followed.values() if one.fresh]
        return max(0.0, min(waiting) - time.monotonic()) if waiting else None

    def _tell(self, one: _Followed) -> None:
        held, one.fresh = one.held, False
        try:
            if deliver(self._database, self._host, self.item, held.watch, held.key.cluster):
                one.fresh = True
            one.failures = 0
        except NotReadyError as error:
            log.warning("%s cannot be told of clusters for the moment: %s", self.item.key, error)
            one.fresh, one.not_before = True, time.monotonic() + DATABASE_PAUSE
        except Exception as error:
            one.failures += 1
            longest = min(LONGEST_PAUSE, self._pause * 2 ** min(one.failures - 1, 10))
            pause = random.uniform(longest / 2, longest)  # noqa: S311 - no secret
            one.fresh, one.not_before = True, time.monotonic() + pause
            self._failed(held, error)

    def _failed(self, held: Held, error: Exception) -> None:
        self._note(self.item.plugin, f"cluster watch {self.item.value.name}", error)
        try:
            with self._database.write() as connection:
                record_failure(
                    connection, self.item.key, held.watch, held.key, error, self._clock()
                )
        except NotReadyError:
            log.warning("That %s fails could not be noted.", self.item.key)


def record_failure(
    connection: Connection,
    follower: str,
    watch: int,
    key: WatchKey,
    error: Exception,
    now: datetime,
) -> None:
    """Keep why a follower does not go on, for the page of clusters."""
    found = cluster_follower.c
    connection.execute(
        update(cluster_follower)
        .where(found.follower == follower, found.watch == watch)
        .values(
            failing_since=func.coalesce(found.failing_since, literal(now, UtcDateTime)),
            error=redact(describe(error)),
        )
    )
    publish_follower(connection, follower, key, now)


def behind(connection: Connection) -> Mapping[tuple[int, str], int]:
    """Give how many objects each follower has not been told of, by watch and follower."""
    found, each = cluster_follower.c, cluster_object.c
    number = (
        select(func.count())
        .select_from(cluster_object)
        .where(each.watch == found.watch, each.change > found.change)
        .correlate(cluster_follower)
        .scalar_subquery()
    )
    rows = connection.execute(select(found.watch, found.follower, number))
    return {(row[0], row[1]): row[2] for row in rows}
