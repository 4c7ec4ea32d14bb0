"""What processes load: a library that is needed seldom is loaded when it is."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # runs whole processes

SELDOM = (
    "alembic", "authlib", "cryptography", "git", "httpx", "joserfc", "jsonschema", "ldap3",
    "psycopg", "pypinyin",
)  # fmt: skip
"""What nobody needs whose tables are current, on SQLite, while no other host is asked."""

PAGES = ("babel", "fastapi", "jinja2", "starlette", "uvicorn")
"""What draws and serves pages."""

SETTINGS = """\
plugins: {{enable: []}}
database: {{url: "sqlite:///{folder}/callboard.sqlite3"}}
jobs: {{queue_file: "{folder}/queue.sqlite3"}}
catalog:
  sources:
    - {{name: here, type: folder, path: "{folder}/entities"}}
"""

DESCRIPTOR = """\
apiVersion: backstage.io/v1alpha1
kind: Component
metadata: {name: orders}
spec: {type: service, lifecycle: production, owner: team-a}
"""

COMMAND = """
import sys
from callboard_web.cli import app
app(["--config", sys.argv[1], *sys.argv[2:]], standalone_mode=False)
print("loaded", *sys.modules)
"""

SERVE = """
import sys
from pathlib import Path
from callboard_web.runtime import Runtime
runtime = Runtime.open(Path(sys.argv[1]), {})
from callboard_web.app import create_app
runtime.start(worker=False, serve=True)
create_app(runtime)
runtime.stop()
print("loaded", *sys.modules)
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give the settings of a portal with one source, whose tables are current."""
    path = tmp_path / "callboard.yaml"
    path.write_text(SETTINGS.format(folder=tmp_path), "utf-8")
    (tmp_path / "entities").mkdir()
    (tmp_path / "entities" / "catalog-info.yaml").write_text(DESCRIPTOR, "utf-8")
    _loaded(COMMAND, config=path, arguments=("db", "upgrade"))
    return path


def _loaded(code: str, *, config: Path, arguments: tuple[str, ...] = ()) -> set[str]:
    """Give the modules of a process of its own after it has run some code."""
    result = subprocess.run(
        [sys.executable, "-c", code, str(config), *arguments],
        check=True, capture_output=True, text=True, timeout=60, cwd=config.parent,
    )  # fmt: skip
    told = result.stdout.splitlines()[-1].split()
    assert told[0] == "loaded"
    return set(told)


def test_a_command_loads_what_it_needs(config: Path) -> None:
    for _ in ("the first time", "nothing changed"):
        loaded = _loaded(COMMAND, config=config, arguments=("catalog", "refresh"))
        assert "callboard_catalog.ingest.refresh" in loaded
        assert loaded.isdisjoint((*SELDOM, *PAGES))


def test_a_portal_loads_at_its_start_what_it_needs(config: Path) -> None:
    loaded = _loaded(SERVE, config=config)
    assert "callboard_web.catalog_api.routes" in loaded
    assert loaded.isdisjoint(SELDOM)
