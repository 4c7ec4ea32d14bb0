"""Everything is listed anew now and then: what no event told is put right."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select
from test_cluster_watches import follows, row_of, state_of, there, wait_for
from watched_cluster import CONFIG_MAPS, PODS, ClusterServer, cluster_server
from watching_process import keep_told, make_watching, metadata, settings, watch

from callboard.contributions import ObservedContext
from callboard.database import Database
from callboard.kubernetes.models import cluster_object
from callboard.kubernetes.supervising import Watching
from callboard.kubernetes.watching import RESYNC
from callboard.testing import Clock

NOT_YET = RESYNC * 0.7
DUE = RESYNC * 1.3
"""Watches do not all list at once: each does so after a time near to `RESYNC`."""

Told = list[tuple[str, bool]]


@pytest.fixture
def server(database: Database) -> Iterator[ClusterServer]:
    with database.write() as connection:
        metadata.create_all(connection)
    with cluster_server(CONFIG_MAPS, PODS) as made:
        for name in ("changed", "deleted", "same", "same-too"):
            made.put(CONFIG_MAPS, name)
        yield made


@pytest.fixture
def told() -> Told:
    """What the plugin was told: the names of objects, and whether they are gone."""
    return []


@pytest.fixture
def made(database: Database, server: ClusterServer, clock: Clock, told: Told) -> Iterator[Watching]:
    """Watch by a clock that stands still."""
    keep = keep_told()

    def changed(context: ObservedContext) -> None:
        keep(context)
        told.extend((item.name, item.gone) for item in context.objects)

    one = settings(server.address)
    made = make_watching(database, [one], [watch(changed=changed)], clock=clock)
    yield made
    made.stop(10)


def open_again(database: Database, server: ClusterServer) -> None:
    """End the stream in good order, and wait until the watch is followed again."""
    before = row_of(database).connects
    server.end_streams()
    wait_for(lambda: row_of(database).connects > before and state_of(database) == "watching")


def move_on(database: Database, clock: Clock, step: timedelta) -> None:
    """Move the clock on, and wait until the lease is one of that time."""
    clock.advance(step)
    wait_for(lambda: row_of(database).held_until > clock.now)


def changes(database: Database) -> dict[str, int]:
    """Give with which change of the watch each object was written last, by name."""
    with database.read() as connection:
        rows = connection.execute(select(cluster_object.c.name, cluster_object.c.change))
        return {row.name: row.change for row in rows}


def lists(server: ClusterServer) -> int:
    return sum(asked.is_list for asked in server.asked)


def test_what_no_event_told_is_put_right_and_nothing_else_is_written(
    database: Database, server: ClusterServer, clock: Clock, made: Watching, told: Told
) -> None:
    made.start()
    follows(database, server)
    wait_for(lambda: state_of(database) == "watching")
    server.alter(CONFIG_MAPS, "changed", data={"now": "other"})
    server.forget(CONFIG_MAPS, "deleted")
    known, before, row = there(database), changes(database), row_of(database)

    move_on(database, clock, NOT_YET)
    open_again(database, server)
    assert lists(server) == 1
    assert there(database) == known != server.state(CONFIG_MAPS)

    told.clear()
    move_on(database, clock, DUE - NOT_YET)
    open_again(database, server)
    follows(database, server)
    assert lists(server) == 2
    assert sorted(told) == [("changed", False), ("deleted", True)]
    after = changes(database)
    assert {name for name in before if after.get(name) != before[name]} == {"changed", "deleted"}
    resynced = row_of(database)
    assert resynced.change == row.change + 2
    assert (resynced.lists, resynced.objects, resynced.listed_at) == (2, 3, clock.now)

    # The next one is as far away as this one was.
    move_on(database, clock, NOT_YET)
    open_again(database, server)
    assert lists(server) == 2


def test_a_list_that_was_due_meanwhile_is_made_by_who_takes_over(
    database: Database, server: ClusterServer, clock: Clock, made: Watching
) -> None:
    made.start()
    follows(database, server)
    wait_for(lambda: state_of(database) == "watching")
    made.stop(10)
    server.alter(CONFIG_MAPS, "changed", data={"now": "other"})
    server.forget(CONFIG_MAPS, "deleted")
    clock.advance(DUE)
    other = make_watching(database, [settings(server.address)], [watch()], clock=clock)
    other.start()
    try:
        follows(database, server)
    finally:
        other.stop(10)
    assert lists(server) == 2
