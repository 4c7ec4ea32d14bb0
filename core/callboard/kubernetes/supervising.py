"""Decides what is watched, and keeps it watched: by this process or by another one."""

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, or_, select

from callboard.contributions import ClusterWatch
from callboard.database import Database
from callboard.errors import NotReadyError
from callboard.kubernetes import followers
from callboard.kubernetes.followers import Follower, Note
from callboard.kubernetes.inbox import Inbox
from callboard.kubernetes.leases import Held, Leases, WatchKey
from callboard.kubernetes.model import Resource
from callboard.kubernetes.models import cluster_object, cluster_watch
from callboard.kubernetes.settings import ClusterSettings
from callboard.kubernetes.watching import Lanes, Reader, Source
from callboard.kubernetes.writing import Writer
from callboard.plugins import Contributed

if TYPE_CHECKING:
    from callboard.host import Host

log = logging.getLogger(__name__)

TICK: Final = 2.0
"""Seconds between looks at the leases; four of them fit into a lease."""
TIDYING: Final = 10.0
FORGOTTEN: Final = timedelta(hours=1)
"""After how long a watch that nobody asks for any more is deleted with its objects."""
OBJECTS_AT_ONCE: Final = 2000


class Watching:
    """All watches of the clusters of the settings, as far as this process takes part."""

    def __init__(
        self,
        database: Database,
        clusters: Sequence[ClusterSettings],
        contributed: Sequence[Contributed[ClusterWatch]],
        *,
        source: Callable[[str], Source],
        host: Callable[[str], "Host"],
        clock: Callable[[], datetime],
        note: Note,
        tick: float = TICK,
        pause: float = 1.0,
    ) -> None:
        self._database = database
        self._source = source
        self._clock = clock
        self._tick = tick
        self._pause = pause
        self._chosen = wanted(clusters, contributed, host, note)
        self._resources = {key: items[0].value.resource for key, items in self._chosen.items()}
        self._leases = Leases(database, clock)
        self._inbox = Inbox()
        self._followers = {
            item.key: Follower(item, database, host(item.plugin), clock, note, pause=pause)
            for item in contributed
        }
        self._writer = Writer(database, self._inbox, self._wake, clock)
        self._lanes = Lanes()
        self._readers: dict[int, Reader] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cluster-watches", daemon=True)
        self._started = False
        self._tidy_at = 0.0

    def start(self, *, alone: bool = False) -> None:
        """Begin; `alone` where no other process is on the database.

        Without clusters or plugins that watch them nothing is begun.
        """
        if alone:
            self._leases.take_over()
        if not self._chosen:
            self.tidy()
            return
        self._started = True
        self._writer.start()
        for follower in self._followers.values():
            follower.start()
        self._thread.start()

    def stop(self, seconds: float = 2.0) -> None:
        """End everything, write what has come, and let others take over."""
        if not self._started:
            return
        until = time.monotonic() + seconds
        self._ended.set()
        self._thread.join(max(0.1, until - time.monotonic()))
        readers, held = list(self._readers.values()), self._leases.held
        self._inbox.close()
        self._writer.stop(max(0.1, until - time.monotonic()))
        for reader in readers:
            reader.stop()
        for follower in self._followers.values():
            follower.stop()
        for reader in readers:
            reader.join(until - time.monotonic())
        for follower in self._followers.values():
            follower.join(until - time.monotonic())
        try:
            self._leases.release(held)
        except NotReadyError:
            log.warning("The watches are not given back; others take them over in some seconds.")

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self.look()
            except NotReadyError as error:
                log.warning("The watches of clusters cannot be looked after: %s", error)
            except Exception:
                log.exception("Looking after the watches of clusters failed; it is tried again.")
            self._ended.wait(self._tick)

    def look(self) -> None:
        """Keep what is held, let go of what has ended, take what is free."""
        self._leases.renew()
        ended = [held for held in self._leases.held if held.ended.is_set()]
        self._leases.release(ended)
        for watch, reader in list(self._readers.items()):
            if reader.held.ended.is_set():
                reader.stop()
                del self._readers[watch]
        is_due = time.monotonic() >= self._tidy_at
        if is_due:
            self._tidy_at = time.monotonic() + TIDYING
            self._leases.make(self._resources)
        for held in self._leases.take(self._chosen):
            self._begin(held)
        if is_due:
            self.tidy()

    def _begin(self, held: Held) -> None:
        names = [item.key for item in self._chosen[held.key]]
        with self._database.write() as connection:
            followers.register(connection, held.watch, names)
        cluster = held.key.cluster
        reader = Reader(
            held,
            self._resources[held.key],
            lambda: self._source(cluster),
            self._inbox,
            self._lanes,
            self._clock,
            pause=self._pause,
        )
        self._readers[held.watch] = reader
        reader.start()
        for name in names:
            self._followers[name].follow(held)

    def _wake(self, watches: set[int]) -> None:
        for follower in self._followers.values():
            follower.wake(watches)

    def tidy(self) -> None:
        """Delete what every follower knows to be gone, and watches that nobody asks for."""
        held = [each.watch for each in self._leases.held]
        if held:
            with self._database.write() as connection:
                followers.bury(connection, held)
        for watch in self._unwanted():
            self._forget(watch)

    def _unwanted(self) -> list[int]:
        found, now = cluster_watch.c, self._clock()
        unseen = or_(found.seen_at.is_(None), found.seen_at < now - FORGOTTEN)
        unheld = or_(found.held_until.is_(None), found.held_until < now - FORGOTTEN)
        statement = select(found.id, found.cluster, found.resource, found.namespace)
        with self._database.read() as connection:
            rows = connection.execute(statement.where(unseen, unheld)).all()
        return [row[0] for row in rows if WatchKey(*row[1:]) not in self._chosen]

    def _forget(self, watch: int) -> None:
        """Delete a watch, or some of its objects where it has many; the rest follows."""
        each = cluster_object.c
        some = select(each.uid).where(each.watch == watch).limit(OBJECTS_AT_ONCE)
        with self._database.write() as connection:
            number = connection.execute(
                delete(cluster_object).where(each.watch == watch, each.uid.in_(some))
            ).rowcount
            if number < OBJECTS_AT_ONCE:
                connection.execute(delete(cluster_watch).where(cluster_watch.c.id == watch))


def wanted(
    clusters: Sequence[ClusterSettings],
    contributed: Sequence[Contributed[ClusterWatch]],
    host: Callable[[str], "Host"],
    note: Note,
) -> Mapping[WatchKey, Sequence[Contributed[ClusterWatch]]]:
    """Give what is to be watched, and for whom: one watch for all who ask for the same."""
    chosen: dict[WatchKey, list[Contributed[ClusterWatch]]] = {}
    for item in contributed:
        names = _chosen_clusters(item, host, note)
        for cluster in clusters:
            if names is None or cluster.name in names:
                for key in _keys(cluster, item.value.resource):
                    chosen.setdefault(key, []).append(item)
    return chosen


def _chosen_clusters(
    item: Contributed[ClusterWatch], host: Callable[[str], "Host"], note: Note
) -> frozenset[str] | None:
    if item.value.clusters is None:
        return None
    try:
        given = item.value.clusters(host(item.plugin))
    except Exception as error:
        note(item.plugin, f"cluster watch {item.value.name}", error)
        return frozenset()
    return None if given is None else frozenset(given)


def _keys(cluster: ClusterSettings, resource: Resource) -> Iterator[WatchKey]:
    namespaces = cluster.namespaces if resource.namespaced else []
    for namespace in namespaces or [""]:
        yield WatchKey(cluster.name, resource.key, namespace)
