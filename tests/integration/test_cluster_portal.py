"""A portal with a plugin that follows a cluster: from its start to its end, and again."""

import time
from pathlib import Path
from typing import Protocol

import pytest
import yaml
from test_cluster_watches import wait_for
from watched_cluster import CONFIG_MAPS, ClusterServer, cluster_server

from callboard_web.runtime import Runtime

PLUGIN = """
from callboard import hookimpl
from callboard.contributions import ClusterWatch
from callboard.kubernetes import Resource

MAPS = Resource("", "v1", "configmaps", "ConfigMap")


def changed(context):
    for item in context.objects:
        kind = "follower.map.gone" if item.gone else "follower.map.seen"
        context.host.publish(context.connection, kind, item.name, {"cluster": context.cluster})


@hookimpl
def callboard_cluster_watches():
    return [ClusterWatch(name="maps", resource=MAPS, changed=changed)]
"""


class Installs(Protocol):
    def install(self, name: str, source: str, **options: str) -> None: ...


def names(runtime: Runtime) -> list[str]:
    """Give what a page of a plugin reads."""
    host = runtime.host("follower")
    with host.read() as connection:
        return [item.name for item in host.clusters.observed(connection, CONFIG_MAPS)]


def opened(folder: Path, server: ClusterServer, workers: int) -> Runtime:
    config = folder / "callboard.yaml"
    given = {
        "kubernetes": {"clusters": [{"name": "one", "server": server.address}]},
        "jobs": {"workers": workers},
    }
    config.write_text(yaml.safe_dump(given), encoding="utf-8")
    return Runtime.open(config, {"CALLBOARD_PLUGINS": "follower"}, strict=True)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_portal_watches_where_it_runs_jobs(tmp_path: Path, site: Installs, workers: int) -> None:
    site.install("follower", PLUGIN)
    with cluster_server(CONFIG_MAPS) as server:
        server.put(CONFIG_MAPS, "one")
        first = opened(tmp_path, server, workers)
        first.upgrade()
        first.start(worker=True, serve=True)
        try:
            if not workers:
                time.sleep(0.5)
                assert not any(asked.is_watch for asked in server.asked)
                return
            wait_for(lambda: names(first) == ["one"])
            wait_for(lambda: any(asked.is_watch for asked in server.asked))
        finally:
            begun = time.monotonic()
            first.stop()
        assert time.monotonic() - begun < 6
        server.put(CONFIG_MAPS, "two")
        second = opened(tmp_path, server, workers)
        second.start(worker=True, serve=True)
        try:
            wait_for(lambda: names(second) == ["one", "two"])
        finally:
            second.stop()
        assert sum(asked.is_list for asked in server.asked) == 1
