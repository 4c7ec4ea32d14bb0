"""Fifty clusters, some of which fail each in its own way: each shows as that, the others go on."""

import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

import pytest
import yaml
from sqlalchemy import event, select
from starlette.testclient import TestClient
from test_cluster_watches import wait_for
from watched_cluster import CONFIG_MAPS, PODS, ClusterServer, cluster_server, failure

from callboard.kubernetes.models import cluster_object, cluster_watch
from callboard_web.app import create_app
from callboard_web.runtime import Runtime

pytestmark = pytest.mark.slow

GOOD = [f"good-{number}" for number in range(44)]
STATES = {
    "down": "down", "slow": "slow", "unknown": "unauthenticated", "barred": "forbidden",
    "bare": "absent",
}  # fmt: skip
"""What becomes of the watches of five others. The sixth, `deaf`, takes connections in silence."""
SAID = {
    "down": "No answer", "slow": "Too slow", "unknown": "Credentials refused",
    "barred": "configmaps is forbidden: User &#34;portal&#34; cannot list",
    "bare": "Kind not served",
}  # fmt: skip
PLUGIN = """
from callboard import hookimpl
from callboard.contributions import ClusterWatch
from callboard.kubernetes import Resource

MAPS = Resource("", "v1", "configmaps", "ConfigMap")


def changed(context):
    for item in context.objects:
        context.host.publish(context.connection, "NAME.seen", item.name, {})


@hookimpl
def callboard_cluster_watches():
    return [ClusterWatch(name="maps", resource=MAPS, changed=changed)]
"""
REPLIES = {
    "slow": failure(504, "Timeout", "The server was unable to respond in time"),
    "unknown": failure(401, "Unauthorized", "Unauthorized"),
    "barred": failure(403, "Forbidden", 'configmaps is forbidden: User "portal" cannot list'),
}


class Installs(Protocol):
    def install(self, name: str, source: str, **options: str) -> None: ...


@pytest.fixture
def servers() -> Iterator[Mapping[str, ClusterServer]]:
    """Give a server for all good clusters, and one for each that fails with an answer."""
    with ExitStack() as stack:
        found = {"good": stack.enter_context(cluster_server(CONFIG_MAPS))}
        for name, reply in REPLIES.items():
            found[name] = stack.enter_context(cluster_server(CONFIG_MAPS))
            found[name].fault = lambda asked, reply=reply: reply if asked.is_list else None  # type: ignore[misc]
        found["bare"] = stack.enter_context(cluster_server(PODS))
        found["down"] = stack.enter_context(cluster_server(CONFIG_MAPS))
        for server in found.values():
            server.put(CONFIG_MAPS, "one")
        yield found


@pytest.fixture
def portal(
    tmp_path: Path, site: Installs, servers: Mapping[str, ClusterServer]
) -> Iterator[Runtime]:
    for name in ("first", "second"):
        site.install(name, PLUGIN.replace("NAME", name))
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        addresses = dict.fromkeys(GOOD, servers["good"].address)
        addresses |= {name: servers[name].address for name in STATES if name in servers}
        addresses["deaf"] = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        clusters = [{"name": name, "server": address} for name, address in addresses.items()]
        config = tmp_path / "callboard.yaml"
        given = {"kubernetes": {"clusters": clusters}, "access": {"anonymous": "administrator"}}
        config.write_text(yaml.safe_dump(given), encoding="utf-8")
        runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": "first second"}, strict=True)
        runtime.upgrade()
        runtime.start(worker=True, serve=True)
        yield runtime
        runtime.stop()


def states(runtime: Runtime) -> dict[str, str]:
    with runtime.database.read() as connection:
        rows = connection.execute(select(cluster_watch.c.cluster, cluster_watch.c.state)).all()
    return {row.cluster: row.state for row in rows}


def versions(runtime: Runtime) -> dict[str, str]:
    """Give the version of the object `one` in the tables, by cluster."""
    wanted = select(cluster_watch.c.cluster, cluster_object.c.resource_version).join(
        cluster_object, cluster_object.c.watch == cluster_watch.c.id
    )
    with runtime.database.read() as connection:
        return {row.cluster: row.resource_version for row in connection.execute(wanted)}


def page_of(portal: Runtime, client: TestClient) -> str:
    """Give the page of clusters; it reads no row by itself, beside the threads that watch."""
    statements: list[str] = []

    def note(_connection: object, _cursor: object, said: str, *_rest: object) -> None:
        if threading.current_thread().name.startswith("AnyIO"):
            statements.append(said)

    event.listen(portal.database.engine, "before_cursor_execute", note)
    page = client.get("/clusters").text
    assert 0 < sum("FROM cluster" in said for said in statements) < 10
    return page


def section_of(page: str, name: str) -> str:
    found = re.search(rf'<section aria-labelledby="cluster-{name}">.*?</section>', page, re.DOTALL)
    assert found, name
    return found[0]


def test_each_shows_as_what_it_is_and_the_others_go_on(
    portal: Runtime, servers: Mapping[str, ClusterServer]
) -> None:
    good = servers["good"]
    client = TestClient(create_app(portal))

    def all_follow() -> bool:
        version = good.objects[CONFIG_MAPS.key]["shop/one"]["metadata"]["resourceVersion"]
        found = versions(portal)
        return all(found.get(name) == version for name in GOOD)

    wait_for(lambda: "down" in versions(portal) and states(portal)["down"] == "watching")
    servers["down"].close()
    wait_for(lambda: {name: states(portal).get(name, "") for name in STATES} == STATES, 60)
    wait_for(lambda: [states(portal).get(name) for name in GOOD] == ["watching"] * len(GOOD), 60)
    good.put(CONFIG_MAPS, "one", data={"changed": "yes"})
    wait_for(all_follow)

    # Two plugins that ask for one kind share the watch of each cluster.
    assert sum(asked.is_watch for asked in good.asked) == len(GOOD)
    assert sum(asked.is_list for asked in good.asked) == len(GOOD)

    page = page_of(portal, client)
    for name, words in SAID.items():
        assert words in section_of(page, name), name
    assert re.search(r"<time[^>]*>", section_of(page, "down")), "the age of what is shown"
    assert "Followed" in section_of(page, GOOD[0])
    assert versions(portal)["down"], "what it had is there still"
    for path in ("/", "/catalog", "/health"):
        assert client.get(path).status_code == 200
