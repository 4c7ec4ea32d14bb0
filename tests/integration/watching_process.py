"""A process that watches: DATABASE_URL SERVER SECONDS as arguments. It runs until it is killed.

Its plugin writes what it is told into the table `told`, a row for each object. With SECONDS it
takes as long for each portion, with the transaction open.
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from sqlalchemy import Boolean, Column, Integer, MetaData, String, Table, delete, insert
from watched_cluster import CONFIG_MAPS

from callboard.contributions import ClusterWatch, ObservedContext
from callboard.database import Database
from callboard.kubernetes.client import ClusterClient
from callboard.kubernetes.connection import Connection
from callboard.kubernetes.model import Resource
from callboard.kubernetes.settings import ClusterSettings
from callboard.kubernetes.supervising import Watching
from callboard.plugins import Contributed

metadata = MetaData()
told = Table(
    "told",
    metadata,
    Column("uid", String(80), primary_key=True),
    Column("version", String(100)),
    Column("gone", Boolean),
    Column("times", Integer),
)


def keep_told(seconds: float = 0.0) -> Callable[[ObservedContext], None]:
    """Give what keeps in `told` what it is told."""

    def changed(context: ObservedContext) -> None:
        for item in context.objects:
            context.connection.execute(delete(told).where(told.c.uid == item.uid))
            version = item.body["metadata"]["resourceVersion"]
            values = {"uid": item.uid, "version": version, "gone": item.gone, "times": 1}
            context.connection.execute(insert(told).values(values))
        time.sleep(seconds)

    return changed


def settings(address: str, name: str = "one", **more: Any) -> ClusterSettings:
    return ClusterSettings(name=name, server=address, **more)


def make_watching(
    database: Database,
    clusters: list[ClusterSettings],
    watches: list[Contributed[ClusterWatch]],
    *,
    note: Callable[[str, str, BaseException], object] = lambda *_: None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    pause: float = 0.1,
) -> Watching:
    """Put the engine together as the portal does, with short pauses."""
    clients = {one.name: ClusterClient(one, Connection(one)) for one in clusters}
    host: Any = SimpleNamespace(read=database.read, write=database.write)
    return Watching(
        database,
        clusters,
        watches,
        source=clients.__getitem__,
        host=lambda _plugin: host,
        clock=clock,
        note=note,
        tick=0.1,
        pause=pause,
    )


def watch(
    name: str = "told",
    resource: Resource = CONFIG_MAPS,
    changed: Callable[[ObservedContext], None] | None = None,
    plugin: str = "hello",
) -> Contributed[ClusterWatch]:
    given = changed or keep_told()
    return Contributed(plugin, ClusterWatch(name=name, resource=resource, changed=given))


def main() -> None:
    url, address, seconds = sys.argv[1:]
    watches = [watch(changed=keep_told(float(seconds)))]
    make_watching(Database(url), [settings(address)], watches).start()
    print("ready", flush=True)
    time.sleep(600)


if __name__ == "__main__":
    main()
