"""`kill -9` of a worker in the middle of a job: another takes over, nothing is half done."""

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, select

from callboard import jobs
from callboard.database import Database
from callboard.jobs import store

pytestmark = pytest.mark.slow  # runs whole processes

WORKER = Path(__file__).with_name("job_worker.py")
metadata = MetaData()
effect = Table("effect", metadata, Column("row", Integer), Column("attempt", Integer))


def start(database: Database, directory: Path) -> "subprocess.Popen[bytes]":
    url = database.url.render_as_string(hide_password=False)
    arguments = [url, str(directory / "queue.sqlite3"), str(directory / "notes")]
    return subprocess.Popen([sys.executable, "-W", "error", str(WORKER), *arguments])


def wait_for(happened: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.02)


def test_a_killed_worker_is_replaced(database: Database, tmp_path: Path) -> None:
    with database.write() as connection:
        metadata.create_all(connection)
        number = store.submit(
            connection, ("hello", "work"), {}, "", attempts=3, now=datetime.now(UTC)
        )
    first = start(database, tmp_path)
    try:
        wait_for((tmp_path / "notes").exists)
    finally:
        first.kill()
        first.wait(10)
    with database.read() as connection:
        assert connection.execute(select(effect)).all() == []
        run = jobs.find(connection, number)
    assert run is not None
    assert (run.state, run.attempt) == ("running", 1)

    second = start(database, tmp_path)
    try:
        wait_for(lambda: state_of(database, number) == "succeeded")
        time.sleep(0.5)  # time enough for a second effect, were there one
    finally:
        second.kill()
        second.wait(10)
    with database.read() as connection:
        rows = connection.execute(select(effect).order_by(effect.c.row)).all()
        ended = jobs.runs(connection)
    assert [tuple(row) for row in rows] == [(row, 2) for row in range(10)]
    assert [(run.id, run.state, run.attempt) for run in ended] == [(number, "succeeded", 2)]


def state_of(database: Database, number: int) -> str:
    with database.read() as connection:
        run = jobs.find(connection, number)
    return run.state if run else ""
