"""A process that watches many clusters; takes JSON with `url`, `address` and `clusters`.

A plugin that keeps nothing follows, so that what it costs to be told is in the figures.
"""

import json
import signal
import sys
import threading
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from callboard.contributions import ClusterWatch
from callboard.database import Database
from callboard.kubernetes.client import ClusterClient
from callboard.kubernetes.connection import Connection
from callboard.kubernetes.model import Resource
from callboard.kubernetes.settings import ClusterSettings
from callboard.kubernetes.supervising import Watching
from callboard.plugins import Contributed

TASK_RUNS = Resource("tekton.dev", "v1", "taskruns", "TaskRun")


def main() -> None:
    given = json.loads(sys.argv[1])
    database = Database(given["url"])
    clusters = [
        ClusterSettings(name=name, server=given["address"].rstrip("/"))
        for name in given["clusters"]
    ]
    clients = {one.name: ClusterClient(one, Connection(one)) for one in clusters}
    host: Any = SimpleNamespace(read=database.read, write=database.write)
    item = ClusterWatch(name="runs", resource=TASK_RUNS, changed=lambda _: None)
    watching = Watching(
        database,
        clusters,
        [Contributed("bench", item)],
        source=clients.__getitem__,
        host=lambda _: host,
        clock=lambda: datetime.now(UTC),
        note=lambda *_: None,
    )
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    watching.start()
    ended.wait()
    watching.stop(10)


if __name__ == "__main__":
    main()
