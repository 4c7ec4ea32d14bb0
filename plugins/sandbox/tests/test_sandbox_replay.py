"""Recorded requests are answered as the recorded API server answered them."""

import os
import re
from collections.abc import Iterator
from typing import Any

import httpx
import orjson
import pytest
from sandbox_api import RECORDED, Api, Json, recorded, recorded_lines, served_as_recorded

pytestmark = [
    pytest.mark.corpus,
    pytest.mark.skipif(
        not (RECORDED / "kubernetes").is_dir() and os.environ.get("CI") != "true",
        reason=f"the recorded answers are not at {RECORDED}",
    ),
]
INDEX: dict[str, Json] = (
    recorded("kubernetes/index.json") if (RECORDED / "kubernetes").is_dir() else {}
)
# Kinds of other projects are not served; what was made by a state the others undo is tested apart.
ELSEWHERE = re.compile(
    r"apply/|argoproj|aquasecurity|wgpolicy|paging/page2|watch/|deployment_(after|mid|progress)"
)
VOLATILE = {
    "uid", "resourceVersion", "creationTimestamp", "managedFields", "generation", "continue",
    "serverAddress", "jwks_uri", "gitCommit", "buildDate", "storageVersionHash", "description",
    "remainingItemCount",
}  # fmt: skip
HEADERS = ("Cache-Control", "Content-Type", "Retry-After", "Vary", "Warning")
ROLES = {
    "errors/401_bad_token": "no-such-token",
    "errors/403_anonymous_or_no_token": "",
    "errors/403_forbidden": "nobody",
    "errors/403_secrets": "nobody",
    "access/ssar_denied": "nobody",
    "access/ssrr": "nobody",
}
ATTRIBUTES = {
    "namespace": "shop",
    "verb": "list",
    "group": "tekton.dev",
    "resource": "pipelineruns",
}
QUESTION = {"spec": {"resourceAttributes": ATTRIBUTES}}
BODIES: dict[str, Any] = {
    "errors/409_already_exists": {"metadata": {"name": "cart-config"}},
    "errors/409_conflict_stale_resourceVersion": {
        "metadata": {"name": "cart-config", "resourceVersion": "1"}
    },
    "errors/422_invalid": {"metadata": {"name": "Bad_Name"}, "spec": {}},
    "errors/415_patch_type": {"data": {"a": "1"}},
    "errors/400_strict_unknown_field": {"metadata": {"name": "x"}, "spec": {}},
    "errors/201_warning_unknown_field": {"metadata": {"name": "x"}, "spec": {}},
    "errors/403_quota": {
        "metadata": {"name": "huge"},
        "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": "500"}}}]},
    },
    "errors/404_create_in_missing_namespace": {"metadata": {"name": "x"}},
    "access/self_subject_review": {},
    "access/ssar_allowed": QUESTION,
    "access/ssar_denied": QUESTION,
    "access/ssrr": {"spec": {"namespace": "shop"}},
}
TYPES = {"errors/415_patch_type": "application/x-unknown"}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with served_as_recorded() as made:
        yield made


def ask(api: Api, name: str) -> httpx.Response:
    entry = INDEX[name]
    headers = dict(entry.get("request_headers") or {})
    content = None
    if entry["method"] in ("POST", "PUT", "PATCH"):
        content = httpx.Request("POST", "http://x", json=BODIES[name]).content
        headers["Content-Type"] = TYPES.get(name) or "application/json"
    with api.client(ROLES.get(name, "admin")) as client:
        return client.request(entry["method"], entry["path"], headers=headers, content=content)


