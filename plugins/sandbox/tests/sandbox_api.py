"""A sandbox's API server in the test's process, and the recorded answers of a real one."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from callboard_sandbox.api.access import ROLES, Access
from callboard_sandbox.api.application import Application
from callboard_sandbox.api.faults import Faults
from callboard_sandbox.api.server import Server
from callboard_sandbox.api.store import Store

Json = dict[str, Any]

RECORDED = Path(__file__).parents[4] / "shared/fixtures"
TOKENS = {role: f"token-of-{role}" for role in (*ROLES, "faults")}
RECORDED_AT = datetime(2026, 11, 20, 10, 22, 20, tzinfo=UTC)


@dataclass
class Api:
    """A server that runs, and a client for each role."""

    store: Store
    server: Server
    access: Access
    faults: Faults

    def client(self, role: str = "admin", **headers: str) -> httpx.Client:
        if role:
            headers["Authorization"] = f"Bearer {TOKENS.get(role, role)}"
        return httpx.Client(
            base_url=self.server.address, headers=headers, timeout=20, trust_env=False
        )


@contextmanager
def serving(
    folder: Path, *, now: datetime | None = None, port: int = 0, bookmarks: float = 60
) -> Iterator[Api]:
    """Serve a store; with `now`, its clock stands still."""
    store = Store(folder, clock=lambda: now or datetime.now(UTC))
    access, faults = Access(TOKENS), Faults()
    application = Application(store, access, faults, bookmark_seconds=bookmarks)
    server = Server(application, port=port)
    server.start()
    try:
        yield Api(store, server, access, faults)
    finally:
        server.stop()
        store.close()


def recorded(name: str) -> Any:
    """Read a recorded answer."""
    return json.loads((RECORDED / name).read_text(encoding="utf-8"))


def recorded_lines(name: str) -> list[Json]:
    text = (RECORDED / name).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@contextmanager
def served_as_recorded() -> Iterator[Api]:
    """Serve what the recorded server had, in the namespaces shop and shop-ci."""
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), now=RECORDED_AT) as api:
        for item in recorded("kubernetes/objects/namespaces.json")["items"]:
            if api.store.find("namespaces", "", item["metadata"]["name"]) is None:
                api.store.create("namespaces", item)
        if api.store.find("namespaces", "", "shop-ci") is None:
            api.store.create("namespaces", {"metadata": {"name": "shop-ci"}})
        for resource, name in (
            ("pods", "pods"), ("services", "services"), ("configmaps", "configmaps"),
            ("events", "events"), ("resourcequotas", "resourcequotas"), ("nodes", "nodes"),
            ("deployments.apps", "deployments"), ("replicasets.apps", "replicasets"),
            ("statefulsets.apps", "statefulsets"), ("jobs.batch", "jobs"),
            ("cronjobs.batch", "cronjobs"), ("ingresses.networking.k8s.io", "ingresses"),
            ("horizontalpodautoscalers.autoscaling", "horizontalpodautoscalers"),
        ):  # fmt: skip
            for item in recorded(f"kubernetes/objects/{name}.json")["items"]:
                api.store.create(resource, item)
        _write_logs(api.store)
        yield api


def _write_logs(store: Store) -> None:
    at = datetime(2026, 11, 20, 10, 21, 9, 825032, tzinfo=UTC)
    lines = _lines("ok.txt")
    store.append_log("shop", "cart-service-fdbf4c448-5zljx", "cart", lines[:1], at=at)
    store.append_log("shop", "cart-service-fdbf4c448-5zljx", "cart", lines[1:], at=at)
    pod = store.get("pods", "shop", "cart-canary-6f4d95dd4b-2477h")
    restarts = pod["status"]["containerStatuses"][0]["restartCount"]
    store.append_log(
        "shop", pod["metadata"]["name"], "cart", _lines("previous.txt"), restart=restarts
    )


def _lines(name: str) -> list[str]:
    return (RECORDED / "kubernetes" / "logs" / name).read_text(encoding="utf-8").splitlines()
