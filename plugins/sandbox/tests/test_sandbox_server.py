"""What the recorded answers do not show: restarts, faults, deletions, rights and selections."""

import contextlib
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sandbox_api import TOKENS, Api, Json, serving

from callboard_sandbox.api.failures import ApiError
from callboard_sandbox.api.faults import Plan
from callboard_sandbox.api.server import Server
from callboard_sandbox.api.store import Store

MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serving(tmp_path) as made:
        yield made


@pytest.fixture
def admin(api: Api) -> Iterator[httpx.Client]:
    with api.client() as made:
        yield made


def put(api: Api, name: str, **more: Any) -> Json:
    metadata = {"name": name, "namespace": "default", **more.pop("metadata", {})}
    return api.store.create("configmaps", {"metadata": metadata, **more})


def watched(client: httpx.Client, path: str, **query: Any) -> list[Json]:
    query = {"watch": "true", "timeoutSeconds": 1, **query}
    with client.stream("GET", path, params=query) as answer:
        return [json.loads(line) for line in answer.iter_lines()]


# Restarts


def test_a_restart_keeps_objects_logs_versions_and_history(tmp_path: Path) -> None:
    with serving(tmp_path) as api:
        before = api.store.version
        pod = api.store.create("pods", {"metadata": {"name": "p"}, "spec": {"nodeName": "n"}})
        api.store.append_log("default", "p", "c", ["kept"])
        version, uid = api.store.version, pod["metadata"]["uid"]
        limited = put(api, "a"), put(api, "b")
        with api.client() as client:
            page = client.get(MAPS, params={"limit": 1}).json()
    with serving(tmp_path) as api, api.client() as client:
        assert api.store.get("pods", "default", "p") == pod
        assert [line.text for line in api.store.log_lines(uid, "c")] == [b"kept"]
        assert put(api, "c")["metadata"]["resourceVersion"] == str(version + 3)
        events = watched(client, "/api/v1/pods", resourceVersion=before)
        assert [event["object"]["metadata"]["uid"] for event in events] == [uid]
        token = page["metadata"]["continue"]
        rest = client.get(MAPS, params={"limit": 1, "continue": token}).json()
        assert [each["metadata"]["uid"] for each in rest["items"]] == [
            limited[1]["metadata"]["uid"]
        ]


def test_no_line_is_older_than_the_one_before_it(tmp_path: Path) -> None:
    """As of a node whose clock is set back, or of a pod that is taken up after a restart."""
    late = datetime(2026, 3, 2, 8, tzinfo=UTC)
    with contextlib.closing(Store(tmp_path, clock=lambda: late)) as store:
        store.create("pods", {"metadata": {"name": "p", "namespace": "default"}})
        store.append_log("default", "p", "c", ["one", "two"], at=late)
        store.append_log("default", "p", "c", ["three"], at=late - timedelta(seconds=1))
        uid = store.get("pods", "default", "p")["metadata"]["uid"]
        lines = store.log_lines(uid, "c")
    assert [line.text for line in lines] == [b"one", b"two", b"three"]
    assert [line.at for line in lines] == sorted(line.at for line in lines)


def test_what_is_compacted_is_forgotten_after_a_restart_too(tmp_path: Path) -> None:
    with serving(tmp_path) as api:
        put(api, "a")
        api.store.compact()
    with serving(tmp_path) as api, api.client() as client:
        (event,) = watched(client, MAPS, resourceVersion=1)
        assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
        assert [each["metadata"]["name"] for each in client.get(MAPS).json()["items"]] == ["a"]


def test_the_store_compacts_itself(tmp_path: Path) -> None:
    store = Store(tmp_path, clock=lambda: datetime.now(UTC), history=100)
    store.create("configmaps", {"metadata": {"name": "a"}})
    for number in range(1000):

        def count(body: Json, number: int = number) -> None:
            body["data"] = {"n": str(number)}

        store.update("configmaps", "default", "a", count)
    with pytest.raises(ApiError) as raised:
        store.changes(1)
    assert raised.value.code == 410
    assert len(store.changes(store.version - 100)) == 100
    store.close()


# Versions and pages


