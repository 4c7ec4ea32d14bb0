"""Processes that start at the same moment on one new database."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from callboard.database import Database
from callboard.jobs.queue import Queue
from callboard.settings import JobsSettings
from callboard_catalog.registration import register_sources
from callboard_catalog.sources import Source
from callboard_catalog.sources.folder import FolderReader

TOGETHER = 6


def together(start: Callable[[], None]) -> None:
    """Run it in several threads at once and raise what one of them raised."""
    barrier = threading.Barrier(TOGETHER)

    def run(_: int) -> None:
        barrier.wait(10)
        start()

    with ThreadPoolExecutor(TOGETHER) as pool:
        list(pool.map(run, range(TOGETHER)))


def test_each_source_is_registered_once(database: Database, tmp_path: Path) -> None:
    reader = FolderReader(tmp_path, ("*.yaml",), 1000)
    sources = [
        Source(
            name=f"folder-{number}",
            type="folder",
            title=f"Folder {number}",
            address=str(tmp_path),
            every=timedelta(minutes=5),
            fingerprint="",
            reader=reader,
        )
        for number in range(20)
    ]
    now = datetime(2026, 3, 2, 8, tzinfo=UTC)
    together(lambda: register_sources(database, sources, now=lambda: now))
    with database.read() as connection:
        assert connection.scalar(text("SELECT count(*) FROM source")) == 20
        added = "SELECT count(*) FROM audit_entry WHERE action = 'catalog.source.add'"
        assert connection.scalar(text(added)) == 20


@pytest.mark.postgres
@pytest.mark.parametrize("turn", range(5))
def test_the_tables_of_the_queue_are_made_once(postgres_database: Database, turn: int) -> None:
    def make() -> None:
        queue = Queue(postgres_database, JobsSettings(), lambda: None)
        queue.ring()
        queue.close()

    together(make)
    with postgres_database.read() as connection:
        tables = "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'callboard_queue%'"
        assert connection.scalar(text(tables)) == 4
