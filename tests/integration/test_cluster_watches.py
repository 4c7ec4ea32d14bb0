"""What happens in a cluster is in the tables: through broken streams, expiry, and worse."""

import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select, update
from watched_cluster import (
    CONFIG_MAPS,
    PODS,
    Asked,
    ClusterServer,
    Reply,
    cluster_server,
    failure,
)
from watching_process import make_watching, metadata, settings, told, watch

from callboard.contributions import ClusterWatch, ObservedContext
from callboard.database import Database
from callboard.kubernetes.model import Resource
from callboard.kubernetes.models import cluster_follower, cluster_object, cluster_watch
from callboard.kubernetes.supervising import Watching
from callboard.kubernetes.testing import observe
from callboard.plugins import Contributed


def wait_for(happened: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.02)


def there(database: Database, *, gone: bool = False) -> dict[str, str]:
    """Give the versions of the objects in the tables, by uid."""
    found = cluster_object.c
    with database.read() as connection:
        rows = connection.execute(
            select(found.uid, found.resource_version).where(found.gone == gone)
        )
        return {row.uid: row.resource_version for row in rows}


def row_of(database: Database, resource: str = CONFIG_MAPS.key) -> Any:
    with database.read() as connection:
        statement = select(cluster_watch).where(cluster_watch.c.resource == resource)
        return connection.execute(statement).one_or_none()


def state_of(database: Database, resource: str = CONFIG_MAPS.key) -> str:
    row = row_of(database, resource)
    return "" if row is None else str(row.state)


@contextmanager
def watching(
    database: Database, server: ClusterServer, *watches: Contributed[ClusterWatch], **more: Any
) -> Iterator[Watching]:
    made = make_watching(database, [settings(server.address)], list(watches) or [watch()], **more)
    made.start()
    try:
        yield made
    finally:
        made.stop(10)


@pytest.fixture
def server() -> Iterator[ClusterServer]:
    with cluster_server(CONFIG_MAPS, PODS) as made:
        yield made


@pytest.fixture(autouse=True)
def _told(database: Database) -> None:
    with database.write() as connection:
        metadata.create_all(connection)


def follows(database: Database, server: ClusterServer) -> None:
    """Wait until tables and plugin have what the server has, and nothing else."""
    follows_kind(database, server, CONFIG_MAPS)


def follows_kind(database: Database, server: ClusterServer, resource: Resource) -> None:
    wait_for(lambda: there(database) == server.state(resource))

    def is_told() -> bool:
        with database.read() as connection:
            rows = connection.execute(select(told).where(~told.c.gone)).all()
        return {row.uid: row.version for row in rows} == server.state(resource)

    wait_for(is_told)


def test_lists_by_pages_then_follows(database: Database, server: ClusterServer) -> None:
    for number in range(1203):
        server.put(CONFIG_MAPS, f"map-{number}", data={"number": str(number)})
    with watching(database, server):
        follows(database, server)
        wait_for(lambda: state_of(database) == "watching")
        server.put(CONFIG_MAPS, "map-7", data={"number": "changed"})
        server.put(CONFIG_MAPS, "new")
        server.delete(CONFIG_MAPS, "map-8")
        follows(database, server)
        row = row_of(database)
    assert [asked.query["limit"] for asked in server.asked if asked.is_list] == ["500"] * 3
    assert (row.objects, row.lists, row.connects, row.events) == (1203, 1, 1, 3)
    assert row.resource_version == str(server.version)
    assert 0 <= row.lag < 10
    with database.read() as connection:
        body = connection.execute(
            select(cluster_object.c.body).where(cluster_object.c.name == "map-7")
        ).scalar_one()
    kept = orjson.loads(zlib.decompress(body))
    assert (kept["kind"], kept["apiVersion"]) == ("ConfigMap", "v1")
    assert kept["data"] == {"number": "changed"}
    assert "managedFields" not in kept["metadata"]


