"""Every recorded answer that is no success, asked of a real server, has its state."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from recorded_cluster import FIXTURES, ClusterServer, Reply, fixture, status

from callboard.kubernetes import ClusterError
from callboard.kubernetes.connection import Connection
from callboard.kubernetes.failures import failure_of_event
from callboard.kubernetes.settings import ClusterSettings

RECORDED = {
    "kubernetes/apply/delete_with_precondition_409.json": "conflict",
    "kubernetes/apply/json_patch_test_failed.json": "invalid",
    "kubernetes/apply/ssa_conflict_409.json": "conflict",
    "kubernetes/apply/ssa_missing_field_manager_400.json": "invalid",
    "kubernetes/errors/400_bad_field_selector.json": "invalid",
    "kubernetes/errors/400_bad_label_selector.json": "invalid",
    "kubernetes/errors/400_field_selector_custom_resource.json": "invalid",
    "kubernetes/errors/400_strict_unknown_field.json": "invalid",
    "kubernetes/errors/401_bad_token.json": "unauthenticated",
    "kubernetes/errors/403_anonymous_or_no_token.json": "unauthenticated",
    "kubernetes/errors/403_forbidden.json": "forbidden",
    "kubernetes/errors/403_quota.json": "quota",
    "kubernetes/errors/403_secrets.json": "forbidden",
    "kubernetes/errors/404_create_in_missing_namespace.json": "missing",
    "kubernetes/errors/404_group.txt": "absent",
    "kubernetes/errors/404_metrics_api_absent.txt": "absent",
    "kubernetes/errors/404_object.json": "missing",
    "kubernetes/errors/404_resource_type.txt": "absent",
    "kubernetes/errors/405_method.json": "invalid",
    "kubernetes/errors/406_accept.json": "invalid",
    "kubernetes/errors/409_already_exists.json": "exists",
    "kubernetes/errors/409_conflict_stale_resourceVersion.json": "conflict",
    "kubernetes/errors/415_patch_type.json": "invalid",
    "kubernetes/errors/415_strategic_merge_on_custom_resource.json": "invalid",
    "kubernetes/errors/422_invalid.json": "invalid",
    "kubernetes/logs/400_bad_container.json": "invalid",
    "kubernetes/logs/400_container_not_chosen.json": "invalid",
    "kubernetes/logs/400_previous_missing.json": "missing",
    "kubernetes/logs/400_waiting_container.json": "waiting",
    "kubernetes/logs/404_pod.json": "missing",
    "kubernetes/logs/422_bad_option.json": "invalid",
    "kubernetes/logs/500_node_unreachable.json": "failed",
    "kubernetes/paging/410_expired_continue.json": "gone",
    "kubernetes/paging/bad_continue.json": "invalid",
    "kubernetes/watch/500_bad_resource_version.json": "failed",
    "kubernetes/watch/list_410_exact_old.json": "gone",
    "kubernetes/watch/list_future_resource_version.json": "slow",
    "tekton/errors/403_forbidden.json": "forbidden",
    "tekton/errors/404_pipelinerun.json": "missing",
    "tekton/errors/409_exists.json": "exists",
    "tekton/errors/spec_is_immutable_once_started.json": "denied",
    "tekton/errors/webhook_denied_bad_status.json": "denied",
    "tekton/errors/webhook_denied_cycle.json": "denied",
    "tekton/errors/webhook_denied_duplicate_param.json": "denied",
    "tekton/errors/webhook_denied_no_steps.json": "denied",
    "tekton/paging/410_expired_continue.json": "gone",
}

FOLDERS = (
    *(f"kubernetes/{name}" for name in ("errors", "apply", "access", "logs", "paging", "watch")),
    "tekton/errors",
    "tekton/paging",
)


@pytest.fixture
def server() -> Iterator[ClusterServer]:
    made = ClusterServer()
    yield made
    made.close()


@pytest.fixture
def connection(server: ClusterServer) -> Iterator[Connection]:
    made = Connection(ClusterSettings(name="build", server=server.address))
    yield made
    made.close()


def failure(connection: Connection) -> ClusterError:
    with pytest.raises(ClusterError) as raised:
        connection.ask("GET", "/asked")
    return raised.value


def recorded(path: str) -> tuple[int, bytes]:
    """Give the code and the body of a recorded answer."""
    body = fixture(path)
    if path.endswith(".txt"):
        return int(Path(path).name[:3]), body
    document = json.loads(body)
    if "request_status" in document:
        return document["request_status"], orjson.dumps(document["body"])
    return document["code"], body


@pytest.mark.corpus
def test_every_recorded_failure_is_among_them() -> None:
    fixture("kubernetes/index.json")
    failures = {
        str(path.relative_to(FIXTURES))
        for folder in FOLDERS
        for path in (FIXTURES / folder).iterdir()
        if path.suffix == ".json" and _is_failure(json.loads(path.read_bytes()))
    }
    texts = {path for path in RECORDED if path.endswith(".txt")}
    assert failures | texts == set(RECORDED)


def _is_failure(document: Mapping[str, Any]) -> bool:
    found = document.get("body", document)
    return (found.get("kind"), found.get("status")) == ("Status", "Failure")


@pytest.mark.corpus
@pytest.mark.parametrize("path", RECORDED)
def test_a_recorded_failure_has_its_state(
    path: str, server: ClusterServer, connection: Connection
) -> None:
    code, body = recorded(path)
    text = path.endswith(".txt")
    content_type = "text/plain; charset=utf-8" if text else "application/json"
    server.on("GET", "/asked", Reply(body, code, content_type))
    error = failure(connection)
    assert (error.state, error.code) == (RECORDED[path], code)
    said = body.decode().strip() if text else json.loads(body)["message"]
    assert error.said == said
    assert (said in str(error.message)) is not text
    assert "build" in str(error.message)


@pytest.mark.corpus
def test_fields_that_are_refused_are_told(server: ClusterServer, connection: Connection) -> None:
    code, body = recorded("kubernetes/errors/422_invalid.json")
    server.on("GET", "/asked", Reply(body, code))
    causes = failure(connection).causes
    assert [(cause.field, cause.reason) for cause in causes] == [
        ("metadata.name", "FieldValueInvalid"),
        ("spec.containers", "FieldValueRequired"),
    ]
    code, body = recorded("kubernetes/apply/ssa_conflict_409.json")
    server.on("GET", "/asked", Reply(body, code))
    [cause] = failure(connection).causes
    assert (cause.field, cause.message) == (".data.k", 'conflict with "portal"')


@pytest.mark.corpus
def test_an_expired_list_tells_how_to_go_on(server: ClusterServer, connection: Connection) -> None:
    for path, token in (
        ("kubernetes/paging/410_expired_continue.json", True),
        ("kubernetes/watch/list_410_exact_old.json", False),
    ):
        code, body = recorded(path)
        server.on("GET", "/asked", Reply(body, code))
        assert bool(failure(connection).go_on) is token


@pytest.mark.corpus
@pytest.mark.parametrize(
    "name", ["410_old_resource_version", "410_old_resource_version_custom_resource"]
)
def test_an_error_event_is_the_same_failure(name: str) -> None:
    line = fixture(f"kubernetes/watch/{name}.ndjson").splitlines()[-1]
    error = failure_of_event("build", json.loads(line)["object"])
    assert (error.state, error.code, error.reason) == ("gone", 410, "Expired")


@pytest.mark.parametrize(
    ("reply", "state"),
    [
        (status(403, "Forbidden", 'admission webhook "policy" denied the request: no'), "denied"),
        (
            status(
                422, "Invalid",
                "pods \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied "
                "request: no",
            ),
            "denied",
        ),
        (status(403, "Forbidden", 'pods "a" is forbidden: violates PodSecurity "x": no'), "denied"),
        (status(500, "InternalError", 'failed calling webhook "a": timeout'), "failed"),
        (status(429, "TooManyRequests", details={"retryAfterSeconds": 7}), "busy"),
        (Reply(b"overload", 503, "text/plain", [("Retry-After", "7")]), "busy"),
        (Reply(b"<h1>Bad Gateway</h1>", 502, "text/html"), "down"),
        (Reply(b"<h1>Gateway Timeout</h1>", 504, "text/html"), "slow"),
        (Reply(b'{"kind": "Oddity"}', 403), "forbidden"),
        (Reply(b"{", 500), "failed"),
        (Reply(b"", 418, "text/plain"), "failed"),
    ],
)  # fmt: skip
def test_other_failures_have_a_state(
    reply: Reply, state: str, server: ClusterServer, connection: Connection
) -> None:
    server.on("GET", "/asked", reply)
    error = failure(connection)
    assert error.state == state
    assert "<h1>" not in str(error)
    if state == "busy":
        assert error.retry_after == 7


def test_redirects_are_not_followed(server: ClusterServer, connection: Connection) -> None:
    server.on(
        "GET", "/asked", Reply(status=302, headers=[("Location", f"{server.address}/elsewhere")])
    )
    error = failure(connection)
    assert error.state == "failed"
    assert "not followed" in str(error.hint)
    assert server.asked("/elsewhere") == []


def test_what_is_no_api_is_told_so(server: ClusterServer, connection: Connection) -> None:
    for body in (b"<html>Sign in</html>", b"[1]"):
        server.on("GET", "/asked", Reply(body, 200, "text/html"))
        with pytest.raises(ClusterError, match="no Kubernetes API"):
            connection.read("/asked")
