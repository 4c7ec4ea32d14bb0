"""A small API server on loopback: discovery, lists by pages, watches, and faults on demand.

Its wire is that of the recorded answers: a version that was compacted is an `ERROR` event in a
stream and an answer in a list; a malformed one is 500.
"""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from callboard.kubernetes.model import Resource

CONFIG_MAPS: Final = Resource("", "v1", "configmaps", "ConfigMap")
PODS: Final = Resource("", "v1", "pods", "Pod")
PIPELINE_RUNS: Final = Resource("tekton.dev", "v1", "pipelineruns", "PipelineRun")
TASK_RUNS: Final = Resource("tekton.dev", "v1", "taskruns", "TaskRun")


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    token: str

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") == "1"

    @property
    def is_list(self) -> bool:
        return not self.is_watch and "limit" in self.query


@dataclass(frozen=True)
class Reply:
    """What is answered instead: a status with a body, or with `cut` half an answer."""

    status: int
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: bool = False


def failure(code: int, reason: str, message: str, **headers: str) -> Reply:
    """Give a `Status` as the API server sends it."""
    status = {
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    }  # fmt: skip
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(code, status, named)


EXPIRED: Final = failure(410, "Expired", "The provided continue parameter is too old.")


class ClusterServer:
    """Objects in memory, the history of their versions, and who watches."""

    def __init__(self, resources: Sequence[Resource], port: int = 0) -> None:
        self.resources = list(resources)
        self.version = 100
        self.compacted = 0
        self.objects: dict[str, dict[str, dict[str, Any]]] = {}
        self.history: list[tuple[int, str, dict[str, Any]]] = []
        self.asked: list[Asked] = []
        self.fault: Callable[[Asked], Reply | None] = lambda _asked: None
        self.token = ""
        self.bookmarks = True
        self.changed = threading.Condition()
        self.streams: set[socket.socket] = set()
        self.closed = False
        self._kept: dict[str, tuple[int, list[dict[str, Any]]]] = {}
        server = self

        class Handler(_Handler):
            cluster = server

        self._http = _Server(("127.0.0.1", port), Handler)
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """End it and whatever is open."""
        self.closed = True
        with self.changed:
            self.changed.notify_all()
        self._http.shutdown()
        self._http.server_close()
        self.cut()
        self._thread.join(5)

    def cut(self) -> None:
        """Break every open stream off in the middle."""
        for stream in list(self.streams):
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)

    # What is there

    def put(self, resource: Resource, name: str, namespace: str = "shop", **more: Any) -> None:
        """Create an object, or change it."""
        with self.changed:
            there = self.objects.setdefault(resource.key, {})
            before = there.get(f"{namespace}/{name}")
            self.version += 1
            item = {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                **more,
                "metadata": {
                    "name": name,
                    "namespace": namespace,
                    "uid": before["metadata"]["uid"] if before else f"uid-{self.version}-{name}",
                    "resourceVersion": str(self.version),
                    "managedFields": [{"manager": "test"}],
                },
            }
            self._tell(resource, "MODIFIED" if before else "ADDED", item)

    def delete(self, resource: Resource, name: str, namespace: str = "shop") -> None:
        """Delete an object."""
        with self.changed:
            item = self.objects[resource.key][f"{namespace}/{name}"]
            self.version += 1
            metadata = {**item["metadata"], "resourceVersion": str(self.version)}
            self._tell(resource, "DELETED", {**item, "metadata": metadata})

    def replay(self, resource: Resource, event: Mapping[str, Any]) -> None:
        """Take in one recorded event, with the version it has."""
        with self.changed:
            item = dict(event["object"])
            self.version = max(self.version, int(item["metadata"]["resourceVersion"]))
            if event["type"] == "BOOKMARK":
                self.history.append((self.version, resource.key, dict(event)))
                self.changed.notify_all()
            else:
                self._tell(resource, event["type"], item)

    def _tell(self, resource: Resource, kind: str, item: dict[str, Any]) -> None:
        there = self.objects.setdefault(resource.key, {})
        key = f"{item['metadata'].get('namespace', '')}/{item['metadata']['name']}"
        if kind == "DELETED":
            there.pop(key, None)
        else:
            there[key] = item
        event = {"type": kind, "object": item}
        self.history.append((self.version, resource.key, event))
        self.changed.notify_all()

    def forget(self, resource: Resource, name: str, namespace: str = "shop") -> None:
        """Delete an object without an event, as one that nobody watched sees it."""
        with self.changed:
            del self.objects[resource.key][f"{namespace}/{name}"]
            self.version += 1

    def alter(self, resource: Resource, name: str, namespace: str = "shop", **more: Any) -> None:
        """Change an object without an event."""
        with self.changed:
            self.version += 1
            there = self.objects[resource.key]
            item = there[f"{namespace}/{name}"]
            metadata = {**item["metadata"], "resourceVersion": str(self.version)}
            there[f"{namespace}/{name}"] = {**item, **more, "metadata": metadata}

    def compact(self) -> None:
        """Forget how it came to be as it is: older versions are expired."""
        with self.changed:
            self.version += 1
            self.compacted = self.version
            self.history.clear()
            self._kept.clear()

    def end_streams(self) -> None:
        """End every watch in good order, as the server does after some minutes."""
        with self.changed:
            self.history.append((self.version, "", {}))
            self.changed.notify_all()

    def state(self, resource: Resource) -> dict[str, str]:
        """Give the versions of the objects that are there, by uid."""
        with self.changed:
            return {
                item["metadata"]["uid"]: item["metadata"]["resourceVersion"]
                for item in self.objects.get(resource.key, {}).values()
            }

    # What is answered

    def answer(self, asked: Asked) -> Reply | Iterator[bytes]:
        self.asked.append(asked)
        if self.token and asked.token != self.token:
            return failure(401, "Unauthorized", "Unauthorized")
        reply = self.fault(asked)
        if reply is not None:
            return reply
        if asked.path in {"/api", "/apis"}:
            return Reply(200, self._discovery(core=asked.path == "/api"))
        for resource in self.resources:
            for namespace in ("", *self._namespaces(asked.path)):
                if asked.path == resource.path(namespace):
                    return self._of(resource, namespace, asked.query)
        return Reply(404, b"404 page not found\n", {"Content-Type": "text/plain"})

    def _namespaces(self, path: str) -> list[str]:
        _, found, rest = path.partition("/namespaces/")
        return [rest.partition("/")[0]] if found else []

    def _discovery(self, *, core: bool) -> Any:
        groups: dict[str, dict[str, list[Any]]] = {}
        for resource in self.resources:
            if (resource.group == "") is core:
                versions = groups.setdefault(resource.group, {})
                versions.setdefault(resource.version, []).append(
                    {
                        "resource": resource.name,
                        "responseKind": {"group": resource.group, "kind": resource.kind},
                        "scope": "Namespaced" if resource.namespaced else "Cluster",
                        "verbs": ["get", "list", "watch"],
                    }
                )
        items = [
            {
                "metadata": {"name": group},
                "versions": [
                    {"version": version, "freshness": "Current", "resources": resources}
                    for version, resources in versions.items()
                ],
            }
            for group, versions in groups.items()
        ]
        return {
            "kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
            "metadata": {}, "items": items,
        }  # fmt: skip

    def _of(
        self, resource: Resource, namespace: str, query: Mapping[str, str]
    ) -> Reply | Iterator[bytes]:
        if query.get("watch") == "1":
            return self._watch(resource, namespace, query.get("resourceVersion", ""))
        return self._list(resource, namespace, query)

    def _list(self, resource: Resource, namespace: str, query: Mapping[str, str]) -> Reply:
        with self.changed:
            token = query.get("continue", "")
            if token and token not in self._kept:
                return EXPIRED
            there = self.objects.get(resource.key, {}).values()
            items = [
                item for item in there
                if not namespace or item["metadata"].get("namespace") == namespace
            ]  # fmt: skip
            version, left = self._kept.pop(token, (self.version, items))
            limit = int(query.get("limit", "500"))
            following = ""
            if left[limit:]:
                following = f"{version}.{len(left)}.{time.monotonic_ns()}"
                self._kept[following] = (version, left[limit:])
        metadata = {"resourceVersion": str(version)}
        if following:
            metadata["continue"] = following
        shown: list[Any] = left[:limit]
        if not resource.group:  # items of a typed list have neither kind nor version
            shown = [
                {key: value for key, value in item.items() if key not in {"kind", "apiVersion"}}
                for item in shown
            ]
        return Reply(
            200,
            {
                "kind": f"{resource.kind}List", "apiVersion": resource.api_version,
                "metadata": metadata, "items": shown,
            },
        )  # fmt: skip

    def _watch(self, resource: Resource, namespace: str, version: str) -> Reply | Iterator[bytes]:
        if not version.isdigit():
            body = {
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": f'resourceVersion: Invalid value: "{version}"', "code": 500,
            }  # fmt: skip
            return Reply(500, body)
        if int(version) > self.version:
            return failure(504, "Timeout", "Timeout: Too large resource version", Retry_After="1")
        return self._events(resource, namespace, int(version))

    def _events(self, resource: Resource, namespace: str, version: int) -> Iterator[bytes]:
        if version < self.compacted:
            status = failure(410, "Expired", f"too old resource version: {version}").body
            yield _line({"type": "ERROR", "object": status})
            return
        # Nothing before the end of streams that came before this one was opened.
        at = 0
        with self.changed:
            ends = [index for index, each in enumerate(self.history) if not each[1]]
            first_end = ends[-1] if ends else -1
        while not self.closed:
            with self.changed:
                if at > len(self.history):  # it was compacted meanwhile
                    at, first_end = 0, -1
                new = self.history[at:]
                if not new:
                    self.changed.wait(1)
                    continue
            for number, key, event in new:
                if not key and at > first_end:
                    if self.bookmarks:
                        yield _bookmark(resource, self.version)
                    return
                at += 1
                if key == resource.key and number > version:
                    of = event["object"]["metadata"].get("namespace", "")
                    if not namespace or of in ("", namespace):
                        yield _line(event)