def test_goes_on_after_a_restart_without_a_list(database: Database, server: ClusterServer) -> None:
    server.put(CONFIG_MAPS, "one")
    with watching(database, server):
        follows(database, server)
        wait_for(lambda: state_of(database) == "watching")
    assert row_of(database).holder == ""
    server.put(CONFIG_MAPS, "two")
    server.delete(CONFIG_MAPS, "one")
    with watching(database, server):
        follows(database, server)
    assert sum(asked.is_list for asked in server.asked) == 1


def test_takes_a_clean_end_for_no_failure(database: Database, server: ClusterServer) -> None:
    with watching(database, server):
        wait_for(lambda: state_of(database) == "watching")
        for number in range(3):
            server.put(PODS, "elsewhere")  # moves the version on: only the bookmark tells of it
            server.end_streams()
            wait_for(lambda number=number: row_of(database).connects == number + 2)  # type: ignore[misc]
            assert row_of(database).resource_version == str(server.version)
        server.put(CONFIG_MAPS, "after")
        follows(database, server)
        row = row_of(database)
    assert (row.lists, row.state, row.failing_since) == (1, "watching", None)


def test_a_stream_that_breaks_off_loses_nothing(database: Database, server: ClusterServer) -> None:
    with watching(database, server):
        wait_for(lambda: state_of(database) == "watching")
        for number in range(60):
            server.put(CONFIG_MAPS, f"map-{number % 17}", data={"number": str(number)})
            if number % 7 == 3:
                server.cut()
            if number % 11 == 5:
                server.delete(CONFIG_MAPS, f"map-{number % 17}")
        follows(database, server)
    assert sum(asked.is_list for asked in server.asked) == 1


def test_lists_anew_where_the_version_expired(database: Database, server: ClusterServer) -> None:
    """By an event in the stream, which is what a watch gets."""
    for name in ("one", "two", "three"):
        server.put(CONFIG_MAPS, name)
    with watching(database, server):
        follows(database, server)
        wait_for(lambda: state_of(database) == "watching")
    server.put(CONFIG_MAPS, "two", data={"changed": "yes"})
    server.forget(CONFIG_MAPS, "three")
    server.compact()
    before = row_of(database)
    with watching(database, server):
        follows(database, server)
        row = row_of(database)
    assert (row.lists, row.objects) == (2, 2)
    # Of the three only the changed one and the one that is gone were written.
    assert row.change == before.change + 2
    with database.read() as connection:
        gone = connection.execute(select(told.c.uid).where(told.c.gone)).scalars().all()
    assert len(gone) == 1


def test_lists_anew_where_the_watch_is_answered_with_410(
    database: Database, server: ClusterServer
) -> None:
    """As proxies and older servers answer."""
    refusals = iter([failure(410, "Expired", "too old resource version: 1 (2)")])
    server.fault = lambda asked: next(refusals, None) if asked.is_watch else None
    server.put(CONFIG_MAPS, "one")
    with watching(database, server):
        wait_for(lambda: state_of(database) == "watching")
        follows(database, server)
    assert row_of(database).lists == 2


def test_a_list_that_expires_is_begun_anew(database: Database, server: ClusterServer) -> None:
    for number in range(700):
        server.put(CONFIG_MAPS, f"map-{number}")
    refusals = iter([failure(410, "Expired", "The provided continue parameter is too old.")])

    def fault(asked: Asked) -> Reply | None:
        return next(refusals, None) if "continue" in asked.query else None

    server.fault = fault
    with watching(database, server):
        follows(database, server)
    assert row_of(database).lists == 1


def test_a_malformed_version_ends_in_a_list(database: Database, server: ClusterServer) -> None:
    server.put(CONFIG_MAPS, "one")
    with watching(database, server):
        follows(database, server)
        wait_for(lambda: state_of(database) == "watching")
    with database.write() as connection:
        connection.execute(update(cluster_watch).values(resource_version="abc"))
    with watching(database, server):
        server.put(CONFIG_MAPS, "two")
        follows(database, server)
        wait_for(lambda: state_of(database) == "watching")


