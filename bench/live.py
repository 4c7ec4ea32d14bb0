"""What open pages cost: many real streams of server-sent events on one process."""

import asyncio
import resource
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
from catalogs import configure
from processes import BenchError, Portal, free_port, run, serving

from callboard import events
from callboard.database import Database

IDLE_SECONDS = 20
EVENTS = 5
CONNECTED_SECONDS = 60
HEARD_SECONDS = 30
AT_ONCE = 50
SUBJECT = "component:default/bench"


@dataclass
class Page:
    """One open page: when it heard of the last change, and how much came in all."""

    received: int = 0
    heard: float = 0.0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self, port: int, gate: asyncio.Semaphore) -> None:
        """Connect and wait for the first sign of life."""
        async with gate:
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", port)
            self.writer.write(b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            head = await self.reader.readuntil(b"\r\n\r\n")
            if b" 200 " not in head.partition(b"\r\n")[0]:
                raise BenchError(f"The stream was refused: {head[:80]!r}")
            await self.reader.readuntil(b"event: beat")

    async def follow(self) -> None:
        """Read until the connection ends."""
        while data := await self.reader.read(65536):
            self.received += len(data)
            if SUBJECT.encode() in data:
                self.heard = time.perf_counter()
                self.changed.set()


def open_pages(folder: Path, url: str, readers: int) -> dict[str, Any]:
    """Open `readers` streams; give processor time, memory, and how soon all hear of an event.

    Events are written by another process, so the portal finds them by its look at the log once
    a second: `to_first` holds that, `to_all` is what telling the others takes after the first.
    """
    _allow_files(readers + 200)
    port = free_port()
    config = configure(folder, database=url, port=port, catalog=None)
    run(config, "db", "upgrade")
    with serving(config, port) as portal:
        portal.client.get("/")
        return asyncio.run(_measure(portal, url, port, readers))


async def _measure(portal: Portal, url: str, port: int, readers: int) -> dict[str, Any]:
    before = await _cost(portal.process)
    began = time.perf_counter()
    pages = [Page() for _ in range(readers)]
    gate = asyncio.Semaphore(AT_ONCE)
    async with asyncio.timeout(CONNECTED_SECONDS):
        await asyncio.gather(*(page.open(port, gate) for page in pages))
    connected = time.perf_counter() - began
    following = [asyncio.create_task(page.follow()) for page in pages]
    await asyncio.sleep(2)
    open_cost = await _cost(portal.process)
    database = Database(url)
    minutes = (time.perf_counter() - began) / 60
    received = round(sum(page.received for page in pages) / readers / minutes)
    told = [await _tell(database, pages) for _ in range(EVENTS)]
    page_milliseconds = await asyncio.to_thread(_page_time, portal)
    for task in following:
        task.cancel()
    for page in pages:
        page.writer.close()
    database.close()
    return {
        "readers": readers,
        "connect_seconds": connected,
        "idle_cores_before": before["cores"],
        "idle_cores": open_cost["cores"],
        "megabytes_before": before["megabytes"],
        "megabytes": open_cost["megabytes"],
        "to_first_seconds": max(first for first, _ in told),
        "to_all_seconds": max(others for _, others in told),
        "bytes_per_page_and_minute": received,
        "page_milliseconds": page_milliseconds,
    }


async def _cost(process: psutil.Popen) -> dict[str, float]:
    """Give the share of one core that a process takes while nothing happens, and its memory."""
    begin, times = time.perf_counter(), process.cpu_times()
    await asyncio.sleep(IDLE_SECONDS)
    later, seconds = process.cpu_times(), time.perf_counter() - begin
    spent = later.user + later.system - times.user - times.system
    memory = process.memory_info().rss / 1e6
    return {"cores": spent / seconds, "megabytes": memory, "seconds": seconds}


async def _tell(database: Database, pages: list[Page]) -> tuple[float, float]:
    for page in pages:
        page.changed.clear()
    began = time.perf_counter()
    await asyncio.to_thread(_publish, database)
    async with asyncio.timeout(HEARD_SECONDS):
        await asyncio.gather(*(page.changed.wait() for page in pages))
    heard = sorted(page.heard for page in pages)
    return heard[0] - began, heard[-1] - heard[0]


def _publish(database: Database) -> None:
    with database.write() as connection:
        events.publish(connection, "catalog.entity.updated", SUBJECT, at=datetime.now(UTC))


def _page_time(portal: Portal) -> float:
    """Give the median time of a page while all the others are open, in milliseconds."""
    found = []
    for _ in range(50):
        begin = time.perf_counter()
        portal.client.get("/sources")
        found.append((time.perf_counter() - begin) * 1000)
    return sorted(found)[len(found) // 2]


def _allow_files(number: int) -> None:
    """Let this process, and the portal it starts, hold that many connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < number:
        raise BenchError(f"{number} open files are needed; this user may have {hard}.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, number), hard))
