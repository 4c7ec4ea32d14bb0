"""What all tests of the host share."""

import importlib.util
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from callboard.database import Branch
from callboard.database.upgrade import MIGRATIONS
from callboard.plugins import Guard, PluginRecord
from callboard_catalog.builtin import CatalogPlugin
from callboard_web.app import create_app
from callboard_web.runtime import Runtime


@pytest.fixture(scope="session")
def schema_branches() -> Sequence[Branch]:
    """Give the lines of migrations of the whole host."""
    return [
        Branch("core", MIGRATIONS / "versions"),
        Branch("catalog", CatalogPlugin().callboard_migrations()),
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


def make_portal(directory: Path) -> Runtime:
    """Give a started portal that has read `sample-catalog.yaml`, with the sample plugin."""
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
        "catalog:\n  sources:\n"
        f"    - {{name: shop, type: folder, path: {folder}}}\n"
        f"    - {{name: gone, type: folder, path: {directory / 'gone'}}}\n",
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


@pytest.fixture(scope="session")
def portal_runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """Give one portal for all tests that only look at it."""
    runtime = make_portal(tmp_path_factory.mktemp("portal"))
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
