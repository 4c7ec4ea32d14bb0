"""Runs of pipelines: pages among very many, logs as they are written, many readers at once."""

import asyncio
import contextlib
import re
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import httpx
import yaml
from pipeline_rows import (
    NAMESPACE,
    RUNS,
    TASKS,
    descriptors,
    newest,
    run_body,
    task_body,
    write_past,
)
from processes import BenchError, Portal, free_port, run, serving
from sqlalchemy import func, select

from callboard.database import Database
from callboard_ci_tekton import models
from callboard_sandbox.api.access import Access, kept_tokens
from callboard_sandbox.api.application import Application
from callboard_sandbox.api.server import Server
from callboard_sandbox.api.store import Store
from callboard_sandbox.kubeconfig import write_kubeconfig

Figure = dict[str, Any]

CLUSTER: Final = "sandbox"
REQUESTS: Final = 150
WARM_UP: Final = 20
LONGEST: Final = 600.0
BACKLOG: Final = 20_000
READERS: Final = 50
SAMPLES: Final = 40
FIRST_LINES: Final = 10
LINE: Final = "[INFO] 2026-03-02 07:00:00,123 Downloaded org.example:library:jar:1.2.3 (42 kB)"


def measure(directory: Path, url: str, database: str) -> Figure:
    """Take all figures on one database."""
    descriptors(directory / "services")
    with _cluster(directory / "cluster") as store:
        port = free_port()
        config = _configure(directory, url, port)
        run(config, "db", "upgrade")
        run(config, "catalog", "refresh")
        write_past(url)
        made = Database(url)
        with serving(config, port) as portal:
            matched = _until_matched(made)
            found = {
                "database": database,
                "matched_seconds": matched,
                "pages": _pages(portal.client),
                **_followed(store, made, portal, port),
                "to_page": _to_page(store, portal.client),
            }
        made.close()
    return found


def _configure(directory: Path, url: str, port: int) -> Path:
    source = {"name": "services", "type": "folder", "path": str(directory / "services"),
              "paths": ["*.yaml"], "schedule": "1h"}  # fmt: skip
    cluster = {"name": CLUSTER, "kubeconfig": str(directory / "cluster/kubeconfig")}
    settings = {
        "access": {"anonymous": "administrator"},
        "portal": {"listen": f"127.0.0.1:{port}"},
        "database": {"url": url},
        "jobs": {"queue_file": str(directory / "queue.sqlite3")},
        "catalog": {"sources": [source]},
        "kubernetes": {"clusters": [cluster]},
        "plugins": {
            "enable": ["ci_tekton"],
            "settings": {"ci_tekton": {"keep_runs": RUNS}},
        },
    }
    path = directory / "callboard.yaml"
    path.write_text(yaml.safe_dump(settings), "utf-8")
    return path


@contextmanager
def _cluster(folder: Path) -> Iterator[Store]:
    """Serve an API server without controllers: what happens in it is what is written here."""
    folder.mkdir(mode=0o700)
    tokens = kept_tokens(folder)
    store = Store(folder, clock=lambda: datetime.now(UTC))
    server = Server(Application(store, Access(tokens)), port=0)
    server.start()
    try:
        write_kubeconfig(folder / "kubeconfig", server.address, tokens)
        if store.find("namespaces", "", NAMESPACE) is None:
            store.create("namespaces", {"metadata": {"name": NAMESPACE}})
        yield store
    finally:
        server.stop()
        store.end_waits()
        store.close()


def _until_matched(database: Database) -> float:
    """Wait until each run has its service; give the seconds since the portal was ready."""
    begun = time.perf_counter()
    lacking = select(func.count()).where(models.run.c.matched.is_(False))
    _until(lambda: not _scalar(database, lacking), 0.5)
    return time.perf_counter() - begun


def _pages(client: httpx.Client) -> Mapping[str, Figure]:
    tab = "/catalog/default/component/service-{}/ci_tekton.runs"
    others = [tab.format(number) for number in range(1, 31)]
    runs = [f"/ci_tekton/runs/{number}" for number in newest(0, 60)]
    return {
        "tab of a service with 4,000 runs": _latency(client, [tab.format(0)]),
        "tab of one with 160, failed ones": _latency(
            client, [f"{path}?state=failed" for path in others]
        ),
        "page of a run": _latency(client, runs),
        "list of all runs": _latency(client, ["/ci_tekton/"]),
        "list of all runs, failed ones": _latency(client, ["/ci_tekton/?state=failed"]),
    }


