"""How a cluster fares is told by the requests of its watches as well, as soon as they are kept."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from test_cluster_watches import follows, state_of, wait_for
from watched_cluster import CONFIG_MAPS, Asked, ClusterServer, Reply, cluster_server, failure
from watching_process import make_watching, metadata, settings, watch

from callboard.database import Database
from callboard.kubernetes.models import cluster
from callboard.kubernetes.states import ANSWERING, Noted, write_states
from callboard.testing import Clock


@pytest.fixture
def server(database: Database) -> Iterator[ClusterServer]:
    with database.write() as connection:
        metadata.create_all(connection)
    with cluster_server(CONFIG_MAPS) as made:
        made.put(CONFIG_MAPS, "one")
        yield made


def row_of(database: Database) -> Any:
    with database.read() as connection:
        return connection.execute(select(cluster)).one()


def note(database: Database, state: str, clock: Clock) -> None:
    """Write what a look at the cluster found."""
    with database.write() as connection:
        write_states(connection, {"one": Noted(state, clock.now)})


@pytest.mark.parametrize(
    ("reply", "watch_is", "cluster_is"),
    [
        (failure(401, "Unauthorized", "Unauthorized"), "unauthenticated", "unauthenticated"),
        (failure(503, "ServiceUnavailable", "it starts"), "busy", "busy"),
        (failure(403, "Forbidden", "configmaps is forbidden"), "forbidden", ANSWERING),
        # A page of a proxy: nothing that is known of the cluster is known better.
        (Reply(200, b"<html>Sign in</html>", {"Content-Type": "text/html"}), "failed", "slow"),
    ],
)  # fmt: skip
def test_a_failure_counts_for_the_cluster_where_it_tells_of_it(
    database: Database,
    server: ClusterServer,
    clock: Clock,
    reply: Reply,
    watch_is: str,
    cluster_is: str,
) -> None:
    def fault(asked: Asked) -> Reply | None:
        return reply if asked.is_list else None

    server.fault = fault
    note(database, "slow", clock)
    clock.advance(1)
    made = make_watching(database, [settings(server.address)], [watch()], clock=clock)
    made.start()
    try:
        wait_for(lambda: state_of(database) == watch_is)
        row = row_of(database)
    finally:
        made.stop(10)
    assert row.state == cluster_is
    assert row.answered_at == (clock.now if cluster_is == ANSWERING else None)
    assert row.asked_at == clock.now - timedelta(seconds=cluster_is == "slow")


def test_what_comes_over_an_open_stream_tells_nothing_of_the_next_request(
    database: Database, server: ClusterServer, clock: Clock
) -> None:
    """As where the token has expired since the stream was opened."""
    made = make_watching(database, [settings(server.address)], [watch()], clock=clock)
    made.start()
    try:
        wait_for(lambda: state_of(database) == "watching")
        assert row_of(database).state == ANSWERING
        note(database, "unauthenticated", clock)
        server.put(CONFIG_MAPS, "two")
        follows(database, server)
        assert row_of(database).state == "unauthenticated"
        server.end_streams()
        wait_for(lambda: row_of(database).state == ANSWERING)
    finally:
        made.stop(10)
