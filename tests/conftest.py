"""What all tests of the host share."""

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from browsing import address, browser, demo, demo_address, demo_paths  # noqa: F401 - fixtures
from starlette.testclient import TestClient

from callboard.database import Branch
from callboard.database.upgrade import MIGRATIONS
from callboard.plugins import Guard, PluginRecord
from callboard.testing import PostgresServer
from callboard_catalog.builtin import CatalogPlugin
from callboard_web import builtin
from callboard_web.app import create_app
from callboard_web.rendering import Renderer
from callboard_web.runtime import Runtime
from callboard_web.testing import CompiledTemplates

Renderer.shared = CompiledTemplates()


@pytest.fixture(scope="session")
def schema_branches() -> Sequence[Branch]:
    """Give the lines of migrations of the whole host."""
    return [
        Branch("core", MIGRATIONS / "versions"),
        Branch("catalog", CatalogPlugin().callboard_migrations()),
        Branch("portal", builtin.callboard_migrations()),
    ]


@dataclass(frozen=True)
class Site:
    """A folder with installed distributions, as pip leaves them, that is on the import path."""

    path: Path

    def install(
        self,
        name: str,
        source: str,
        *,
        distribution: str = "",
        version: str = "1.2",
        module: str = "",
        entry: str = "",
    ) -> None:
        """Install a distribution with one module that is the plugin `name`."""
        distribution = distribution or f"callboard-{name}"
        module = module or f"installed_{distribution.replace('-', '_')}"
        (self.path / f"{module}.py").write_text(source, encoding="utf-8")
        information = self.path / f"{distribution.replace('-', '_')}-{version}.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
            f"Summary: The plugin {name}\n"
        )
        (information / "RECORD").write_text("")
        (information / "entry_points.txt").write_text(
            f"[callboard.plugins]\n{name} = {entry or module}\n"
        )


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """Give a folder to install plugins into."""
    path = tmp_path / "site"
    path.mkdir()
    monkeypatch.syspath_prepend(str(path))
    before = set(sys.modules)
    yield Site(path)
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(path)):
            del sys.modules[name]


def make_portal(directory: Path, database: str = "") -> Runtime:
    """Give a started portal that has read `sample-catalog.yaml`, with the sample plugin.

    `database` is its URL; without it, a SQLite file in the directory.
    """
    folder = directory / "shop"
    folder.mkdir(parents=True)
    sample = Path(__file__).with_name("sample-catalog.yaml").read_text(encoding="utf-8")
    many = "".join(
        "---\napiVersion: backstage.io/v1alpha1\nkind: Component\n"
        f"metadata: {{name: part-{number:03}, tags: [generated]}}\n"
        "spec: {type: library, lifecycle: experimental, owner: trade-core}\n"
        for number in range(60)
    )
    (folder / "catalog-info.yaml").write_text(sample + many, encoding="utf-8")
    config = directory / "callboard.yaml"
    config.write_text(
        "access: {anonymous: administrator}\nportal: {public_badges: true}\n"
        "catalog:\n  sources:\n"
        f"    - {{name: shop, type: folder, path: {folder}}}\n"
        f"    - {{name: gone, type: folder, path: {directory / 'gone'}}}\n"
        + (f"database:\n  url: {database}\n" if database else ""),
        encoding="utf-8",
    )
    runtime = Runtime.open(config, {"CALLBOARD_PLUGINS": ""})
    runtime.plugins.guard = Guard(time_limit=timedelta(seconds=0.3), now=runtime.now)
    runtime.plugins.load(PluginRecord(name="sample", version="1.0"), _sample_plugin)
    runtime.plugins.finish()
    runtime.upgrade()
    runtime.start(worker=False, serve=True)
    for source in ("shop", "gone"):
        runtime.jobs.submit(None, "catalog", "refresh", {"source": source}, key=source)
    runtime.jobs.run_once()
    return runtime


def _sample_plugin() -> object:
    path = Path(__file__).with_name("sample_plugin.py")
    specification = importlib.util.spec_from_file_location("sample_plugin", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(
    scope="session",
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)],
)
def portal_runtime(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Runtime]:
    """Give one portal, on each database, for all tests that only look at it."""
    url = ""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        url = server.url(server.create(request.getfixturevalue("schema_branches")))
    runtime = make_portal(tmp_path_factory.mktemp("portal"), url)
    yield runtime
    runtime.stop()


@pytest.fixture
def client(portal_runtime: Runtime) -> TestClient:
    """Give a visitor without cookies. A fault of the server is answered, not raised."""
    return TestClient(create_app(portal_runtime), raise_server_exceptions=False)


@pytest.fixture
def token_of() -> Callable[[TestClient], str]:
    """Give the function that reads the CSRF token of a page."""

    def read(client: TestClient) -> str:
        page = client.get("/navigation").text
        return page.partition('name="csrf_token" value="')[2].partition('"')[0]

    return read


# The `callboard` program as real processes

COMMAND = (sys.executable, "-m", "callboard_web")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.02)


@dataclass
class Served:
    """A running `callboard serve`."""

    process: subprocess.Popen[str]
    address: str
    log: Path

    def get(self, path: str, **options: Any) -> httpx2.Response:
        return httpx2.get(f"{self.address}{path}", timeout=20, **options)

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return self.get("/healthz").status_code == 200
        except httpx2.TransportError:
            return False

    def end(self, name: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(name)
        return self.process.wait(20)


@dataclass
class Commands:
    """A folder with settings, in which commands are run."""

    folder: Path
    stack: ExitStack
    environ: dict[str, str] = field(default_factory=dict)
    free_port = staticmethod(free_port)
    wait_until = staticmethod(wait_until)

    def write(self, settings: str) -> None:
        (self.folder / "callboard.yaml").write_text(settings)

    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if "CALLBOARD" not in key}
        open_to_all = {"CALLBOARD_ACCESS__ANONYMOUS": "administrator"}
        return {**kept, **open_to_all, "CALLBOARD_PLUGINS": "", **self.environ}

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*COMMAND, *arguments], cwd=self.folder, env=self.environment(),
            capture_output=True, text=True, timeout=60, check=False, **options,
        )  # fmt: skip

    def begin(self, *arguments: str, **options: Any) -> tuple[subprocess.Popen[str], Path]:
        log = self.folder / f"log-{time.monotonic_ns()}"
        with log.open("w") as output:
            process = subprocess.Popen(
                [*COMMAND, *arguments], cwd=self.folder, env=self.environment(),
                stdout=output, stderr=output, text=True, **options,
            )  # fmt: skip
        self.stack.callback(kill, process)
        return process, log

    def fails(self, *arguments: str, **options: Any) -> str:
        """Run a command that fails, and give what it says: words, not a traceback."""
        done = self.run(*arguments, **options)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stderr

    def serve(self, **options: Any) -> Served:
        """Start a portal, with its tables, and wait until it answers."""
        upgraded = self.run("db", "upgrade")
        assert upgraded.returncode == 0, upgraded.stderr
        port = free_port()
        process, log = self.begin("serve", "--listen", f"127.0.0.1:{port}", **options)
        served = Served(process, f"http://127.0.0.1:{port}", log)
        wait_until(served.answers)
        return served


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


@pytest.fixture
def commands(tmp_path: Path) -> Iterator[Commands]:
    folder = tmp_path / "portal"
    folder.mkdir()
    with ExitStack() as stack:
        made = Commands(folder, stack)
        made.write("")
        yield made