def test_a_version_the_server_has_not_reached_ends_in_a_list(
    database: Database, server: ClusterServer
) -> None:
    """As of one that was restored from a copy."""
    with watching(database, server):
        wait_for(lambda: state_of(database) == "watching")
    with database.write() as connection:
        connection.execute(update(cluster_watch).values(resource_version="99999999"))
    with watching(database, server):
        server.put(CONFIG_MAPS, "two")
        follows(database, server)


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (failure(429, "TooManyRequests", "busy", Retry_After="1"), "busy"),
        (failure(500, "InternalError", "etcd is away"), "failed"),
        (failure(403, "Forbidden", 'configmaps is forbidden: User "portal"'), "forbidden"),
        (Reply(200, b"<html>Sign in</html>", {"Content-Type": "text/html"}), "failed"),
        (Reply(200, {"kind": "Status", "status": "Success"}), "failed"),
        (Reply(200, {"kind": "ConfigMapList", "metadata": {}}, cut=True), "down"),
    ],
)
def test_says_what_is_wrong_and_recovers(
    database: Database, server: ClusterServer, reply: Reply, state: str
) -> None:
    is_wrong = True
    server.fault = lambda asked: reply if is_wrong and asked.is_list else None
    server.put(CONFIG_MAPS, "one")
    with watching(database, server):
        wait_for(lambda: state_of(database) == state)
        row = row_of(database)
        assert row.failing_since is not None
        assert str(row.error)
        is_wrong = False
        follows(database, server)
        wait_for(lambda: state_of(database) == "watching")
    row = row_of(database)
    assert (row.failing_since, row.error) == (None, "")


def test_waits_as_long_as_the_server_asks(database: Database, server: ClusterServer) -> None:
    at: list[float] = []

    def fault(asked: Asked) -> Reply | None:
        if not asked.is_list:
            return None
        at.append(time.monotonic())
        return failure(429, "TooManyRequests", "busy", Retry_After="2") if len(at) == 1 else None

    server.fault = fault
    with watching(database, server):
        wait_for(lambda: state_of(database) == "watching")
    assert at[1] - at[0] >= 2


def test_a_cut_list_does_not_bury_what_is_there(database: Database, server: ClusterServer) -> None:
    for number in range(900):
        server.put(CONFIG_MAPS, f"map-{number}")
    with watching(database, server):
        follows(database, server)
        wait_for(lambda: state_of(database) == "watching")
    server.compact()
    half = [failure(500, "InternalError", "etcd is away")] * 2
    cut = iter([Reply(200, {"kind": "ConfigMapList", "items": []}, cut=True), *half])
    server.fault = lambda asked: next(cut, None) if "continue" in asked.query else None
    before = row_of(database).change
    with watching(database, server):
        wait_for(lambda: row_of(database).lists == 2)
    assert row_of(database).change == before
    assert there(database) == server.state(CONFIG_MAPS)


def test_a_token_that_expires_is_a_state_until_it_is_renewed(
    database: Database, server: ClusterServer
) -> None:
    server.put(CONFIG_MAPS, "one")
    with watching(database, server):
        follows(database, server)
        wait_for(lambda: state_of(database) == "watching")
        server.token = "renewed"
        server.put(CONFIG_MAPS, "two")
        follows(database, server)  # the open stream goes on
        server.cut()
        wait_for(lambda: state_of(database) == "unauthenticated")
        server.token = ""
        server.put(CONFIG_MAPS, "three")
        follows(database, server)
    assert sum(asked.is_list for asked in server.asked) == 1


@pytest.mark.parametrize("part", ["list", "watch"])
def test_a_token_that_is_renewed_in_its_file_is_taken_up(
    database: Database, server: ClusterServer, tmp_path: Path, part: str
) -> None:
    """It expires between two pages of the list, or while the stream is broken off."""
    for number in range(700):
        server.put(CONFIG_MAPS, f"map-{number}")
    file = tmp_path / "token"
    file.write_text("first")
    server.token = "first"

    def expire() -> None:
        server.token = "second"
        file.write_text("second")

    def fault(asked: Asked) -> Reply | None:
        if part == "list" and "continue" in asked.query and server.token == "first":
            expire()
            return failure(401, "Unauthorized", "Unauthorized")
        return None

    server.fault = fault
    given = [settings(server.address, token_file=file)]
    made = make_watching(database, given, [watch()])
    made.start()
    try:
        follows(database, server)
        wait_for(lambda: state_of(database) == "watching")
        if part == "watch":
            expire()
            server.cut()
        server.put(CONFIG_MAPS, "after")
        follows(database, server)
        wait_for(lambda: state_of(database) == "watching")
    finally:
        made.stop(10)
    assert row_of(database).lists == 1
    assert {asked.token for asked in server.asked} == {"first", "second"}


