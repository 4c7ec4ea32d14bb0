"""The audit log under load: entries a second by several writers, and what a page costs beside them.

Run as `audit.py write URL NAME RATE SECONDS` it is a writer, as `audit.py seal URL SECONDS` a
further replica that seals.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy
from processes import BenchError, Portal, run, serving

WRITERS = 4
REPLICAS = 2
"""Processes that seal beside the portal, on PostgreSQL."""

RATE = 500
SECONDS = 10
SEALED_SECONDS = 60
ROUNDS = 5
REQUESTS = 60
PAGE = "/catalog"


def measure(config: Path, url: str, port: int) -> dict[str, Any]:
    """Give the most entries a second, and the page's time without and with `RATE` of them."""
    with serving(config, port) as portal, ExitStack() as stack:
        if not url.startswith("sqlite"):
            for _ in range(REPLICAS):
                stack.enter_context(_process("seal", url, str(10 * SEALED_SECONDS)))
        most = _most(url)
        page = _page(portal, url)
        verified = run(config, "audit", "verify")
    if "is whole" not in verified.output:
        raise BenchError(f"The log is not whole:\n{verified.output[-2000:]}")
    return {"writers": WRITERS, "rate": RATE, **most, **page, "verify_seconds": verified.seconds}


def _most(url: str) -> dict[str, float]:
    """Let every writer write as fast as it can, one entry in each transaction."""
    before = _counts(url)
    begin = time.perf_counter()
    with _writing(url, 0):
        time.sleep(SECONDS)
    seconds = time.perf_counter() - begin
    written = _counts(url)["entries"] - before["entries"]
    ended = time.perf_counter()
    while _counts(url)["waiting"]:
        if time.perf_counter() - ended > SEALED_SECONDS:
            raise BenchError("The entries were not sealed in time.")
        time.sleep(0.02)
    behind = time.perf_counter() - ended
    return {"entries_per_second": written / seconds, "sealed_after_seconds": behind}


def _page(portal: Portal, url: str) -> dict[str, Any]:
    """Take the page's time in turns, so that what else the machine does counts for both.

    The writers stand for replicas on other machines: they let the portal and the database go first.
    """
    alone: list[float] = []
    beside: list[float] = []
    entries = seconds = 0.0
    _times(portal.client)
    for _ in range(ROUNDS):
        alone += _times(portal.client)
        with _writing(url, RATE / WRITERS):
            time.sleep(1)  # until all of them are under way
            before, begin = _counts(url), time.perf_counter()
            beside += _times(portal.client)
            entries += _counts(url)["entries"] - before["entries"]
            seconds += time.perf_counter() - begin
    p50_alone, p50_beside = statistics.median(alone), statistics.median(beside)
    return {
        "page": PAGE,
        "page_alone": p50_alone,
        "page_beside": p50_beside,
        "slower_percent": (p50_beside / p50_alone - 1) * 100,
        "beside_entries_per_second": entries / seconds,
    }


def _times(client: httpx.Client) -> list[float]:
    """Give the times in the server, in milliseconds."""
    found = []
    for _ in range(REQUESTS):
        response = client.get(PAGE)
        response.raise_for_status()
        timing = response.headers["server-timing"]
        found.append(float(timing.partition("total;dur=")[2].split(",")[0]))
    return found


@contextmanager
def _writing(url: str, rate: float) -> Iterator[None]:
    with ExitStack() as stack:
        for number in range(WRITERS):
            arguments = ("write", url, f"bench-{number}", str(rate), str(SEALED_SECONDS))
            stack.enter_context(_process(*arguments))
        yield


@contextmanager
def _process(*arguments: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, __file__, *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None
    if process.stdout.readline() != b"begun\n":
        raise BenchError(f"{' '.join(arguments)} did not begin.")
    try:
        yield
        if process.poll():
            raise BenchError(f"{' '.join(arguments)} ended with {process.returncode}.")
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _counts(url: str) -> dict[str, int]:
    engine = sqlalchemy.create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        found = {
            name: connection.execute(sqlalchemy.text(f"SELECT count(*) FROM {table}")).scalar_one()
            for name, table in (("entries", "audit_entry"), ("waiting", "audit_unsealed"))
        }
    engine.dispose()
    return found


# The processes beside the portal


def write(url: str, name: str, rate: str, seconds: str) -> None:
    from callboard.audit import record
    from callboard.database import Database
    from callboard.identity import Principal

    if float(rate):
        os.nice(19)
    database, person = Database(url), Principal(kind="person", name=f"user:default/{name}")
    pause = 1 / float(rate) if float(rate) else 0.0
    print("begun", flush=True)
    begin, count = time.perf_counter(), 0
    while (now := time.perf_counter()) - begin < float(seconds):
        if now < begin + count * pause:
            time.sleep(begin + count * pause - now)
        count += 1
        with database.write() as connection:
            record(
                connection, "catalog.source.refresh", f"source-{count % 100}", actor=person,
                before={"state": "failing"}, after={"state": "ok", "run": count},
                address="192.0.2.1", request_id=f"{count:016x}", at=datetime.now(UTC),
            )  # fmt: skip


def seal(url: str, seconds: str) -> None:
    from callboard.audit.sealer import Sealer
    from callboard.database import Database

    database = Database(url)
    sealer = Sealer(database, lambda connection: None, lambda last: None)
    sealer.start()
    print("begun", flush=True)
    time.sleep(float(seconds))


if __name__ == "__main__":
    if sys.argv[1] == "write":
        write(*sys.argv[2:])
    else:
        seal(*sys.argv[2:])