def steady(value: Any) -> Any:
    """Leave out what is different each time, and mend versions in messages."""
    if isinstance(value, dict):
        return {key: steady(each) for key, each in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [steady(each) for each in value]
    if isinstance(value, str):
        return re.sub(r"current: \d+|\(\d+\)|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "#", value)
    return value


@pytest.mark.parametrize("name", [name for name in INDEX if not ELSEWHERE.search(name)])
def test_recorded_requests_are_answered_alike(api: Api, name: str) -> None:
    entry = INDEX[name]
    answer = ask(api, name)
    assert answer.status_code == entry["status"], answer.text
    for header in HEADERS if "response_headers" in entry else ():
        assert answer.headers.get(header) == entry["response_headers"].get(header), header
    assert ("Etag" in answer.headers) == ("Etag" in entry.get("response_headers", {}))
    path = RECORDED / "kubernetes" / f"{name}.json"
    if not path.exists():
        text = (RECORDED / "kubernetes" / f"{name}.txt").read_text(encoding="utf-8")
        if "readyz" in name:
            assert answer.text.endswith("readyz check passed\n")
        else:
            assert answer.text.rstrip("\n") == text.rstrip("\n")
        return
    compare(name, answer.json(), recorded(f"kubernetes/{name}.json"))


def compare(name: str, found: Json, expected: Json) -> None:
    if name.startswith("discovery/"):
        compare_discovery(found, expected)
    elif name.startswith("formats/") and expected["kind"] == "Table":
        compare_tables(name, found, expected)
    elif name == "paging/bad_continue":
        assert found["message"].startswith("invalid continue token: continue key is not valid:")
        assert {**found, "message": ""} == {**expected, "message": ""}
    elif "items" in expected:
        compare_lists(found, expected)
    else:
        assert steady(found) == steady(expected)


def compare_discovery(found: Json, expected: Json) -> None:
    """Of what the sandbox serves, everything is said as the real one says it."""
    assert found.keys() == expected.keys()
    for key in ("groups", "resources", "items"):
        if key not in found:
            continue
        known = {_name(each): each for each in expected[key]}
        for each in found[key]:
            if _name(each).startswith(("triggers.", "openshift-pipelines.")):
                continue  # the recorded server had no resource definitions of these
            compare_described(steady(each), steady(known[_name(each)]))
        return
    if "paths" not in found:
        assert steady(found) == steady(expected)


def compare_described(found: Json, expected: Json) -> None:
    for key, value in found.items():
        if key in ("versions", "resources", "subresources") and isinstance(value, list):
            known = {_name(each): each for each in expected[key]}
            for each in value:
                compare_described(each, known[_name(each)])
        elif key in ("verbs", "categories", "shortNames"):
            assert sorted(value) == sorted(expected[key])
        else:
            assert value == expected[key], key


def _name(each: Json) -> str:
    for key in ("name", "resource", "subresource", "version", "groupVersion"):
        if key in each:
            return str(each[key])
    return str((each.get("metadata") or {}).get("name", ""))


def compare_tables(name: str, found: Json, expected: Json) -> None:
    assert found["metadata"].keys() == expected["metadata"].keys()
    described = ("name", "type", "format", "priority")
    columns = [
        [[column[key] for key in described] for column in answer["columnDefinitions"]]
        for answer in (found, expected)
    ]
    assert columns[0] == columns[1]
    if name == "formats/pods_table":
        assert [_without_ages(row) for row in found["rows"]] == [
            _without_ages(row) for row in expected["rows"]
        ]
        restarts = [row["cells"][3] for row in found["rows"]]
        assert restarts[1].startswith("5 (")
    kept = found["rows"][0]["object"]
    assert (kept["kind"], kept["apiVersion"]) == ("PartialObjectMetadata", "meta.k8s.io/v1")
    assert kept.keys() == {"kind", "apiVersion", "metadata"}


def _without_ages(row: Json) -> list[Any]:
    return [cell for index, cell in enumerate(row["cells"]) if index not in (3, 4)]


def compare_lists(found: Json, expected: Json) -> None:
    assert (found["kind"], found["apiVersion"]) == (expected["kind"], expected["apiVersion"])
    assert found["metadata"].keys() == expected["metadata"].keys()
    assert found.keys() == expected.keys()
    known = {each["metadata"]["name"]: each for each in found["items"]}
    for each in expected["items"]:
        if each["metadata"]["name"] in known:
            assert steady(known[each["metadata"]["name"]]) == steady(each)
    if expected["items"]:
        assert known
        assert ("kind" in found["items"][0]) == ("kind" in expected["items"][0])


def test_server_side_apply_goes_as_recorded() -> None:
    path = "/api/v1/namespaces/shop/configmaps/ssa-demo"
    with served_as_recorded() as api, api.client() as client:

        def done(name: str, body: Any, method: str = "PATCH") -> Json:
            entry = INDEX[f"apply/{name}"]
            answer = client.request(
                method,
                entry["path"],
                json=body,
                headers={"Content-Type": entry["content_type_sent"]},
            )
            assert answer.status_code == entry["status"], answer.text
            expected = recorded(f"kubernetes/apply/{name}.json")
            if expected["kind"] == "ConfigMap" and name != "merge_patch":
                fields = answer.json()["metadata"]["managedFields"]
                assert [steady(each) for each in fields] == [
                    steady(each) for each in expected["metadata"]["managedFields"]
                ]
            found = answer.json()
            assert steady(found) == steady(expected)
            return dict(found)

        def wanted(value: str) -> Json:
            return {"apiVersion": "v1", "kind": "ConfigMap", "data": {"k": value}}

        assert INDEX["apply/ssa_create"]["path"].startswith(path)
        done("ssa_create", wanted("1"))
        done("ssa_conflict_409", wanted("2"))
        done("ssa_forced", wanted("2"))
        done("ssa_missing_field_manager_400", wanted("2"))
        done("ssa_dry_run", wanted("9"))
        done("merge_patch", {"data": {"k": None, "j": "1"}})
        done("json_patch_test_failed", [{"op": "test", "path": "/data/j", "value": "2"}])
        stale = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
        done("delete_with_precondition_409", stale, "DELETE")
        done("delete_ok", {}, "DELETE")
        assert client.get(path).status_code == 404


def test_pages_go_on_and_expire_as_recorded(api: Api) -> None:
    with api.client() as client:
        path = "/api/v1/namespaces/shop/events?limit=4"
        first = client.get(path).json()
        assert len(first["items"]) == 4
        count = first["metadata"]["remainingItemCount"]
        token = first["metadata"]["continue"]
        second = client.get(path, params={"limit": 4, "continue": token}).json()
        assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
        assert second["metadata"]["remainingItemCount"] == count - 4
        assert not {_name(each) for each in first["items"]} & {
            _name(each) for each in second["items"]
        }
        api.store.create("configmaps", {"metadata": {"name": "later", "namespace": "shop"}})
        api.store.compact()
        expired = client.get(path, params={"limit": 4, "continue": token})
        expected = recorded("kubernetes/paging/410_expired_continue.json")
        assert expired.status_code == 410
        assert steady(expired.json()) == steady(expected)
        fresh = client.get(path, params={"continue": expired.json()["metadata"]["continue"]})
        assert fresh.json()["items"][:4] == second["items"]


@pytest.mark.parametrize(
    "name", ["list_future_resource_version", "list_410_exact_old", "500_bad_resource_version"]
)
def test_versions_that_are_not_there_are_refused_as_recorded(api: Api, name: str) -> None:
    api.store.create("configmaps", {"metadata": {"generateName": "x-", "namespace": "shop"}})
    api.store.compact()
    entry = INDEX.get(f"watch/{name}")
    path = entry["path"] if entry else "/api/v1/configmaps?watch=true&resourceVersion=abc"
    with api.client() as client:
        answer = client.get(path)
    expected = recorded(f"kubernetes/watch/{name}.json")
    assert answer.status_code == expected["code"]
    assert steady(answer.json()) == steady(expected)
    if entry:
        wanted = entry["response_headers"].get("Retry-After")
        assert answer.headers.get("Retry-After") == wanted


def events_of(api: Api, path: str) -> list[Json]:
    with api.client() as client, client.stream("GET", path) as answer:
        assert answer.status_code == 200
        assert answer.headers["transfer-encoding"] == "chunked"
        return [orjson.loads(line) for line in answer.iter_lines()]


@pytest.mark.parametrize(
    "name", ["410_old_resource_version", "410_old_resource_version_custom_resource"]
)
def test_a_watch_from_a_forgotten_version_is_told_so_in_the_stream(api: Api, name: str) -> None:
    api.store.create("configmaps", {"metadata": {"generateName": "x-", "namespace": "shop"}})
    api.store.compact()
    plural = "pipelineruns" if "custom" in name else "configmaps"
    root = "/apis/tekton.dev/v1" if "custom" in name else "/api/v1"
    events = events_of(api, f"{root}/{plural}?watch=true&resourceVersion=1&timeoutSeconds=3")
    assert steady(events) == steady(recorded_lines(f"kubernetes/watch/{name}.ndjson"))


def test_watches_begin_as_recorded() -> None:
    with served_as_recorded() as api:
        for item in recorded("kubernetes/objects/configmaps.json")["items"]:
            api.store.delete("configmaps", "shop", item["metadata"]["name"])
        for name in ("without_resource_version_synthetic_added", "watch_list_initial_events_end"):
            expected = recorded_lines(f"kubernetes/watch/{name}.ndjson")
            if name.startswith("without"):
                for event in expected:
                    api.store.create("configmaps", event["object"])
            found = events_of(api, INDEX[f"watch/{name}"]["path"].replace("Seconds=3", "Seconds=1"))
            if name.startswith("watch_list"):
                found = found[: len(expected)]
            assert steady(found) == steady(expected)


def test_a_watch_tells_changes_as_recorded() -> None:
    path = "/api/v1/namespaces/shop/configmaps?watch=true&allowWatchBookmarks=true&timeoutSeconds=1"
    expected = recorded_lines("kubernetes/watch/configmaps_add_modify_delete.ndjson")
    with served_as_recorded() as api, api.client() as client:
        one = {"metadata": {"name": "cart-config", "namespace": "shop"}}
        if api.store.find("configmaps", "shop", "cart-config") is None:
            api.store.create("configmaps", one)
        version = api.store.version
        with client.stream("GET", f"{path}&resourceVersion={version}") as answer:
            client_2 = api.client()
            patch = {"data": {"LOG_LEVEL": "debug"}}
            merge = {"Content-Type": "application/merge-patch+json"}
            root = "/api/v1/namespaces/shop/configmaps"
            client_2.patch(f"{root}/cart-config", json=patch, headers=merge).raise_for_status()
            client_2.post(root, json={"metadata": {"name": "tmp"}}).raise_for_status()
            client_2.delete(f"{root}/tmp").raise_for_status()
            client_2.close()
            found = [orjson.loads(line) for line in answer.iter_lines()]
    assert [each["type"] for each in found][:4] == [each["type"] for each in expected][:4]
    for event, wanted in zip(found[:3], expected[:3], strict=True):
        assert event["object"]["metadata"]["name"] == wanted["object"]["metadata"]["name"]
        assert event["object"].get("data") == wanted["object"].get("data")
    assert steady(found[3]) == steady(expected[3])
    versions = [int(each["object"]["metadata"]["resourceVersion"]) for each in found]
    assert versions == sorted(versions)
    assert versions[3] == versions[2]


def test_a_pod_whose_image_cannot_be_pulled_has_no_log_yet(api: Api) -> None:
    name = "logs/400_waiting_container"
    with api.client() as client:
        answer = client.get(INDEX[name]["path"])
    assert answer.json() == recorded(f"kubernetes/{name}.json")


TEKTON: dict[str, tuple[str, Json]] = {
    "webhook_denied_bad_status": ("pipelineruns", {"status": "Paused"}),
    "webhook_denied_duplicate_param": (
        "pipelineruns",
        {"params": [{"name": "revision", "value": "a"}, {"name": "revision", "value": "b"}]},
    ),
}


@pytest.mark.parametrize("name", ["webhook_denied_bad_status", "webhook_denied_duplicate_param"])
def test_runs_are_denied_as_recorded(api: Api, name: str) -> None:
    plural, more = TEKTON[name]
    body = {"metadata": {"name": "bad"}, "spec": {"pipelineRef": {"name": "p"}, **more}}
    with api.client() as client:
        answer = client.post(f"/apis/tekton.dev/v1/namespaces/shop-ci/{plural}", json=body)
    expected = recorded(f"tekton/errors/{name}.json")
    assert answer.status_code == expected["request_status"]
    assert answer.json() == expected["body"]


@pytest.mark.parametrize("name", ["webhook_denied_cycle", "webhook_denied_no_steps"])
def test_pipelines_and_tasks_are_denied_as_recorded(api: Api, name: str) -> None:
    step = {"taskRef": {"name": "t"}}
    cycle = [{"name": "a", "runAfter": ["b"], **step}, {"name": "b", "runAfter": ["a"], **step}]
    spec: Json = {"tasks": cycle} if "cycle" in name else {"steps": []}
    plural = "pipelines" if "cycle" in name else "tasks"
    with api.client() as client:
        answer = client.post(
            f"/apis/tekton.dev/v1/namespaces/shop-ci/{plural}",
            json={"metadata": {"name": "bad"}, "spec": spec},
        )
    expected = recorded(f"tekton/errors/{name}.json")
    assert (answer.status_code, answer.json()) == (expected["request_status"], expected["body"])


def test_an_unknown_field_of_a_run_is_pruned_with_a_warning_as_recorded(api: Api) -> None:
    expected = recorded("tekton/errors/unknown_field_is_pruned_with_warning_201.json")
    run = expected["body"]
    claim = run["spec"]["workspaces"][0]["volumeClaimTemplate"]
    sent = {
        "metadata": {"name": "bad2", "labels": run["metadata"]["labels"]},
        "spec": {
            "pipelineReff": {"name": "x"},
            "pipelineRef": run["spec"]["pipelineRef"],
            "params": run["spec"]["params"],
            "workspaces": [{"name": "shared", "volumeClaimTemplate": {"spec": claim["spec"]}}],
        },
    }
    with api.client() as client:
        answer = client.post("/apis/tekton.dev/v1/namespaces/shop-ci/pipelineruns", json=sent)
        strict = client.post(
            "/apis/tekton.dev/v1/namespaces/shop-ci/pipelineruns?fieldValidation=Strict", json=sent
        )
    assert (answer.status_code, answer.headers["Warning"]) == (201, expected["warning"])
    assert steady(answer.json()) == steady(run)
    assert strict.status_code == 400
    assert 'unknown field "spec.pipelineReff"' in strict.json()["message"]


def test_errors_about_runs_are_as_recorded(api: Api) -> None:
    path = "/apis/tekton.dev/v1/namespaces/shop-ci/pipelineruns"
    run = {"metadata": {"name": "cart-success"}, "spec": {"pipelineRef": {"name": "p"}}}
    merge = {"Content-Type": "application/merge-patch+json"}
    with api.client() as client, api.client("nobody") as nobody:
        client.post(path, json=run).raise_for_status()
        missing = client.get(f"{path}/cart-inline-spec")
        exists = client.post(path, json=run)
        forbidden = nobody.get(path)
        running = {"conditions": [{"type": "Succeeded", "status": "Unknown", "reason": "Running"}]}
        api.store.set_status("pipelineruns.tekton.dev", "shop-ci", "cart-success", running)
        immutable = client.patch(
            f"{path}/cart-success", json={"spec": {"params": []}}, headers=merge
        )
        strategic = client.patch(
            f"{path}/cart-success",
            json={},
            headers={"Content-Type": "application/strategic-merge-patch+json"},
        )
        cancelled = client.patch(
            f"{path}/cart-success", json={"spec": {"status": "Cancelled"}}, headers=merge
        )
        ignored = client.patch(
            f"{path}/cart-success", json={"status": {"startTime": "x"}}, headers=merge
        )
        unknown = client.get(path, params={"fieldSelector": "status.phase=x"})
    assert missing.json() == recorded("tekton/errors/404_pipelinerun.json")
    assert exists.json() == {
        **recorded("tekton/errors/409_exists.json"),
        "message": 'pipelineruns.tekton.dev "cart-success" already exists',
        "details": {"name": "cart-success", "group": "tekton.dev", "kind": "pipelineruns"},
    }
    assert forbidden.json() == recorded("tekton/errors/403_forbidden.json")
    expected = recorded("tekton/errors/spec_is_immutable_once_started.json")
    assert immutable.json() == expected
    name = "415_strategic_merge_on_custom_resource"
    assert strategic.json() == recorded(f"kubernetes/errors/{name}.json")
    assert cancelled.json()["spec"]["status"] == "Cancelled"
    assert cancelled.json()["metadata"]["generation"] == 2
    assert ignored.status_code == 200
    assert ignored.json()["status"] == running
    name = "400_field_selector_custom_resource"
    assert unknown.json() == recorded(f"kubernetes/errors/{name}.json")
