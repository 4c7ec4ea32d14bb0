"""Many repositories with nothing new cost no process, no row, and few statements."""

import shutil
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from git_servers import GitServer, certificate, git, make_root
from sqlalchemy import event

from callboard.database import Database
from callboard.testing import Clock
from callboard_catalog.testing import CatalogSite, descriptor

pytestmark = pytest.mark.slow  # serves repositories over https

MANY = 12
PROCESSES: list[Any] = []
sys.addaudithook(
    lambda name, what: PROCESSES.append(what[1]) if name == "subprocess.Popen" else None
)

Sources = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_root(tmp_path)
    work = tmp_path / "work"
    for number in range(MANY):
        (work / "catalog-info.yaml").write_text(descriptor(f"part-{number}"))
        git(work, "add", "-A")
        git(work, "commit", "-q", "-m", "Describe")
        git(root, "clone", "-q", "--bare", str(work), f"{number}.git")
    return root


def source(number: int, url: str) -> dict[str, Any]:
    return {"name": f"part-{number}", "type": "git", "url": url, "schedule": "1m"}


@pytest.fixture(params=["disk", "https"])
def site(
    request: pytest.FixtureRequest, root: Path, database: Database, tmp_path: Path, clock: Clock
) -> Iterator[CatalogSite]:
    authority = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, tmp_path / "key.pem")
    server = GitServer(root, context, alive=True)
    base = root.as_uri() if request.param == "disk" else server.base
    sources = [source(number, f"{base}/{number}.git") for number in range(MANY)]
    made = CatalogSite(
        database, tmp_path, sources=sources, now=clock, http={"ca_bundle": str(authority)}
    )
    yield made
    made.close()
    server.close()


def asked(site: CatalogSite, ask: Callable[[], object]) -> tuple[object, list[str], int]:
    """Give what a call gave, its statements, and how many processes asked a remote or read."""
    statements: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(site.database.engine, "before_cursor_execute", note)
    # The server of the test has processes of its own.
    before = len(PROCESSES)
    try:
        given = ask()
    finally:
        event.remove(site.database.engine, "before_cursor_execute", note)
    mine = [command for command in PROCESSES[before:] if "http-backend" not in command]
    return given, statements, len(mine)


def test_nothing_new_costs_no_process_and_no_row(
    site: CatalogSite, root: Path, clock: Clock
) -> None:
    site.read()
    assert len(site.service.find(kind="component")) == MANY
    shutil.rmtree(site.base / "var/git")
    for _ in range(2):
        clock.advance(60)
        moved, statements, processes = asked(site, site.engine.moved)
        assert (moved, processes) == ([], 0)
        # However many there are: the locations, the sources, those with remote files.
        assert len([text for text in statements if text.lstrip().startswith("SELECT")]) <= 3
        assert not [
            text for text in statements if text.lstrip()[:6] in ("INSERT", "UPDATE", "DELETE")
        ]
    result, statements, processes = asked(site, lambda: site.read("part-3").unchanged)
    assert (result, processes) == (True, 0)
    assert not [text for text in statements if text.lstrip()[:6] in ("INSERT", "UPDATE", "DELETE")]
    assert not (site.base / "var/git").exists()
    tree = git(root / "3.git", "rev-parse", "main^{tree}")
    commit = git(root / "3.git", "commit-tree", tree, "-p", "main", "-m", "More")
    git(root / "3.git", "update-ref", "refs/heads/main", commit)
    clock.advance(60)
    assert site.engine.moved() == ["part-3"]
    assert site.read("part-3").version == commit
