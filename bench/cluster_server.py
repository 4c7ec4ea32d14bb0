"""An API server that sends as fast as it is read; prints its port.

Objects have the size of recorded TaskRuns: of a run of nine tasks, 4 kB on average with the fields
that are left out.
"""

import asyncio
import contextlib
import itertools
import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

PATH = "/apis/tekton.dev/v1/taskruns"


def _object(name: str, uid: str, version: int) -> dict[str, Any]:
    steps = [
        {
            "container": f"step-{step}", "imageID": f"registry.local/{step}@sha256:{'a' * 64}",
            "name": step, "terminationReason": "Completed",
            "terminated": {
                "containerID": f"containerd://{'b' * 64}", "exitCode": 0,
                "finishedAt": "2026-11-20T10:17:43Z", "reason": "Completed",
                "startedAt": "2026-11-20T10:17:33Z",
            },
        }
        for step in ("clone", "build", "test", "report")
    ]  # fmt: skip
    spec_steps = [
        {"name": step["name"], "image": f"registry.example.com/{step['name']}:1",
         "script": "#!/bin/sh\nset -e\n" + f"echo {step['name']} $RANDOM\n" * 8}
        for step in steps
    ]  # fmt: skip
    labels = {f"tekton.dev/label-{number}": f"value-{number}" for number in range(8)}
    return {
        "apiVersion": "tekton.dev/v1", "kind": "TaskRun",
        "metadata": {
            "name": name, "namespace": "shop-ci", "uid": uid, "resourceVersion": str(version),
            "generation": 1, "creationTimestamp": "2026-11-20T10:17:03Z", "labels": labels,
            "annotations": {"tekton.dev/displayName": "Build and push", "version": str(version)},
            "managedFields": [
                {"manager": "controller", "operation": "Update", "fieldsV1": {"f:status": labels}}
            ],
        },
        "spec": {"params": [{"name": "IMAGE", "value": "registry.example.com/cart"}],
                 "serviceAccountName": "default", "timeout": "1h0m0s"},
        "status": {
            "conditions": [{"type": "Succeeded", "status": "Unknown", "reason": "Running",
                            "message": "Not all Steps in the Task have finished executing"}],
            "podName": f"{name}-pod", "startTime": "2026-11-20T10:17:03Z", "steps": steps,
            "taskSpec": {"steps": spec_steps, "params": [{"name": "IMAGE", "type": "string"}]},
        },
    }  # fmt: skip


_TEXT = json.dumps(_object("@name@", "@uid@", 0)).replace('"0"', '"@version@"')


def text_of(name: str, uid: str, version: int) -> str:
    return (
        _TEXT.replace("@name@", name).replace("@uid@", uid).replace("@version@", str(version))
    )  # fmt: skip


class Server:
    """What is served, and when streams begin to send."""

    def __init__(self) -> None:
        self.versions = itertools.count(1000)
        self.objects = self.events = self.steady = 0
        self.go = asyncio.Event()
        self.one = asyncio.Condition()
        self.newest = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                method, target, _ = line.decode().split()
                while (await reader.readline()).strip():
                    pass
                parts = urlsplit(target)
                await self.route(method, parts.path, dict(parse_qsl(parts.query)), writer)
                if writer.is_closing():
                    return
        except (ConnectionError, asyncio.CancelledError):
            writer.close()

    async def route(
        self, method: str, path: str, query: dict[str, str], writer: asyncio.StreamWriter
    ) -> None:
        if method == "POST":
            await self.order(path, query, writer)
        elif path in {"/api", "/apis"}:
            await _reply(writer, json.dumps(_discovery(core=path == "/api")).encode())
        elif path == PATH and query.get("watch"):
            await self.watch(writer)
        elif path == PATH:
            await self.list(query, writer)
        else:
            await _reply(writer, b"404 page not found", "404 Not Found", "text/plain")

    async def order(self, path: str, query: dict[str, str], writer: asyncio.StreamWriter) -> None:
        said: dict[str, Any] = {"bytes": len(text_of("a" * 20, "b" * 36, 1000))}
        if path == "/bench/reset":
            self.objects, self.events = int(query["objects"]), int(query["events"])
            self.steady = int(query.get("steady", "0"))
            self.go.clear()
        elif path == "/bench/go":
            self.go.set()
        else:
            async with self.one:
                self.newest = next(self.versions)
                said["version"] = str(self.newest)
                self.one.notify_all()
        await _reply(writer, json.dumps(said).encode())

    async def list(self, query: dict[str, str], writer: asyncio.StreamWriter) -> None:
        start, limit = int(query.get("continue") or 0), int(query["limit"])
        end = min(start + limit, self.objects)
        items = ",".join(
            text_of(f"run-{number}", f"{number:036}", 500) for number in range(start, end)
        )
        following = str(end) if end < self.objects else ""
        metadata = json.dumps({"resourceVersion": "900", "continue": following})
        body = f'{{"kind":"TaskRunList","metadata":{metadata},"items":[{items}]}}'
        await _reply(writer, body.encode())

    async def watch(self, writer: asyncio.StreamWriter) -> None:
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        await writer.drain()
        if self.steady:
            await self.steadily(writer)
        elif self.events:
            await self.go.wait()
            for number in range(self.events):
                await _event(writer, f"run-{number % 500}", next(self.versions))
        await asyncio.sleep(3600)

    async def steadily(self, writer: asyncio.StreamWriter) -> None:
        """Send a load, and between it the one event that is waited for."""
        sent = self.newest
        for number in itertools.count():
            async with self.one:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.one.wait(), 1 / self.steady)
                newest = self.newest
            if newest != sent:
                await _event(writer, "one", newest)
                sent = newest
            else:
                await _event(writer, f"run-{number % 500}", next(self.versions))


async def _event(writer: asyncio.StreamWriter, name: str, version: int) -> None:
    line = f'{{"type":"MODIFIED","object":{text_of(name, f"{name:0>36}", version)}}}\n'.encode()
    writer.write(b"%x\r\n%b\r\n" % (len(line), line))
    await writer.drain()


async def _reply(
    writer: asyncio.StreamWriter,
    body: bytes,
    status: str = "200 OK",
    kind: str = "application/json",
) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    await writer.drain()


def _discovery(*, core: bool) -> dict[str, Any]:
    resource = {
        "resource": "taskruns", "responseKind": {"group": "tekton.dev", "kind": "TaskRun"},
        "scope": "Namespaced", "verbs": ["get", "list", "watch"],
    }  # fmt: skip
    group = {
        "metadata": {"name": "tekton.dev"},
        "versions": [{"version": "v1", "freshness": "Current", "resources": [resource]}],
    }
    return {"kind": "APIGroupDiscoveryList", "metadata": {}, "items": [] if core else [group]}


async def main() -> None:
    served = Server()
    server = await asyncio.start_server(served.answer, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
