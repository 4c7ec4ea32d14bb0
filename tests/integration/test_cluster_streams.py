"""The recorded streams, replayed by a server, end in the recorded states."""

import zlib
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select
from test_cluster_watches import follows_kind, row_of, state_of, wait_for
from watched_cluster import (
    CONFIG_MAPS,
    PIPELINE_RUNS,
    PODS,
    TASK_RUNS,
    Asked,
    Reply,
    cluster_server,
)
from watching_process import make_watching, metadata, settings, watch

from callboard.database import Database
from callboard.kubernetes.cleaning import cleaned
from callboard.kubernetes.model import Resource
from callboard.kubernetes.models import cluster_object
from callboard.testing import absent

pytestmark = pytest.mark.corpus

RECORDED = Path(__file__).parents[3] / "shared/fixtures"
STREAMS = [
    ("kubernetes/watch/configmaps_add_modify_delete.ndjson", CONFIG_MAPS),
    ("kubernetes/watch/bookmark.ndjson", CONFIG_MAPS),
    ("tekton/watch/cart-success.pipelinerun.ndjson", PIPELINE_RUNS),
    ("tekton/watch/cart-success.taskruns.ndjson", TASK_RUNS),
    ("tekton/watch/cart-success.pods.ndjson", PODS),
    ("tekton/watch/watch-cancelfin-hang-build.pipelinerun.ndjson", PIPELINE_RUNS),
    ("tekton/watch/watch-flaky.pipelinerun.ndjson", PIPELINE_RUNS),
    ("tekton/watch/watch-flaky.unit-test.taskrun.ndjson", TASK_RUNS),
    ("tekton/watch/watch-scan-fail.pipelinerun.ndjson", PIPELINE_RUNS),
    ("tekton/watch/watch-stopfin-slow-build.pipelinerun.ndjson", PIPELINE_RUNS),
]


def recorded(name: str) -> bytes:
    path = RECORDED / name
    if not path.is_file():
        absent(f"the recorded streams are not at {RECORDED}")
    return path.read_bytes()


def kept(database: Database) -> dict[str, Any]:
    """Give the bodies in the tables of what is there, by uid."""
    found = cluster_object.c
    with database.read() as connection:
        rows = connection.execute(select(found.uid, found.body).where(~found.gone)).all()
    return {row.uid: orjson.loads(zlib.decompress(row.body)) for row in rows}


def ends(events: list[dict[str, Any]], resource: Resource) -> dict[str, Any]:
    """Give what is left after all events, as it is kept."""
    left: dict[str, Any] = {}
    for event in events:
        uid = event["object"]["metadata"].get("uid", "")
        if event["type"] == "DELETED":
            left.pop(uid, None)
        elif event["type"] != "BOOKMARK":
            left[uid] = cleaned(
                event["object"], kind=resource.kind, api_version=resource.api_version
            )
    return left


@pytest.mark.parametrize(("name", "resource"), STREAMS, ids=[name for name, _ in STREAMS])
def test_a_recorded_stream_ends_in_its_last_state(
    database: Database, name: str, resource: Resource
) -> None:
    events = [orjson.loads(line) for line in recorded(name).splitlines()]
    with database.write() as connection:
        metadata.create_all(connection)
    with cluster_server(resource) as server:
        server.version = 1
        made = make_watching(database, [settings(server.address)], [watch(resource=resource)])
        made.start()
        try:
            wait_for(lambda: state_of(database, resource.key) == "watching")
            for number, event in enumerate(events):
                server.replay(resource, event)
                if number % 20 == 9:
                    server.cut()
            last = str(max(int(e["object"]["metadata"]["resourceVersion"]) for e in events))
            wait_for(lambda: row_of(database, resource.key).resource_version == last)
            follows_kind(database, server, resource)
        finally:
            made.stop(10)
    assert kept(database) == ends(events, resource)
    assert row_of(database, resource.key).lists == 1


def test_recorded_objects_are_listed_as_they_are(database: Database) -> None:
    """What a watch without a version begins with is not in the order of versions."""
    name = "kubernetes/watch/without_resource_version_synthetic_added.ndjson"
    events = [orjson.loads(line) for line in recorded(name).splitlines()]
    with cluster_server(CONFIG_MAPS) as server:
        for event in events:
            server.replay(CONFIG_MAPS, event)
        made = make_watching(database, [settings(server.address)], [watch(changed=lambda _: None)])
        made.start()
        try:
            wait_for(lambda: state_of(database) == "watching")
        finally:
            made.stop(10)
    assert kept(database) == ends(events, CONFIG_MAPS)


@pytest.mark.parametrize(
    "name", ["410_old_resource_version.ndjson", "410_old_resource_version_custom_resource.ndjson"]
)
def test_a_recorded_expiry_is_followed_by_a_list(database: Database, name: str) -> None:
    line = recorded(f"kubernetes/watch/{name}")
    expiries = iter([Reply(200, line)])
    with cluster_server(CONFIG_MAPS) as server:
        server.put(CONFIG_MAPS, "one")
        server.fault = lambda asked: next(expiries, None) if asked.is_watch else None
        made = make_watching(database, [settings(server.address)], [watch(changed=lambda _: None)])
        made.start()
        try:
            wait_for(lambda: state_of(database) == "watching" and row_of(database).lists == 2)
        finally:
            made.stop(10)


@pytest.mark.parametrize(
    ("name", "code", "state"),
    [
        ("500_bad_resource_version.json", 500, "failed"),
        ("list_410_exact_old.json", 410, "gone"),
        ("list_future_resource_version.json", 504, "slow"),
    ],
)
def test_recorded_refusals_are_states_and_end(
    database: Database, name: str, code: int, state: str
) -> None:
    body = recorded(f"kubernetes/watch/{name}")
    is_wrong = True

    def fault(asked: Asked) -> Reply | None:
        return Reply(code, body) if is_wrong and asked.is_watch else None

    with cluster_server(CONFIG_MAPS) as server:
        server.put(CONFIG_MAPS, "one")
        server.fault = fault
        made = make_watching(database, [settings(server.address)], [watch(changed=lambda _: None)])
        made.start()
        try:
            wait_for(lambda: state_of(database) == state)
            is_wrong = False
            wait_for(lambda: state_of(database) == "watching")
        finally:
            made.stop(10)
    assert len(kept(database)) == 1
