"""`callboard serve --processes` as real processes: what they share, and how they end."""

import os
import signal
from typing import Any

import psutil
import pytest

from callboard.testing import PostgresServer

pytestmark = pytest.mark.slow  # runs whole processes

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
ENTITY = """
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: crew}
spec: {type: team, children: []}
"""


@pytest.fixture(params=DATABASES)
def several(request: pytest.FixtureRequest, commands: Any) -> Any:
    """Give a portal that is served by two processes and their parent."""
    database = ""
    if request.param == "postgresql":
        server: PostgresServer = request.getfixturevalue("postgres_server")
        name = server.create(request.getfixturevalue("schema_branches"))
        database = f"database: {{url: '{server.url(name)}'}}\n"
    (commands.folder / "catalog").mkdir()
    (commands.folder / "catalog" / "crew.yaml").write_text(ENTITY)
    source = "{name: own, type: folder, path: catalog, paths: ['*.yaml']}"
    commands.write(f"{database}portal: {{processes: 2}}\ncatalog: {{sources: [{source}]}}\n")
    served = commands.serve()
    commands.wait_until(lambda: len(parts_of(served)) == 2)
    return served


def parts_of(served: Any) -> list[psutil.Process]:
    """Give the processes that answer, without those that are only beginning to."""
    found = psutil.Process(served.process.pid).children()
    return [item for item in found if item.status() != psutil.STATUS_ZOMBIE]


def answers(served: Any, path: str) -> bool:
    try:
        return bool(served.get(path).status_code == 200)
    except Exception:  # a connection that a killed process had taken
        return False


def test_one_that_dies_is_begun_anew(several: Any, commands: Any) -> None:
    crew = "/api/catalog/entities/by-name/group/default/crew"
    commands.wait_until(lambda: answers(several, crew))
    first = parts_of(several)
    os.kill(first[0].pid, signal.SIGKILL)
    commands.wait_until(
        lambda: (
            len(parts_of(several)) == 2 and first[0].pid not in [p.pid for p in parts_of(several)]
        )
    )
    for _ in range(20):
        commands.wait_until(lambda: answers(several, crew))
    assert several.process.poll() is None
    assert "another one is begun" in several.log.read_text()


def test_a_signal_ends_all_of_them(several: Any, commands: Any) -> None:
    parts = parts_of(several)
    commands.wait_until(lambda: answers(several, "/readyz"))
    assert several.end() == 0
    assert not any(part.is_running() for part in parts)
    said = several.log.read_text()
    assert "Traceback" not in said
    assert "ERROR" not in said


def test_they_end_with_a_parent_that_is_killed(several: Any, commands: Any) -> None:
    parts = parts_of(several)
    several.process.kill()
    several.process.wait()
    commands.wait_until(lambda: not any(part.is_running() for part in parts))
    # Nothing keeps the port or the database: all begins again.
    assert commands.begin("serve", "--listen", several.address.removeprefix("http://"))


NOTING = """
import os
from datetime import timedelta
from pathlib import Path
from callboard import hookimpl
from callboard.contributions import Job

def note(context):
    with (Path(__file__).parent / "notes").open("a") as notes:
        notes.write(f"{os.getpid()}\\n")

@hookimpl
def callboard_jobs():
    return [Job(name="note", title="Note", run=note, every=timedelta(seconds=1))]
"""


def test_jobs_are_run_by_the_parent_alone(commands: Any, site: Any) -> None:
    site.install("noting", NOTING)
    commands.environ = {"PYTHONPATH": str(site.path), "CALLBOARD_PLUGINS": "noting"}
    commands.write("portal: {processes: 2}\n")
    served = commands.serve()
    notes = site.path / "notes"
    commands.wait_until(lambda: notes.exists() and len(notes.read_text().split()) >= 3)
    assert set(notes.read_text().split()) == {str(served.process.pid)}
    assert served.end() == 0