def test_a_list_of_the_past_is_as_it_was(api: Api, admin: httpx.Client) -> None:
    put(api, "a", data={"k": "1"})
    put(api, "b")
    then = api.store.version
    was = admin.get(MAPS).json()
    admin.patch(f"{MAPS}/a", json={"data": {"k": "2"}}, headers=MERGE)
    admin.delete(f"{MAPS}/b")
    put(api, "c")
    exact = {"resourceVersion": str(then), "resourceVersionMatch": "Exact"}
    assert admin.get(MAPS, params=exact).json() == was
    names = [each["metadata"]["name"] for each in admin.get(MAPS).json()["items"]]
    assert names == ["a", "c"]


def test_a_write_of_nothing_new_has_no_version(api: Api, admin: httpx.Client) -> None:
    put(api, "a", data={"k": "1"})
    before = api.store.version
    again = admin.patch(f"{MAPS}/a", json={"data": {"k": "1"}}, headers=MERGE)
    assert again.status_code == 200
    assert api.store.version == before


def test_a_dry_run_answers_and_writes_nothing(api: Api, admin: httpx.Client) -> None:
    before = api.store.version
    dry = {"dryRun": "All"}
    assert admin.post(MAPS, json={"metadata": {"name": "a"}}, params=dry).status_code == 201
    put(api, "b")
    changed = admin.patch(f"{MAPS}/b", json={"data": {"k": "1"}}, headers=MERGE, params=dry)
    assert changed.json()["data"] == {"k": "1"}
    assert admin.delete(f"{MAPS}/b", params=dry).json()["status"] == "Success"
    assert api.store.version == before + 1


# Watches


def test_what_leaves_a_selection_is_deleted_for_its_watch(api: Api, admin: httpx.Client) -> None:
    put(api, "a", metadata={"labels": {"team": "x"}})
    version = api.store.version
    for team in ("y", "x"):
        labels = {"metadata": {"labels": {"team": team}}}
        admin.patch(f"{MAPS}/a", json=labels, headers=MERGE).raise_for_status()
    put(api, "other")
    events = watched(admin, MAPS, resourceVersion=version, labelSelector="team in (x)")
    assert [event["type"] for event in events] == ["DELETED", "ADDED"]


def test_bookmarks_come_while_nothing_happens(tmp_path: Path) -> None:
    with serving(tmp_path, bookmarks=0.1) as api, api.client() as client:
        put(api, "a")
        version = api.store.version
        events = watched(
            client, "/api/v1/pods", timeoutSeconds=3, allowWatchBookmarks="true",
            resourceVersion=version - 1,
        )  # fmt: skip
        assert {event["type"] for event in events} == {"BOOKMARK"}
        assert len(events) > 3
        assert events[-1]["object"]["metadata"]["resourceVersion"] == str(version)


def test_a_watch_gives_metadata_only_where_that_is_asked_for(api: Api, admin: httpx.Client) -> None:
    put(api, "a", data={"k": "1"})
    admin.headers["Accept"] = "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"
    (event,) = watched(admin, MAPS)
    assert event["object"]["kind"] == "PartialObjectMetadata"
    assert "data" not in event["object"]


# Deletions


def owned(by: Json) -> dict[str, Any]:
    reference = {
        "apiVersion": "v1", "kind": "ConfigMap", "name": by["metadata"]["name"],
        "uid": by["metadata"]["uid"], "controller": True,
    }  # fmt: skip
    return {"ownerReferences": [reference]}


def names(api: Api) -> list[str]:
    return [each["metadata"]["name"] for each in api.store.list("configmaps")]


def test_children_go_after_their_owner(api: Api, admin: httpx.Client) -> None:
    owner = put(api, "owner")
    child = put(api, "child", metadata=owned(owner))
    put(api, "grandchild", metadata=owned(child))
    assert admin.delete(f"{MAPS}/owner").json()["status"] == "Success"
    assert names(api) == ["child", "grandchild"]
    assert api.store.collect() == 2
    assert names(api) == []


def test_a_child_stays_while_one_of_its_owners_is_there(api: Api, admin: httpx.Client) -> None:
    first, second = put(api, "first"), put(api, "second")
    both = [*owned(first)["ownerReferences"], *owned(second)["ownerReferences"]]
    put(api, "child", metadata={"ownerReferences": both})
    admin.delete(f"{MAPS}/first")
    api.store.collect()
    assert "child" in names(api)
    admin.delete(f"{MAPS}/second")
    api.store.collect()
    assert names(api) == []


