"""Who watches what: one holder for each watch, among any number of processes.

A lease is taken with a name that is made anew each time. Whatever is written for a watch is
written only while its row still carries that name, in the same transaction: a process that slept
through its lease changes nothing any more.
"""

import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from callboard.database import Database
from callboard.kubernetes.model import Resource
from callboard.kubernetes.models import cluster_watch

LEASE: Final = timedelta(seconds=9)
"""How long a watch stays with a process that has stopped without a word."""


class WatchKey(NamedTuple):
    """What is watched: a kind, by its key, in a cluster; in all namespaces where none is named."""

    cluster: str
    resource: str
    namespace: str = ""


@dataclass(eq=False, slots=True)
class Held:
    """A watch that this process holds. `ended` is set once it does so no longer.

    `version` is where to go on from, empty where everything has to be listed.
    """

    watch: int
    key: WatchKey
    holder: str
    version: str
    listed_at: datetime | None
    ended: threading.Event = field(default_factory=threading.Event)


class Leases:
    """The leases of one process."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._process = f"{socket.gethostname()[:80]}:{os.getpid()}"
        self._held: dict[int, Held] = {}

    @property
    def held(self) -> Sequence[Held]:
        """What this process holds, as far as it knows."""
        return list(self._held.values())

    def make(self, wanted: Mapping[WatchKey, Resource]) -> None:
        """Make the rows that are missing."""
        with self._database.read() as connection:
            there = {WatchKey(*row) for row in connection.execute(select(*_KEY))}
        missing = [key for key in wanted if key not in there]
        if missing:
            with self._database.write() as connection:
                _insert(connection, [_new(key, wanted[key].kind) for key in missing])

    def take(self, wanted: Iterable[WatchKey]) -> list[Held]:
        """Take those that nobody holds, and give them."""
        now, keys = self._clock(), set(wanted)
        free = or_(
            cluster_watch.c.holder == "",
            cluster_watch.c.held_until.is_(None),
            cluster_watch.c.held_until < now,
        )
        found = select(cluster_watch).where(free).order_by(cluster_watch.c.id)
        with self._database.read() as connection:
            if not any(WatchKey(*row) in keys for row in connection.execute(_keys(found))):
                return []
        taken = []
        with self._database.write() as connection:
            for row in connection.execute(found.with_for_update(skip_locked=True)):
                key = WatchKey(row.cluster, row.resource, row.namespace)
                if key in keys:
                    name = f"{self._process}:{secrets.token_hex(6)}"
                    taken.append(Held(row.id, key, name, row.resource_version, row.listed_at))
            if taken:
                connection.execute(
                    _BY_ID.values(holder=bindparam("name"), held_until=now + LEASE),
                    [{"watch": held.watch, "name": held.holder} for held in taken],
                )
        for held in taken:
            self._lose(self._held.get(held.watch))
            self._held[held.watch] = held
        return taken

    def renew(self) -> list[Held]:
        """Keep what is held for longer, and give what was lost meanwhile."""
        if not self._held:
            return []
        until = self._clock() + LEASE
        with self._database.write() as connection:
            holders = holders_of(connection, self._held)
            lost = [held for held in self.held if holders.get(held.watch) != held.holder]
            kept = [held.watch for held in self.held if held not in lost]
            if kept:
                connection.execute(
                    update(cluster_watch)
                    .where(cluster_watch.c.id.in_(kept))
                    .values(held_until=until)
                )
        for held in lost:
            self._lose(held)
        return lost

    def release(self, several: Iterable[Held]) -> None:
        """Let others take these at once."""
        # In the order in which writers lock rows, so that they never wait for each other.
        given = sorted(several, key=lambda held: held.watch)
        for held in given:
            self._lose(held)
        if given:
            with self._database.write() as connection:
                connection.execute(
                    _BY_ID.where(cluster_watch.c.holder == bindparam("name")).values(
                        holder="", held_until=None
                    ),
                    [{"watch": held.watch, "name": held.holder} for held in given],
                )

    def take_over(self) -> None:
        """Let what an earlier process held be taken at once, not after its lease.

        Only for a process that is the only one on its database.
        """
        with self._database.write() as connection:
            connection.execute(update(cluster_watch).values(holder="", held_until=None))

    def _lose(self, held: Held | None) -> None:
        if held is not None:
            held.ended.set()
            if self._held.get(held.watch) is held:
                del self._held[held.watch]


def holders_of(connection: Connection, watches: Iterable[int]) -> dict[int, str]:
    """Give who holds watches; their rows cannot change until the transaction ends."""
    statement = (
        select(cluster_watch.c.id, cluster_watch.c.holder)
        .where(cluster_watch.c.id.in_(list(watches)))
        .order_by(cluster_watch.c.id)
        .with_for_update()
    )
    return {row.id: row.holder for row in connection.execute(statement)}


_KEY: Final = (cluster_watch.c.cluster, cluster_watch.c.resource, cluster_watch.c.namespace)
_BY_ID: Final = update(cluster_watch).where(cluster_watch.c.id == bindparam("watch"))


def _keys(statement: Any) -> Any:
    return statement.with_only_columns(*_KEY)


def _new(key: WatchKey, kind: str) -> dict[str, Any]:
    return {
        **key._asdict(),
        "kind": kind[:63],
        "state": "waiting",
        "error": "",
        "resource_version": "",
        "change": 0,
        "objects": 0,
        "lag": 0.0,
        "events": 0,
        "lists": 0,
        "connects": 0,
        "holder": "",
    }


def _insert(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    connection.execute(dialect.insert(cluster_watch).on_conflict_do_nothing(), list(rows))
