"""The official client and the portal's own find nothing amiss with the server."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client as official
from kubernetes import watch
from kubernetes.client.exceptions import ApiException
from kubernetes.config import new_client_from_config
from kubernetes.dynamic import DynamicClient
from sandbox_api import TOKENS, Api, serving

from callboard.kubernetes.connection import Connection
from callboard.kubernetes.failures import ClusterError
from callboard.kubernetes.settings import ClusterSettings
from callboard_sandbox.kubeconfig import write_kubeconfig

RUN = {
    "apiVersion": "tekton.dev/v1",
    "kind": "PipelineRun",
    "metadata": {"generateName": "build-", "labels": {"app": "cart"}},
    "spec": {"pipelineRef": {"name": "build"}},
}
RUNS = ("tekton.dev", "v1", "default", "pipelineruns")


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Api]:
    with serving(tmp_path / "store") as made:
        yield made


@pytest.fixture
def kubeconfig(api: Api, tmp_path: Path) -> Path:
    path = tmp_path / "kubeconfig"
    write_kubeconfig(path, api.server.address, TOKENS)
    assert path.stat().st_mode & 0o777 == 0o600
    return path


@pytest.fixture
def chosen(kubeconfig: Path) -> Iterator[official.ApiClient]:
    load: Any = new_client_from_config
    with load(str(kubeconfig), context="admin") as made:
        yield made


def test_core_objects_are_made_changed_and_deleted(chosen: official.ApiClient) -> None:
    core: Any = official.CoreV1Api(chosen)
    body = official.V1ConfigMap(
        metadata=official.V1ObjectMeta(name="settings", labels={"app": "cart"}), data={"a": "1"}
    )
    made = core.create_namespaced_config_map("default", body)
    assert made.metadata.uid
    patched = core.patch_namespaced_config_map("settings", "default", {"data": {"b": "2"}})
    assert patched.data == {"a": "1", "b": "2"}
    made.data = {"a": "3"}
    with pytest.raises(ApiException) as raised:
        core.replace_namespaced_config_map("settings", "default", made)
    assert raised.value.status == 409
    listed = core.list_config_map_for_all_namespaces(label_selector="app=cart")
    assert [item.data for item in listed.items] == [{"a": "1", "b": "2"}]
    core.delete_namespaced_config_map("settings", "default")
    assert core.list_namespaced_config_map("default").items == []


def test_custom_objects_are_made_paged_and_patched(chosen: official.ApiClient) -> None:
    custom: Any = official.CustomObjectsApi(chosen)
    names = [
        custom.create_namespaced_custom_object(*RUNS, RUN)["metadata"]["name"] for _ in range(5)
    ]
    page = custom.list_namespaced_custom_object(*RUNS, limit=2)
    assert page["metadata"]["remainingItemCount"] == 3
    seen = [item["metadata"]["name"] for item in page["items"]]
    while token := page["metadata"].get("continue"):
        page = custom.list_namespaced_custom_object(*RUNS, limit=2, _continue=token)
        seen += [item["metadata"]["name"] for item in page["items"]]
    assert seen == sorted(names)
    cancelled = custom.patch_namespaced_custom_object(
        *RUNS, names[0], {"spec": {"status": "Cancelled"}}
    )
    assert cancelled["spec"]["status"] == "Cancelled"
    status = {"status": {"conditions": [{"type": "Succeeded", "status": "True"}]}}
    done = custom.patch_namespaced_custom_object_status(*RUNS, names[1], status)
    assert done["status"] == status["status"]
    assert done["metadata"]["generation"] == 1


def test_the_dynamic_client_discovers_kinds_and_applies(chosen: official.ApiClient) -> None:
    begin: Any = DynamicClient
    dynamic = begin(chosen)
    runs = dynamic.resources.get(api_version="tekton.dev/v1", kind="PipelineRun")
    assert runs.name == "pipelineruns"
    made = runs.create(body=RUN, namespace="default")
    assert made.spec.timeouts.pipeline == "1h0m0s"
    older = dynamic.resources.get(api_version="tekton.dev/v1beta1", kind="PipelineRun")
    assert older.get(name=made.metadata.name, namespace="default").spec.serviceAccountName
    maps = dynamic.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"k": "1"}}
    applied = maps.server_side_apply(body=body, namespace="default", field_manager="portal")
    assert applied.metadata.managedFields[0].manager == "portal"


def test_a_watch_of_the_client_sees_each_change(api: Api, chosen: official.ApiClient) -> None:
    custom: Any = official.CustomObjectsApi(chosen)
    version = custom.list_namespaced_custom_object(*RUNS)["metadata"]["resourceVersion"]
    made = api.store.create("pipelineruns.tekton.dev", {**RUN, "metadata": {"name": "one"}})
    api.store.set_status("pipelineruns.tekton.dev", "default", "one", {"startTime": "x"})
    api.store.delete("pipelineruns.tekton.dev", "default", "one")
    begin: Any = watch.Watch
    stream = begin().stream(
        custom.list_namespaced_custom_object, *RUNS, resource_version=version, timeout_seconds=1
    )
    events = [(event["type"], event["object"]["metadata"]["uid"]) for event in stream]
    assert events == [
        (type_, made["metadata"]["uid"]) for type_ in ("ADDED", "MODIFIED", "DELETED")
    ]


def test_a_log_is_followed_until_its_container_ends(api: Api, chosen: official.ApiClient) -> None:
    pod = {
        "metadata": {"name": "p", "namespace": "default"},
        "spec": {"nodeName": "n", "containers": [{"name": "c"}]},
        "status": _status({"running": {"startedAt": "2026-01-01T00:00:00Z"}}),
    }
    api.store.create("pods", pod)
    api.store.append_log("default", "p", "c", ["begun"])
    core: Any = official.CoreV1Api(chosen)
    answer = core.read_namespaced_pod_log(
        "p", "default", follow=True, timestamps=True, _preload_content=False
    )
    first = answer.readline()
    assert first.endswith(b"Z begun\n")

    def finish() -> None:
        api.store.append_log("default", "p", "c", ["more", "end"])
        api.store.set_status("pods", "default", "p", _status({"terminated": {"exitCode": 0}}))

    thread = threading.Thread(target=finish)
    thread.start()
    rest = answer.read().decode().splitlines()
    thread.join()
    assert [line.partition(" ")[2] for line in rest] == ["more", "end"]
    since = rest[0].partition(" ")[0]
    with api.client() as client:
        path = "/api/v1/namespaces/default/pods/p/log"
        again = client.get(path, params={"sinceTime": since}).content
    assert again == b"more\nend\n"


def _status(state: dict[str, Any]) -> dict[str, Any]:
    return {
        "phase": "Running",
        "containerStatuses": [{"name": "c", "restartCount": 0, "state": state}],
    }


def test_the_portals_own_connection_reads_states_and_warnings(kubeconfig: Path) -> None:
    connection = Connection(ClusterSettings(name="sandbox", kubeconfig=kubeconfig))
    path = "/apis/tekton.dev/v1/namespaces/default/pipelineruns"
    body = {**RUN, "spec": {**RUN["spec"], "wrong": 1}}  # type: ignore[dict-item]
    with connection.ask("POST", path, body=body) as answer:
        assert answer.warnings == ('unknown field "spec.wrong"',)
        answer.read()
    for asked, state in (
        (("GET", "/api/v1/namespaces/default/secrets"), "forbidden"),
        (("GET", "/apis/argoproj.io/v1alpha1/applications"), "absent"),
        (("GET", f"{path}/nope"), "missing"),
    ):
        with pytest.raises(ClusterError) as raised:
            connection.ask(*asked)
        assert raised.value.state == state
    connection.close()
