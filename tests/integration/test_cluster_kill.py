"""Processes that watch are killed, sleep through their leases, or are several: nothing is lost."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select
from test_cluster_watches import follows, row_of, state_of, there, wait_for
from watched_cluster import CONFIG_MAPS, ClusterServer, cluster_server
from watching_process import make_watching, metadata, settings, watch

from callboard.database import Database
from callboard.kubernetes.models import cluster_object

pytestmark = pytest.mark.slow

WATCHER = Path(__file__).with_name("watching_process.py")


@pytest.fixture
def server(database: Database) -> Iterator[ClusterServer]:
    with database.write() as connection:
        metadata.create_all(connection)
    with cluster_server(CONFIG_MAPS) as made:
        yield made


@contextmanager
def process(
    database: Database, server: ClusterServer, seconds: float = 0.0
) -> Iterator["subprocess.Popen[bytes]"]:
    url = database.url.render_as_string(hide_password=False)
    arguments = ["-W", "error", str(WATCHER), url, server.address, str(seconds)]
    started = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE)
    try:
        assert started.stdout is not None
        assert started.stdout.readline() == b"ready\n"
        yield started
    finally:
        started.kill()
        started.wait(10)
        if started.stdout is not None:
            started.stdout.close()


def change(server: ClusterServer, numbers: range) -> None:
    for number in numbers:
        server.put(CONFIG_MAPS, f"map-{number % 97}", data={"number": str(number)})
        if number % 13 == 0:
            server.delete(CONFIG_MAPS, f"map-{number % 97}")


def is_doubled(database: Database) -> bool:
    each = cluster_object.c
    with database.read() as connection:
        statement = select(func.count()).where(~each.gone).group_by(each.namespace, each.name)
        return any(number > 1 for number in connection.execute(statement).scalars())


def test_a_process_killed_between_commits_is_replaced(
    database: Database, server: ClusterServer
) -> None:
    for number in range(700):
        server.put(CONFIG_MAPS, f"old-{number}")
    with process(database, server, 0.05) as first:
        wait_for(lambda: len(there(database)) > 100)
        first.kill()  # in the list, or while the plugin is told of it
        first.wait(10)
    change(server, range(100))
    with process(database, server, 0.05) as second:
        wait_for(lambda: state_of(database) == "watching")
        change(server, range(100, 300))
        second.kill()  # in the stream
        second.wait(10)
    change(server, range(300, 400))
    lists = sum(asked.is_list for asked in server.asked)
    with process(database, server):
        follows(database, server)
    assert not is_doubled(database)
    assert sum(asked.is_list for asked in server.asked) == lists


def test_of_two_processes_one_watches_and_the_other_takes_over(
    database: Database, server: ClusterServer
) -> None:
    server.put(CONFIG_MAPS, "one")
    with process(database, server) as first, process(database, server) as second:
        wait_for(lambda: state_of(database) == "watching")
        change(server, range(50))
        follows(database, server)
        time.sleep(1)  # time enough for the other one, did it watch as well
        assert sum(asked.is_watch for asked in server.asked) == 1
        holder, other = (first, second) if f":{first.pid}:" in row_of(database).holder else (
            second, first
        )  # fmt: skip
        begun = time.monotonic()
        holder.kill()
        change(server, range(50, 100))
        wait_for(lambda: f":{other.pid}:" in row_of(database).holder)
        follows(database, server)
        assert time.monotonic() - begun < 20
    assert sum(asked.is_list for asked in server.asked) == 1
    assert not is_doubled(database)


def test_who_slept_through_its_lease_writes_nothing_more(
    database: Database, server: ClusterServer
) -> None:
    server.put(CONFIG_MAPS, "one")
    with process(database, server) as first:
        wait_for(lambda: state_of(database) == "watching")
        follows(database, server)
        os.kill(first.pid, signal.SIGSTOP)
        change(server, range(30))
        with process(database, server) as second:
            wait_for(lambda: f":{second.pid}:" in row_of(database).holder)
            follows(database, server)
            change(server, range(30, 60))
            os.kill(first.pid, signal.SIGCONT)  # it has events of before in its socket
            change(server, range(60, 90))
            follows(database, server)
            time.sleep(1)
            change(server, range(90, 100))
            follows(database, server)
            assert f":{second.pid}:" in row_of(database).holder
    assert not is_doubled(database)


def test_a_good_end_lets_others_take_over_at_once(
    database: Database, server: ClusterServer
) -> None:
    server.put(CONFIG_MAPS, "one")
    first = make_watching(database, [settings(server.address)], [watch()])
    first.start()
    wait_for(lambda: state_of(database) == "watching")
    begun = time.monotonic()
    first.stop(5)
    assert time.monotonic() - begun < 4  # though a stream is open
    assert row_of(database).holder == ""
    second = make_watching(database, [settings(server.address)], [watch()])
    second.start()
    try:
        wait_for(lambda: row_of(database).connects == 2, 4)
    finally:
        second.stop(5)