def _line(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event).encode() + b"\n"


def _bookmark(resource: Resource, version: int) -> bytes:
    item = {
        "kind": resource.kind, "apiVersion": resource.api_version,
        "metadata": {"resourceVersion": str(version), "creationTimestamp": None},
    }  # fmt: skip
    return _line({"type": "BOOKMARK", "object": item})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that leave are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    cluster: ClusterServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_said: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        if self.cluster.closed:
            self.close_connection = True
            return
        parts = urlsplit(self.path)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        asked = Asked("GET", parts.path, dict(parse_qsl(parts.query)), token)
        answer = self.cluster.answer(asked)
        if isinstance(answer, Reply):
            self._reply(answer)
        else:
            self._stream(answer)

    def _reply(self, reply: Reply) -> None:
        is_bytes = isinstance(reply.body, bytes)
        body = reply.body if is_bytes else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        named = {"Content-Type": "application/json", **reply.headers}
        for name, value in {**named, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if reply.cut else body)
        if reply.cut:
            self.close_connection = True

    def _stream(self, lines: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.cluster.streams.add(self.connection)
        try:
            for line in lines:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
            self.wfile.write(b"0\r\n\r\n")
        except OSError:
            self.close_connection = True
        finally:
            self.cluster.streams.discard(self.connection)


@contextmanager
def cluster_server(*resources: Resource, port: int = 0) -> Iterator[ClusterServer]:
    """Serve for the block."""
    server = ClusterServer(resources, port)
    try:
        yield server
    finally:
        server.close()
