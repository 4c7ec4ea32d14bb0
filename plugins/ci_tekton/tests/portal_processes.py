"""Portals and their cluster as real processes that share one database, to be killed at will."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import yaml

from callboard_sandbox.api.access import kept_tokens

Json = dict[str, Any]
NAMESPACE = "shop-ci"
API = f"/apis/tekton.dev/v1/namespaces/{NAMESPACE}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def until(condition: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.05)


class Processes:
    """A sandbox and portals below one folder. What is killed has no time to say a word."""

    def __init__(self, folder: Path, settings: Mapping[str, Any], plan: list[Json]) -> None:
        self.folder = folder
        self.cluster = folder / "cluster"
        self.cluster.mkdir()
        (self.cluster / "plan.json").write_text(json.dumps({"rules": plan}))
        self.port = free_port()
        self.stack = ExitStack()
        self.sandbox: subprocess.Popen[str] | None = None
        clusters = [{"name": "build", "kubeconfig": str(self.cluster / "kubeconfig")}]
        document = {"kubernetes": {"clusters": clusters}, **settings}
        (folder / "callboard.yaml").write_text(yaml.safe_dump(document))

    # The cluster

    def start_sandbox(self, *faults: Json) -> None:
        """Start the cluster, with what it had when it was killed, and with faults to begin with."""
        (self.cluster / "faults.json").write_text(json.dumps(faults))
        script = str(Path(__file__).with_name("sandbox_process.py"))
        self.sandbox = self._begin([script, str(self.cluster), str(self.port)], "sandbox")
        until(self._is_ready)

    def _is_ready(self) -> bool:
        try:
            return self.ask("GET", "/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def kill_sandbox(self) -> None:
        assert self.sandbox is not None
        self.sandbox.kill()
        self.sandbox.wait(20)

    def ask(self, method: str, path: str, *, role: str = "admin", **options: Any) -> httpx.Response:
        """Ask the cluster directly."""
        headers = {"Authorization": f"Bearer {kept_tokens(self.cluster)[role]}"}
        address = f"http://127.0.0.1:{self.port}{path}"
        with httpx.Client(headers=headers, trust_env=False, timeout=20) as client:
            return client.request(method, address, **options)

    def end_faults(self) -> None:
        self.ask("DELETE", "/sandbox/faults", role="faults").raise_for_status()

    def asked(self, verb: str) -> list[str]:
        """Give the paths the cluster was asked for, in their order."""
        lines = (self.cluster / "asked").read_text().splitlines()
        return [line.partition(" ")[2] for line in lines if line.startswith(f"{verb} ")]

    # Portals

    def portal(self) -> "PortalProcess":
        """Start one that answers and runs jobs."""
        port = free_port()
        command = ["-m", "callboard_web", "serve", "--listen", f"127.0.0.1:{port}"]
        name = f"portal-{port}"
        made = PortalProcess(self._begin(command, name), port, self.folder / name)
        self.stack.callback(made.client.close)
        until(made.answers)
        assert "Traceback" not in made.log.read_text(), made.log.read_text()
        return made

    def upgrade(self) -> None:
        command = [sys.executable, "-m", "callboard_web", "db", "upgrade"]
        done = subprocess.run(
            command, cwd=self.folder, env=_environment(), check=False, capture_output=True,
            text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def _begin(self, arguments: list[str], name: str) -> "subprocess.Popen[str]":
        with (self.folder / name).open("a") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments], cwd=self.folder, env=_environment(),
                stdout=output, stderr=output, text=True,
            )  # fmt: skip
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("CALLBOARD")}
    return {**kept, "CALLBOARD_PLUGINS": "ci_tekton", "NO_PROXY": "127.0.0.1"}


class PortalProcess:
    """A `callboard serve` that answers."""

    def __init__(self, process: "subprocess.Popen[str]", port: int, log: Path) -> None:
        self.process = process
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)
        self.log = log

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(20)

    def post(self, path: str, document: Json) -> httpx.Response:
        """Send JSON as a page of the portal does."""
        page = self.client.get("/navigation").text
        token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        return self.client.post(path, json=document, headers={"x-csrf-token": token})


class Follower(threading.Thread):
    """Reads a log as a browser does: where a stream ends early, on from the last line it has."""

    def __init__(self, portal: PortalProcess, path: str) -> None:
        super().__init__(daemon=True)
        self.lines: list[str] = []
        self.is_whole = True
        self.end: Json = {}
        self._portal = portal
        self._path = path

    def run(self) -> None:
        deadline = time.monotonic() + 200
        while not self.end and time.monotonic() < deadline:
            headers = {"last-event-id": str(len(self.lines))} if self.lines else {}
            try:
                with self._portal.client.stream("GET", self._path, headers=headers) as answer:
                    self._read(answer)
            except httpx.TransportError:
                time.sleep(0.2)

    def _read(self, answer: httpx.Response) -> None:
        event = ""
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "event":
                event = value
            elif name == "data" and event == "end":
                self.end = json.loads(value)
            elif name == "data" and event == "lines":
                data = json.loads(value)
                self.is_whole &= data["first"] == len(self.lines) + 1
                self.lines += [text for _at, text in data["lines"]]