def test_foreground_waits_for_children_and_orphans_stay(api: Api, admin: httpx.Client) -> None:
    for policy, left in (("Foreground", []), ("Orphan", ["child"])):
        put(api, "child", metadata=owned(put(api, "owner")))
        held = admin.request("DELETE", f"{MAPS}/owner", json={"propagationPolicy": policy}).json()
        if policy == "Foreground":
            assert held["metadata"]["finalizers"] == ["foregroundDeletion"]
            assert held["metadata"]["deletionTimestamp"]
        api.store.collect()
        assert names(api) == left


def test_finalizers_hold_an_object_until_they_are_gone(api: Api, admin: httpx.Client) -> None:
    put(api, "a", metadata={"finalizers": ["example.test/wait"]})
    held = admin.delete(f"{MAPS}/a").json()
    assert (held["kind"], bool(held["metadata"]["deletionTimestamp"])) == ("ConfigMap", True)
    api.store.collect()
    assert names(api) == ["a"]
    version = api.store.version
    admin.patch(f"{MAPS}/a", json={"metadata": {"finalizers": None}}, headers=MERGE)
    assert names(api) == []
    (event,) = watched(admin, MAPS, resourceVersion=version)
    assert event["type"] == "DELETED"


def test_a_namespace_takes_what_is_in_it_along(api: Api, admin: httpx.Client) -> None:
    admin.post("/api/v1/namespaces", json={"metadata": {"name": "team"}}).raise_for_status()
    admin.post("/api/v1/namespaces/team/configmaps", json={"metadata": {"name": "a"}})
    gone = admin.delete("/api/v1/namespaces/team").json()
    assert gone["status"]["phase"] == "Terminating"
    api.store.collect()
    api.store.collect()
    assert admin.get("/api/v1/namespaces/team").status_code == 404
    assert names(api) == []


def test_events_are_forgotten_after_an_hour(tmp_path: Path) -> None:
    at = datetime(2026, 3, 2, 8, tzinfo=UTC)
    store = Store(tmp_path, clock=lambda: at)
    store.create("events", {"metadata": {"name": "old"}})
    at += timedelta(minutes=50)
    store.create("events", {"metadata": {"name": "new"}})
    assert store.collect() == 0
    at += timedelta(minutes=11)
    assert store.collect() == 1
    assert [each["metadata"]["name"] for each in store.list("events")] == ["new"]
    store.close()


def test_logs_go_with_their_pod(api: Api, admin: httpx.Client) -> None:
    pod = api.store.create("pods", {"metadata": {"name": "p"}, "spec": {"nodeName": "n"}})
    api.store.append_log("default", "p", "c", ["x"])
    admin.delete("/api/v1/namespaces/default/pods/p").raise_for_status()
    assert api.store.log_lines(pod["metadata"]["uid"], "c") == []


# Doors


def test_scale_is_a_door_of_its_own(api: Api, admin: httpx.Client) -> None:
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "cart"}}}
    api.store.create("deployments.apps", {"metadata": {"name": "d"}, "spec": spec})
    path = "/apis/apps/v1/namespaces/default/deployments/d"
    scaled = admin.patch(f"{path}/scale", json={"spec": {"replicas": 3}}, headers=MERGE).json()
    assert (scaled["kind"], scaled["spec"]["replicas"]) == ("Scale", 3)
    assert scaled["status"]["selector"] == "app=cart"
    assert admin.get(path).json()["metadata"]["generation"] == 2


def test_values_are_checked_by_the_schema(admin: httpx.Client) -> None:
    path = "/apis/tekton.dev/v1/namespaces/default/pipelineruns"
    spec = {"pipelineRef": {"name": 3}, "params": [{"name": "a"}]}
    refused = admin.post(path, json={"metadata": {"name": "x"}, "spec": spec})
    assert refused.status_code == 422
    causes = refused.json()["details"]["causes"]
    assert {cause["field"]: cause["reason"] for cause in causes} == {
        "spec.params[0].value": "FieldValueRequired",
        "spec.pipelineRef.name": "FieldValueTypeInvalid",
    }


