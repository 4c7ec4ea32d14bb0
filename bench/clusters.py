"""Clusters: events a second into tables, fifty clusters at once, and from an event to a page."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import httpx
import psutil
from processes import BenchError, megabytes
from sqlalchemy import func, select

from callboard.database import Branch, Database, upgrade
from callboard.database.upgrade import MIGRATIONS
from callboard.kubernetes.models import cluster_object, cluster_watch

Figure = dict[str, Any]

EVENTS: Final = 20_000
STREAMS: Final = 10
CLUSTERS: Final = 50
OBJECTS: Final = 200_000
SAMPLES: Final = 200
SERVER: Final = Path(__file__).with_name("cluster_server.py")
WATCHER: Final = Path(__file__).with_name("cluster_watcher.py")
LONGEST: Final = 900.0


def measure(directory: Path, url: str, database: str) -> Figure:
    """Take all figures on one database."""
    made = Database(url)
    upgrade(made, [Branch("core", MIGRATIONS / "versions")])
    with _server(directory) as server:
        rate, size = _rate(directory, made, server)
        seconds = _to_page(directory, made, server)
        listed, memory = _many(directory, made, server)
    made.close()
    return {
        "database": database,
        "events_per_second": rate,
        "event_bytes": size,
        "page_p50": seconds[len(seconds) // 2],
        "page_p95": seconds[int(len(seconds) * 0.95)],
        "clusters": CLUSTERS,
        "objects": OBJECTS,
        "list_seconds": listed,
        "peak_megabytes": memory,
    }


def _rate(directory: Path, database: Database, server: httpx.Client) -> tuple[float, int]:
    """Let streams send as fast as they are read, and wait for the last commit."""
    server.post("/bench/reset", params={"objects": 0, "events": EVENTS // STREAMS})
    with _watcher(directory, database, server, "rate", STREAMS):
        _until(lambda: _sum(database, "rate", "connects") >= STREAMS)
        begun = time.perf_counter()
        size = int(server.post("/bench/go").json()["bytes"])
        _until(lambda: _sum(database, "rate", "events") >= EVENTS)
        return EVENTS / (time.perf_counter() - begun), size


def _to_page(directory: Path, database: Database, server: httpx.Client) -> Sequence[float]:
    """Send one event at a time beside a steady load, until a reader of tables sees it."""
    server.post("/bench/reset", params={"objects": 0, "events": 0, "steady": 100})
    found, seconds = cluster_object.c, []
    with _watcher(directory, database, server, "page", 2):
        _until(lambda: _sum(database, "page", "connects") >= 2)
        for _ in range(SAMPLES):
            begun = time.perf_counter()
            version = server.post("/bench/one").json()["version"]

            def is_seen(version: str = version) -> bool:
                with database.read() as connection:
                    return bool(connection.execute(
                        select(func.count()).where(
                            found.name == "one", found.resource_version == version
                        )
                    ).scalar())  # fmt: skip

            _until(is_seen, 0.002)
            seconds.append(time.perf_counter() - begun)
            time.sleep(0.05)
    return sorted(seconds)


def _many(directory: Path, database: Database, server: httpx.Client) -> tuple[float, float]:
    """List many clusters at once; give the seconds and the most memory that it took."""
    server.post("/bench/reset", params={"objects": OBJECTS // CLUSTERS, "events": 0})
    begun = time.perf_counter()
    with _watcher(directory, database, server, "many", CLUSTERS) as process:
        peak = 0.0

        def is_listed() -> bool:
            nonlocal peak
            peak = max(peak, megabytes(process))
            return _sum(database, "many", "lists") >= CLUSTERS

        _until(is_listed, 0.2)
        seconds = time.perf_counter() - begun
    if _sum(database, "many", "objects") != OBJECTS:
        raise BenchError(f"{_sum(database, 'many', 'objects')} objects of {OBJECTS}.")
    return seconds, peak


def _sum(database: Database, name: str, column: str) -> int:
    of = cluster_watch.c.cluster.startswith(f"{name}-")
    with database.read() as connection:
        statement = select(func.sum(cluster_watch.c[column])).where(of)
        return int(connection.execute(statement).scalar() or 0)


def _until(happened: Callable[[], bool], pause: float = 0.05) -> None:
    deadline = time.perf_counter() + LONGEST
    while not happened():
        if time.perf_counter() > deadline:
            raise BenchError("The watches did not come that far.")
        time.sleep(pause)


@contextmanager
def _server(directory: Path) -> Iterator[httpx.Client]:
    with (directory / "cluster-server.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, SERVER], stdout=subprocess.PIPE, stderr=log)
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        address = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=address, timeout=60, trust_env=False) as client:
            yield client
    finally:
        process.kill()
        process.wait()


@contextmanager
def _watcher(
    directory: Path, database: Database, server: httpx.Client, name: str, clusters: int
) -> Iterator[psutil.Popen]:
    given = {
        "url": database.url.render_as_string(hide_password=False),
        "address": str(server.base_url),
        "clusters": [f"{name}-{number}" for number in range(clusters)],
    }
    with (directory / f"watcher-{name}.log").open("wb") as log:
        process = psutil.Popen([sys.executable, WATCHER, json.dumps(given)], stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def tables(figures: Mapping[str, Any]) -> Iterator[str]:
    """Give the page's part about them."""
    found = figures.get("clusters", [])
    if not found:
        return
    size = f"{found[0]['event_bytes'] / 1000:.1f} kB"
    rows: Sequence[tuple[str, Callable[[Mapping[str, Any]], str]]] = (
        (f"events of {size} a second into tables (2,000 on PostgreSQL, 1,000 on SQLite)",
         lambda item: f"{item['events_per_second']:,.0f}"),
        ("from an event to a reader of tables, p50 / p95 (1 s)",
         lambda item: f"{item['page_p50'] * 1000:.0f} / {item['page_p95'] * 1000:.0f} ms"),
        (f"{CLUSTERS} clusters with {OBJECTS:,} objects: listed in",
         lambda item: f"{item['list_seconds']:.0f} s"),
        ("memory of the whole process meanwhile, at most",
         lambda item: f"{item['peak_megabytes']:.0f} MB"),
    )  # fmt: skip
    yield "| Clusters | " + " | ".join(item["database"] for item in found) + " |\n" + (
        "|" + "---|" * (len(found) + 1) + "\n"
    ) + "".join(
        f"| {name} | {' | '.join(tell(item) for item in found)} |\n" for name, tell in rows
    )  # fmt: skip