def _latency(client: httpx.Client, paths: Sequence[str]) -> Figure:
    """Ask pages in turn; milliseconds in the server."""
    taken = []
    for number in range(WARM_UP + REQUESTS):
        path = paths[number % len(paths)]
        response = client.get(path)
        if response.status_code != 200:
            raise BenchError(f"{path} answered {response.status_code}: {response.text[:500]}")
        told = re.search(
            r"\btotal;(?:[^,]*;)?dur=([\d.]+)", response.headers.get("server-timing", "")
        )
        if told is None:
            raise BenchError(f"{path} does not say how long it took.")
        taken.append(float(told[1]))
    cuts = statistics.quantiles(taken[WARM_UP:], n=100)
    return {"p50": cuts[49], "p95": cuts[94], "bytes": len(response.content)}


def _create_running(store: Store, name: str, task: int = 3) -> str:
    """Let a run begin whose task writes a log; give the name of its pod."""
    body = run_body(name, 1, datetime.now(UTC), state="Unknown")
    made = store.create("pipelineruns.tekton.dev", body)
    child = task_body(made, task, state="Unknown")
    store.create("taskruns.tekton.dev", child)
    running = {"running": {"startedAt": child["status"]["startTime"]}}
    containers = [item["container"] for item in child["status"]["steps"]]
    pod = {
        "metadata": {"name": child["status"]["podName"], "namespace": NAMESPACE},
        "spec": {"nodeName": "node", "containers": [{"name": item} for item in containers]},
        "status": {
            "phase": "Running",
            "containerStatuses": [
                {"name": item, "restartCount": 0, "ready": True, "state": running}
                for item in containers
            ],
        },
    }
    return str(store.create("pods", pod)["metadata"]["name"])