def test_a_server_that_is_away_comes_back(database: Database) -> None:
    with cluster_server(CONFIG_MAPS) as server:
        server.put(CONFIG_MAPS, "one")
        made = make_watching(database, [settings(server.address)], [watch()])
        made.start()
        try:
            follows(database, server)
            port, version, objects = server.port, server.version, server.objects
            server.close()
            wait_for(lambda: state_of(database) == "down")
            seen_at = row_of(database).seen_at
            assert there(database) == server.state(CONFIG_MAPS)
            with cluster_server(CONFIG_MAPS, port=port) as again:
                again.version = again.compacted = version + 50
                again.objects = objects
                again.put(CONFIG_MAPS, "two")
                follows(database, again)
                wait_for(lambda: state_of(database) == "watching")
                assert row_of(database).seen_at > seen_at
        finally:
            made.stop(10)


def test_a_kind_that_appears_is_found(
    database: Database, server: ClusterServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callboard.kubernetes.watching.ABSENT_SECONDS", 0.1)
    monkeypatch.setattr("callboard.kubernetes.discovery.KEEP_SECONDS", 0.1)
    server.resources.remove(CONFIG_MAPS)
    with watching(database, server):
        wait_for(lambda: state_of(database) == "absent")
        assert not any(asked.is_list for asked in server.asked)
        server.resources.append(CONFIG_MAPS)
        server.put(CONFIG_MAPS, "one")
        follows(database, server)


def test_several_followers_share_one_watch(database: Database, server: ClusterServer) -> None:
    counted: list[int] = []
    other = watch("count", changed=lambda context: counted.append(len(context.objects)))
    server.put(CONFIG_MAPS, "one")
    with watching(database, server, watch(), other):
        follows(database, server)
        wait_for(lambda: sum(counted) == 1)
    assert sum(asked.is_list for asked in server.asked) == 1
    assert sum(asked.is_watch for asked in server.asked) == 1


def test_a_follower_that_raises_stands_still_alone(
    database: Database, server: ClusterServer
) -> None:
    is_wrong, noted = True, []

    def changed(context: ObservedContext) -> None:
        if is_wrong and any(item.name == "bad" for item in context.objects):
            context.connection.execute(told.insert().values(uid="half", version="", gone=False))
            raise ValueError("password=hunter2 is no number")

    def note(*given: Any) -> None:
        noted.append(given)

    bad = watch("bad", changed=changed)
    server.put(CONFIG_MAPS, "bad")
    with watching(database, server, watch(), bad, note=note):
        follows(database, server)
        server.put(CONFIG_MAPS, "good")
        server.delete(CONFIG_MAPS, "bad")
        follows(database, server)
        wait_for(lambda: len(noted) >= 2)
        with database.read() as connection:
            follower = cluster_follower.c
            rows = {row.follower: row for row in connection.execute(select(cluster_follower))}
        assert rows["hello.bad"].failing_since is not None
        assert "is no number" in str(rows["hello.bad"].error)
        assert "hunter2" not in str(rows["hello.bad"].error)
        assert rows["hello.bad"].change == 0
        assert rows["hello.told"].failing_since is None
        assert len(there(database, gone=True)) == 1  # it is kept for who has not been told
        is_wrong = False

        def is_mended() -> bool:
            with database.read() as connection:
                statement = select(follower.failing_since).where(follower.follower == "hello.bad")
                return connection.execute(statement).scalar() is None

        wait_for(is_mended)
    assert {call[0] for call in noted} == {"hello"}


def test_what_is_gone_is_forgotten_once_everybody_knows(
    database: Database, server: ClusterServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callboard.kubernetes.supervising.TIDYING", 0.1)
    seen: list[tuple[str, bool, Any]] = []

    def changed(context: ObservedContext) -> None:
        seen.extend((item.name, item.gone, item.body.get("data")) for item in context.objects)

    server.put(CONFIG_MAPS, "one", data={"kept": "yes"})
    with watching(database, server, watch("seen", changed=changed)):
        wait_for(lambda: len(seen) == 1)
        server.delete(CONFIG_MAPS, "one")
        wait_for(lambda: len(seen) == 2)
        wait_for(lambda: there(database, gone=True) == {})
        assert row_of(database).objects == 0
    assert seen == [("one", False, {"kept": "yes"}), ("one", True, {"kept": "yes"})]


def test_a_new_follower_begins_at_the_beginning_and_who_left_is_forgotten(
    database: Database, server: ClusterServer
) -> None:
    for number in range(620):
        server.put(CONFIG_MAPS, f"map-{number}")
    with watching(database, server):
        follows(database, server)
    portions: list[int] = []
    new = watch("new", changed=lambda context: portions.append(len(context.objects)))
    with watching(database, server, new):
        wait_for(lambda: sum(portions) == 620)
    assert max(portions) <= 500
    with database.read() as connection:
        names = connection.execute(select(cluster_follower.c.follower)).scalars().all()
    assert names == ["hello.new"]


def test_a_watch_nobody_asks_for_is_deleted(
    database: Database, server: ClusterServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.put(CONFIG_MAPS, "one")
    with watching(database, server):
        follows(database, server)
    monkeypatch.setattr("callboard.kubernetes.supervising.FORGOTTEN", timedelta(hours=-1))
    with watching(database, server, watch("pods", PODS)):
        wait_for(lambda: row_of(database) is None)
    assert there(database) == {}


def test_watches_namespaces_apart(database: Database, server: ClusterServer) -> None:
    for namespace in ("shop", "ci", "other"):
        server.put(CONFIG_MAPS, "one", namespace)
    chosen = settings(server.address, namespaces=["shop", "ci"])
    made = make_watching(database, [chosen], [watch()])
    made.start()
    try:
        wait_for(lambda: len(there(database)) == 2)
        server.put(CONFIG_MAPS, "two", "ci")
        server.put(CONFIG_MAPS, "two", "other")
        wait_for(lambda: len(there(database)) == 3)
    finally:
        made.stop(10)
    paths = {asked.path for asked in server.asked if asked.is_watch}
    assert paths == {f"/api/v1/namespaces/{name}/configmaps" for name in ("shop", "ci")}


def test_one_cluster_that_hangs_delays_no_other(database: Database, server: ClusterServer) -> None:
    """Nothing answers at the other one's address, though it takes connections."""
    import socket

    server.put(CONFIG_MAPS, "one")
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        silent = settings(f"http://127.0.0.1:{deaf.getsockname()[1]}", "silent")
        made = make_watching(database, [silent, settings(server.address)], [watch()])
        made.start()
        try:
            wait_for(lambda: there(database) == server.state(CONFIG_MAPS))
        finally:
            made.stop(2)


def test_objects_are_shown_to_plugins_without_a_cluster(database: Database) -> None:
    """As tests of plugins do it."""
    seen: list[tuple[str, str, bool]] = []

    def changed(context: ObservedContext) -> None:
        seen.extend((context.cluster, item.name, item.gone) for item in context.objects)

    def show(*, gone: bool = False, **metadata: str) -> None:
        watches = [watch(changed=changed), watch("pods", PODS)]
        given = [{"metadata": metadata}]
        host: Any = None
        now = datetime(2026, 3, 2, 8, tzinfo=UTC)
        observe(
            database, watches, lambda _: host, lambda: now, "one", CONFIG_MAPS, given, gone=gone
        )

    show(uid="u", name="map", namespace="shop", resourceVersion="1")
    show(uid="u", name="map", namespace="shop", resourceVersion="1")
    show(uid="u", name="map", namespace="shop", resourceVersion="2", gone=True)
    assert seen == [("one", "map", False), ("one", "map", True)]
    with pytest.raises(ValueError, match="resourceVersion"):
        show(name="map")