def test_a_new_definition_is_served_at_once(api: Api, admin: httpx.Client) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "toys.example.test"},
        "spec": {
            "group": "example.test",
            "scope": "Namespaced",
            "names": {"plural": "toys", "kind": "Toy"},
            "versions": [version],
        },
    }
    path = "/apis/example.test/v1/namespaces/default/toys"
    assert admin.get(path).text == "404 page not found\n"
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    made = admin.post(definitions, json=definition).raise_for_status().json()
    established = {each["type"]: each["status"] for each in made["status"]["conditions"]}
    assert established == {"NamesAccepted": "True", "Established": "True"}
    assert admin.post(path, json={"metadata": {"name": "bear"}, "soft": 1}).json()["soft"] == 1
    assert len(admin.get(path).json()["items"]) == 1


# Rights


def test_the_portals_token_may_do_its_work_and_no_more(api: Api) -> None:
    with api.client("portal") as portal, api.client("viewer") as viewer:
        runs = "/apis/tekton.dev/v1/namespaces/default/pipelineruns"
        run = {"metadata": {"name": "r"}, "spec": {"pipelineRef": {"name": "p"}}}
        assert viewer.post(runs, json=run).status_code == 403
        assert portal.post(runs, json=run).status_code == 201
        assert portal.get("/api/v1/secrets").status_code == 403
        assert portal.post(MAPS, json={"metadata": {"name": "a"}}).status_code == 403
        question = {"verb": "create", "group": "tekton.dev", "resource": "pipelineruns"}
        for client, allowed in ((portal, True), (viewer, False)):
            review = client.post(
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                json={"spec": {"resourceAttributes": question}},
            )
            assert review.json()["status"]["allowed"] is allowed


def test_a_server_listens_on_loopback_only(api: Api) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        Server(api.server.application, host="0.0.0.0")


# Faults


@pytest.mark.parametrize(
    ("fault", "code"), [("gone", 410), ("busy", 429), ("failed", 500)], ids=lambda value: str(value)
)
def test_the_next_requests_meet_a_fault(
    api: Api, admin: httpx.Client, fault: Any, code: int
) -> None:
    plan = api.faults.plan(Plan(fault, next=2, path="configmaps"))
    assert admin.get("/api/v1/pods").status_code == 200
    refused = [admin.get(MAPS) for _ in range(2)]
    assert [answer.status_code for answer in refused] == [code, code]
    if fault == "busy":
        assert refused[0].headers["Retry-After"] == "1"
    assert admin.get(MAPS).status_code == 200
    assert plan.met == 2


def test_a_connection_is_cut_at_once_and_in_the_middle(api: Api, admin: httpx.Client) -> None:
    api.faults.plan(Plan("disconnect", next=1))
    with pytest.raises(httpx.TransportError):
        admin.get(MAPS)
    put(api, "a", data={"k": "x" * 1000})
    api.faults.plan(Plan("disconnect", next=1, verb="watch", after=200))
    with admin.stream("GET", MAPS, params={"watch": "true"}) as answer:
        pieces = answer.iter_raw()
        got = next(pieces)
        with pytest.raises(httpx.TransportError):
            list(pieces)
    assert len(got) <= 200


def test_a_watch_learns_that_its_version_is_gone(api: Api, admin: httpx.Client) -> None:
    version = api.store.version
    put(api, "a")
    api.faults.plan(Plan("gone", next=1, verb="watch"))
    (event,) = watched(admin, MAPS, resourceVersion=version)
    assert event["object"]["reason"] == "Expired"


def test_faults_are_set_and_ended_with_their_own_token(api: Api, admin: httpx.Client) -> None:
    path = "/sandbox/faults"
    assert admin.put(path, json={"fault": "failed"}).status_code == 401
    with api.client("faults") as faults:
        assert TOKENS["faults"] in faults.headers["Authorization"]
        assert faults.put(path, json={"fault": "fire"}).status_code == 400
        assert faults.put(path, json={"fault": "failed", "share": 1.0}).status_code == 200
        assert admin.get(MAPS).status_code == 500
        assert faults.delete(path).json() == []
    assert admin.get(MAPS).status_code == 200