def _followed(store: Store, database: Database, portal: Portal, port: int) -> Figure:
    """Follow logs while they are written: the first line of some, then one with many readers."""
    firsts = []
    for number in range(FIRST_LINES):
        pod = _create_running(store, f"first-{number}")
        path = _log_path(database, pod)
        firsts.append(asyncio.run(_first_line(store, port, pod, path)))
    pod = _create_running(store, "many")
    for _ in range(BACKLOG // 1000):
        store.append_log(NAMESPACE, pod, "step-work", [LINE] * 1000)
    path = _log_path(database, pod)
    before = portal.megabytes
    lines, peak = asyncio.run(_many_readers(store, port, pod, path, portal))
    return {
        "first_line": {"p50": statistics.median(firsts), "worst": max(firsts)},
        "line_to_all": {"p50": statistics.median(lines), "worst": max(lines)},
        "readers": READERS,
        "readers_megabytes": peak - before,
    }


def _log_path(database: Database, pod: str) -> str:
    """Wait until the portal knows the task of a pod; give the address of its log."""
    task = select(models.task.c.id).where(
        models.task.c.cluster == CLUSTER, models.task.c.pod == pod, models.task.c.run_id > 0
    )
    _until(lambda: _scalar(database, task), 0.02)
    return f"/api/plugins/ci_tekton/logs/{_scalar(database, task)}/step-work"


class _Reader:
    """One who follows a log, and when the last line came that they waited for."""

    def __init__(self) -> None:
        self.waited = b""
        self.heard = 0.0
        self.came = asyncio.Event()

    async def open(self, port: int, path: str) -> None:
        reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
        self.writer.write(f"GET {path}/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise BenchError(f"The log was refused: {await reader.read(500)!r}")
        self.task = asyncio.create_task(self._follow(reader))

    async def _follow(self, reader: asyncio.StreamReader) -> None:
        tail = b""
        while data := await reader.read(65536):
            if self.waited and self.waited in tail + data:
                self.heard, self.waited = time.perf_counter(), b""
                self.came.set()
            tail = (tail + data)[-200:]

    def wait_for(self, words: str) -> None:
        self.came.clear()
        self.waited = words.encode()

    async def close(self) -> None:
        self.task.cancel()
        self.writer.close()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await self.task


async def _first_line(store: Store, port: int, pod: str, path: str) -> float:
    """Give the seconds until a reader has the first line of a log that had none."""
    reader = _Reader()
    await reader.open(port, path)
    await asyncio.sleep(1)
    seconds = await _until_heard(store, pod, [reader], "the first line")
    await reader.close()
    return seconds


async def _until_heard(store: Store, pod: str, readers: Sequence[_Reader], words: str) -> float:
    for reader in readers:
        reader.wait_for(words)
    begun = time.perf_counter()
    await asyncio.to_thread(store.append_log, NAMESPACE, pod, "step-work", [words])
    async with asyncio.timeout(LONGEST):
        await asyncio.gather(*(reader.came.wait() for reader in readers))
    return max(reader.heard for reader in readers) - begun


async def _many_readers(
    store: Store, port: int, pod: str, path: str, portal: Portal
) -> tuple[list[float], float]:
    """Let many follow one log that has a backlog; give how soon all have a line, and the peak."""
    readers, peak = [_Reader() for _ in range(READERS)], portal.megabytes
    for reader in readers:
        reader.wait_for("written at last")
    await asyncio.gather(*(reader.open(port, path) for reader in readers))
    await asyncio.to_thread(store.append_log, NAMESPACE, pod, "step-work", ["written at last"])
    waiting = asyncio.gather(*(reader.came.wait() for reader in readers))
    while not waiting.done():
        peak = max(peak, portal.megabytes)
        await asyncio.sleep(0.02)
    lines = []
    for number in range(SAMPLES):
        lines.append(await _until_heard(store, pod, readers, f"line {number} to all"))
        peak = max(peak, portal.megabytes)
        await asyncio.sleep(0.05)
    await asyncio.gather(*(reader.close() for reader in readers))
    return lines, peak


def _to_page(store: Store, client: httpx.Client) -> Figure:
    """Create runs, and ask the tab of their service until each stands there."""
    tab, taken = "/catalog/default/component/service-1/ci_tekton.runs", []
    for number in range(SAMPLES):
        name = f"seen-{number}"
        begun = time.perf_counter()
        store.create("pipelineruns.tekton.dev", run_body(name, 1, datetime.now(UTC)))
        _until(partial(_shows, client, tab, f"{NAMESPACE}/{name}"), 0.005)
        taken.append(time.perf_counter() - begun)
    cuts = statistics.quantiles(taken, n=100)
    return {"p50": cuts[49], "p95": cuts[94]}


def _shows(client: httpx.Client, path: str, words: str) -> bool:
    return words in client.get(path).text


def _scalar(database: Database, query: Any) -> Any:
    with database.read() as connection:
        return connection.execute(query).scalar()


def _until(happened: Callable[[], Any], pause: float) -> None:
    deadline = time.perf_counter() + LONGEST
    while not happened():
        if time.perf_counter() > deadline:
            raise BenchError("The portal did not come that far.")
        time.sleep(pause)


def tables(figures: Mapping[str, Any]) -> Iterator[str]:
    """Give the page's part about them."""
    found = figures.get("runs", [])
    if not found:
        return
    bounds = {"page of a run": 50}
    rows = [
        [f"{name}, p50 / p95 ({bounds.get(name, 30)} ms)",
         *(f"{item['pages'][name]['p50']:.1f} / {item['pages'][name]['p95']:.1f} ms"
           for item in found)]
        for name in found[0]["pages"]
    ]  # fmt: skip
    tells: Sequence[tuple[str, Callable[[Mapping[str, Any]], str]]] = (
        ("from a run in the cluster to its service's page, p50 / p95 (1 s)",
         lambda item: _pair(item["to_page"], "p95")),
        ("first line of a log with a reader, p50 / worst (300 ms)",
         lambda item: _pair(item["first_line"], "worst")),
        (f"a line to all of {READERS} readers of one log, p50 / worst",
         lambda item: _pair(item["line_to_all"], "worst")),
        (f"memory more for {READERS} readers of {BACKLOG:,} lines (150 MB)",
         lambda item: f"{item['readers_megabytes']:.0f} MB"),
        (f"{RUNS:,} runs matched with their services",
         lambda item: f"{item['matched_seconds']:.0f} s"),
    )  # fmt: skip
    rows += [[name, *(tell(item) for item in found)] for name, tell in tells]
    head = f"{RUNS:,} pipeline runs with {RUNS * len(TASKS):,} task runs"
    names = " | ".join(item["database"] for item in found)
    yield (
        f"| {head} | {names} |\n|" + "---|" * (len(found) + 1) + "\n"
        + "".join(f"| {' | '.join(row)} |\n" for row in rows)
    )  # fmt: skip


def _pair(figure: Mapping[str, float], last: str) -> str:
    return f"{figure['p50'] * 1000:.0f} / {figure[last] * 1000:.0f} ms"
