"""The page of clusters and its metrics, over watches of a real server."""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, update
from test_cluster_watches import there, wait_for
from watched_cluster import CONFIG_MAPS, Asked, ClusterServer, Reply, cluster_server
from watching_process import watch

from callboard.contributions import ObservedContext
from callboard.events.models import event
from callboard.kubernetes.models import cluster_watch
from callboard.kubernetes.supervising import Watching
from callboard.testing import Clock
from callboard_web.testing import PortalUnderTest

SAID = "What the server <script>alert(1)</script> says"


@pytest.fixture
def server() -> Iterator[ClusterServer]:
    with cluster_server(CONFIG_MAPS) as made:
        yield made


@pytest.fixture
def portal_plugins() -> list[str]:
    return []


@pytest.fixture
def portal_settings(server: ClusterServer) -> Mapping[str, Any]:
    one = {"name": "one", "title": "The first", "server": server.address}
    two = {"name": "two", "server": "http://127.0.0.1:9"}
    return {"kubernetes": {"clusters": [one, two]}}


def fail(context: ObservedContext) -> None:
    raise ValueError("no such column")


@pytest.fixture
def watched(portal: PortalUnderTest, server: ClusterServer) -> Iterator[Watching]:
    """Watch as the portal does, in the name of two plugins, one of which fails."""
    server.put(CONFIG_MAPS, "first")
    runtime = portal.runtime
    host: Any = SimpleNamespace(read=runtime.database.read, write=runtime.database.write)
    made = Watching(
        runtime.database,
        runtime.services.clusters.settings,
        [watch(changed=lambda _: None), watch("torn", changed=fail)],
        source=runtime.services.clusters.get,
        host=lambda _: host,
        clock=runtime.clock,
        note=lambda *_: None,
        tick=0.1,
        pause=0.05,
    )
    made.start()
    yield made
    made.stop(10)


def test_shows_clusters_watches_and_who_fails(
    portal: PortalUnderTest, server: ClusterServer, watched: Watching
) -> None:
    database = portal.runtime.database
    wait_for(lambda: there(database) == server.state(CONFIG_MAPS))
    wait_for(lambda: "no such column" in portal.client.get("/clusters").text)
    wait_for(lambda: "No answer" in portal.client.get("/clusters").text)
    portal.runtime.services.settle_clusters()
    page = portal.client.get("/clusters").text
    assert "The first" in page
    assert "Followed" in page
    assert "The cluster two does not answer." in page
    assert "hello.torn" in page
    assert "2 clusters need a look." in page
    assert "2 clusters need a look" in portal.client.get("/health").text
    chinese = portal.client.get("/clusters", headers={"accept-language": "zh-CN"}).text
    assert "没有响应" in chinese
    metrics = portal.client.get("/metrics").text
    labels = 'cluster="one",namespace="",resource="configmaps"'
    assert f"callboard_cluster_objects{{{labels}}} 1.0" in metrics
    assert f"callboard_cluster_watching{{{labels}}} 1.0" in metrics
    assert f"callboard_cluster_reconnects_total{{{labels}}} 0.0" in metrics
    torn = 'cluster="one",follower="hello.torn",namespace="",resource="configmaps"'
    assert f"callboard_cluster_follower_behind{{{torn}}} 1.0" in metrics
    assert 'callboard_cluster_answering{cluster="two"} 0.0' in metrics


def test_says_who_does_not_watch_and_escapes_what_servers_say(
    portal: PortalUnderTest, server: ClusterServer, watched: Watching
) -> None:
    database = portal.runtime.database
    wait_for(lambda: there(database) == server.state(CONFIG_MAPS))
    wait_for(lambda: "No answer" in portal.client.get("/clusters").text)
    watched.stop(10)
    with database.write() as connection:
        connection.execute(update(cluster_watch).values(error=SAID))
    page = portal.client.get("/clusters").text
    assert "Nobody watches" in page
    assert "jobs.workers" in page
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def answer_version(asked: Asked) -> Reply | None:
    return Reply(200, {"gitVersion": "v1.36.2"}) if asked.path == "/version" else None


def heading_of(portal: PortalUnderTest, name: str) -> str:
    """Give what the page says of a cluster as a whole, without its watches."""
    section = portal.client.get("/clusters").text.partition(f'id="cluster-{name}"')[2]
    heading, table, _rest = section.partition('<table class="tbl watches">')
    assert table
    return heading


def is_watch(portal: PortalUnderTest, state: str) -> bool:
    """Say whether the watch of the cluster `one` is in a state, by the tables."""
    with portal.runtime.database.read() as connection:
        statement = select(cluster_watch.c.state).where(cluster_watch.c.cluster == "one")
        return connection.execute(statement).scalar() == state


def states_told(portal: PortalUnderTest, name: str) -> list[str]:
    """Give the states of a cluster that events told, in their order."""
    wanted = (event.c.kind == "portal.cluster.changed", event.c.subject == f"cluster:{name}")
    with portal.runtime.database.read() as connection:
        told = connection.execute(select(event.c.data).where(*wanted).order_by(event.c.id))
        return [data["state"] for data in told.scalars()]


def test_tells_of_a_cluster_what_its_watch_has_learned_since_it_was_looked_at(
    portal: PortalUnderTest, server: ClusterServer, watched: Watching, clock: Clock
) -> None:
    server.fault = answer_version
    wait_for(lambda: is_watch(portal, "watching"))
    portal.runtime.jobs.submit(None, "core", "clusters.look")
    portal.run_jobs()
    assert "Answering" in heading_of(portal, "one")

    clock.advance(1)
    server.close()
    wait_for(lambda: is_watch(portal, "down"))
    heading = heading_of(portal, "one")
    assert "No answer" in heading
    assert "The cluster one does not answer." in heading
    assert "Answering" not in heading
    assert 'callboard_cluster_answering{cluster="one"} 0.0' in portal.client.get("/metrics").text

    clock.advance(1)
    with cluster_server(CONFIG_MAPS, port=server.port) as again:
        again.version = again.compacted = server.version + 50
        again.objects = server.objects
        wait_for(lambda: is_watch(portal, "watching"))
        heading = heading_of(portal, "one")
        assert "Answering" in heading
        assert "does not answer" not in heading
    told = states_told(portal, "one")
    assert (told[:2], told[-1]) == (["answering", "down"], "answering")


class TestWithoutClusters:
    @pytest.fixture
    def portal_settings(self) -> Mapping[str, Any]:
        return {}

    def test_says_how_to_set_one_up(self, portal: PortalUnderTest) -> None:
        page = portal.client.get("/clusters").text
        assert "kubernetes.clusters" in page
        assert "callboard_cluster_objects{" not in portal.client.get("/metrics").text
