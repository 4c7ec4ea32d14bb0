"""Shows plugins what a cluster has, here and now, without a cluster: for tests."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callboard.contributions import ClusterWatch
from callboard.database import Database
from callboard.kubernetes.followers import deliver, register
from callboard.kubernetes.keeping import keep
from callboard.kubernetes.leases import Leases, WatchKey
from callboard.kubernetes.model import Resource
from callboard.kubernetes.watching import packed
from callboard.plugins import Contributed

if TYPE_CHECKING:
    from callboard.host import Host


def observe(
    database: Database,
    watches: Sequence[Contributed[ClusterWatch]],
    host: Callable[[str], "Host"],
    clock: Callable[[], datetime],
    cluster: str,
    resource: Resource,
    objects: Iterable[Mapping[str, Any]],
    *,
    gone: bool = False,
) -> None:
    """Keep objects as a watch would, and tell every plugin that follows them; see `portal.observe`.

    Raises `ValueError` for an object without uid, name or version, and what a plugin raises.
    """
    key, leases = WatchKey(cluster, resource.key), Leases(database, clock)
    leases.make({key: resource})
    [held] = leases.take([key])
    followers = [item for item in watches if item.value.resource.key == resource.key]
    try:
        seen = [packed(held, resource, dict(item), gone=gone) for item in objects]
        if None in seen:
            raise ValueError("An object of a cluster has metadata.uid, name and resourceVersion.")
        with database.write() as connection:
            register(connection, held.watch, [item.key for item in followers])
            items = [item for item in seen if item is not None]
            keep(connection, items, now=clock(), clock=time.monotonic())
        for item in followers:
            while deliver(database, host(item.plugin), item, held.watch, cluster):
                pass
    finally:
        leases.release([held])
