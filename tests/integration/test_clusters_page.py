"""The page of clusters and its metrics, over watches of a real server."""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update
from test_cluster_watches import there, wait_for
from watched_cluster import CONFIG_MAPS, ClusterServer, cluster_server
from watching_process import watch

from callboard.contributions import ObservedContext
from callboard.kubernetes.models import cluster_watch
from callboard.kubernetes.supervising import Watching
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


class TestWithoutClusters:
    @pytest.fixture
    def portal_settings(self) -> Mapping[str, Any]:
        return {}

    def test_says_how_to_set_one_up(self, portal: PortalUnderTest) -> None:
        page = portal.client.get("/clusters").text
        assert "kubernetes.clusters" in page
        assert "callboard_cluster_objects{" not in portal.client.get("/metrics").text
