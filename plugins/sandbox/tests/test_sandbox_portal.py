"""The sandbox in a portal: only where it is configured, told on every page, served by one."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
import yaml
from starlette.testclient import TestClient

from callboard_sandbox.running import Cluster, Keeper
from callboard_sandbox.settings import SandboxSettings
from callboard_web.app import create_app
from callboard_web.runtime import Runtime

SETTINGS = SandboxSettings(serve=True, port=0)
NOTE = "This is a sandbox cluster."


def now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def portal(folder: Path, settings: str) -> Iterator[TestClient]:
    config = folder / "callboard.yaml"
    config.write_text(f"access: {{anonymous: administrator}}\n{settings}")
    runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": "sandbox"})
    runtime.upgrade()
    runtime.start(worker=False, serve=True)
    try:
        yield TestClient(create_app(runtime))
    finally:
        runtime.stop()


def address_in(folder: Path) -> tuple[str, str]:
    """Give the address and the portal's token of a kubeconfig."""
    found = yaml.safe_load((folder / "kubeconfig").read_text())
    tokens = {each["name"]: each["user"]["token"] for each in found["users"]}
    return found["clusters"][0]["cluster"]["server"], tokens[found["current-context"]]


def answers(folder: Path) -> bool:
    address, token = address_in(folder)
    try:
        headers = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"{address}/api/v1/namespaces", headers=headers, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.status_code == 200


def test_without_its_setting_there_is_nothing(tmp_path: Path) -> None:
    with portal(tmp_path, "plugins: {settings: {sandbox: {}}}") as client:
        assert NOTE not in client.get("/").text
    assert not (tmp_path / "var" / "plugins" / "sandbox" / "kubeconfig").exists()


def test_a_portal_serves_it_and_says_so_on_every_page(tmp_path: Path) -> None:
    with portal(tmp_path, "plugins: {settings: {sandbox: {serve: true, port: 0}}}") as client:
        folder = tmp_path / "var" / "plugins" / "sandbox"
        for path in ("/", "/catalog", "/plugins", "/search?q=x", "/navigation", "/nowhere"):
            assert NOTE in client.get(path).text, path
        page = client.get("/", headers={"Accept-Language": "zh-CN"}).text
        assert "沙箱集群" in page
        assert answers(folder)
        for name in ("kubeconfig", "tokens.json"):
            assert (folder / name).stat().st_mode & 0o777 == 0o600
    assert not answers(folder)


def test_nobody_else_knows_of_it() -> None:
    """Other plugins and the host meet a cluster like any other; what makes a demo names its own."""
    root = Path(__file__).parents[3]
    folders = [root / name for name in ("core", "catalog", "web")]
    folders += [each / "src" for each in root.glob("plugins/*") if each.name != "sandbox"]
    found = [file for folder in folders for file in folder.rglob("*.py")]
    files = [file for file in found if file.name != "demo.py"]
    assert len(files) > 100
    mention = re.compile(r"callboard_sandbox|[\"'/]sandbox[\"'/.]|is_sandbox|\b6480\b")
    assert [str(file) for file in files if mention.search(file.read_text("utf-8"))] == []


def test_one_of_several_serves_and_another_takes_over(tmp_path: Path) -> None:
    first = Keeper(tmp_path, SETTINGS, clock=now)
    second = Keeper(tmp_path, SETTINGS, clock=now)
    first.start()
    second.start()
    try:
        assert first.cluster is not None
        assert second.cluster is None
        first.cluster.store.create("configmaps", {"metadata": {"name": "kept"}})
        first.stop()
        waited = threading.Event()
        while second.cluster is None:
            waited.wait(0.05)
        assert second.cluster.store.get("configmaps", "default", "kept")
        assert answers(tmp_path)
    finally:
        first.stop()
        second.stop()


def test_a_port_in_use_is_told_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = Cluster(tmp_path / "other", SETTINGS, clock=now)
    port = int(other.server.address.rpartition(":")[2])
    keeper = Keeper(tmp_path, SandboxSettings(serve=True, port=port), clock=now)
    other.start()
    keeper.start()
    try:
        keeper._try()
        assert keeper.cluster is None
        assert f"cannot listen on port {port}" in caplog.text
        other.stop()
        waited = threading.Event()
        while keeper.cluster is None:
            waited.wait(0.05)
        assert caplog.text.count("cannot listen") == 1
    finally:
        keeper.stop()


def test_what_lost_its_owner_is_collected_by_itself(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, SETTINGS, clock=now)
    cluster.start()
    try:
        owner = cluster.store.create("configmaps", {"metadata": {"name": "owner"}})
        reference = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "name": "owner",
            "uid": owner["metadata"]["uid"],
        }
        child = {"metadata": {"name": "child", "ownerReferences": [reference]}}
        cluster.store.create("configmaps", child)
        cluster.store.delete("configmaps", "default", "owner")
        version = cluster.store.version
        cluster.store.wait(version, 20)
        assert cluster.store.find("configmaps", "default", "child") is None
    finally:
        cluster.stop()


def test_it_runs_without_a_portal_too(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "callboard_sandbox", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline().startswith("The sandbox answers on http://127.0.0.1:")
            assert answers(tmp_path)
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
