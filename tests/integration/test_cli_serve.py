"""`callboard serve` as a real process: one at a time, its end, and ends it did not choose."""

import signal
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import httpx2
import pytest

pytestmark = pytest.mark.slow  # runs whole processes

ENTITY = """
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {{name: crew{0}}}
spec: {{type: team, children: []}}
---"""


class Installs(Protocol):
    path: Path

    def install(self, name: str, source: str, **options: str) -> None: ...


# One at a time


def test_a_second_serve_on_one_file_is_refused(commands: Any) -> None:
    first = commands.serve()
    said = commands.fails("serve", "--listen", f"127.0.0.1:{commands.free_port()}")
    database = commands.folder / "callboard.sqlite3"
    expected = f"Another `callboard serve` (process {first.process.pid}) runs on {database}."
    assert said.splitlines()[0] == expected
    assert first.get("/").status_code == 200
    # Commands beside it are welcome.
    assert commands.run("catalog", "refresh").returncode == 0
    assert first.end() == 0
    assert commands.serve().end() == 0


def test_a_port_in_use_is_told(commands: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = commands.fails("serve", "--listen", f"127.0.0.1:{port}")
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use." in said
    assert "Choose one with --listen" in said


@pytest.mark.parametrize("listen", ["nowhere", "127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000"])
def test_an_address_that_is_none_is_told(commands: Any, listen: str) -> None:
    said = commands.fails("serve", "--listen", listen)
    assert "is not an address.\nExpected" in said


def test_a_database_without_tables_is_refused(commands: Any) -> None:
    said = commands.fails("serve", "--listen", f"127.0.0.1:{commands.free_port()}")
    assert "Run: callboard db upgrade" in said


# The end


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_soon_in_good_order(commands: Any, name: signal.Signals) -> None:
    served = commands.serve()
    with httpx2.stream("GET", f"{served.address}/live", timeout=20) as stream:
        assert next(stream.iter_text())
        begin = time.monotonic()
        assert served.end(name) == 0
        assert time.monotonic() - begin < 5
    assert "Traceback" not in served.log.read_text()
    assert "ERROR" not in served.log.read_text()


HANGING = """
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from callboard import hookimpl
from callboard.contributions import EntitySource, HomeCard, Job

NOTES = Path(__file__).parent

def hang(context):
    (NOTES / f"hangs-{type(context).__name__}").touch()
    time.sleep(600)

@hookimpl
def callboard_home_cards():
    return [HomeCard(name="card", title="Card", render=hang)]

@hookimpl
def callboard_entity_sources():
    return [EntitySource(name="things", title="Things", read=hang, version=hang)]

@hookimpl
def callboard_jobs():
    return [Job(name="work", title="Work", run=hang)]

@hookimpl
def callboard_startup(host):
    ThreadPoolExecutor(1).submit(time.sleep, 600)

@hookimpl
def callboard_shutdown(host):
    (NOTES / "told").touch()
    time.sleep(600)
"""


def test_a_plugin_that_hangs_everywhere_does_not_keep_it_from_ending(
    commands: Any, site: Installs
) -> None:
    site.install("hanging", HANGING)
    commands.environ = {"PYTHONPATH": str(site.path), "CALLBOARD_PLUGINS": "hanging"}
    commands.write("plugins: {time_limit: 300ms}\n")
    served = commands.serve()
    page = served.get("/")
    assert page.status_code == 200
    commands.wait_until((site.path / "hangs-PageContext").exists)
    commands.wait_until((site.path / "hangs-SourceContext").exists)
    begin = time.monotonic()
    assert served.end() == 0
    assert time.monotonic() - begin < 5
    assert (site.path / "told").exists()
    assert "Threads that did not end are left behind" in served.log.read_text()


def test_a_kill_in_the_middle_of_reading_sources_loses_nothing(commands: Any) -> None:
    descriptors = commands.folder / "descriptors"
    descriptors.mkdir()
    commands.write(
        "catalog: {sources: [{name: here, type: folder, path: descriptors, paths: ['*.yaml']}]}\n"
    )
    assert commands.run("db", "upgrade").returncode == 0
    database = commands.folder / "callboard.sqlite3"
    query = "SELECT count(*) FROM job_run WHERE name = 'refresh' AND state = 'running'"

    def reads() -> bool:
        with closing(sqlite3.connect(database)) as connection:
            return bool(connection.execute(query).fetchone()[0])

    for turn in range(3):
        for number in range(100):
            names = (f"{turn}-{number}-{part}" for part in range(20))
            text = "".join(ENTITY.format(name) for name in names)
            (descriptors / f"{number}.yaml").write_text(text)
        process, log = commands.begin("serve", "--listen", f"127.0.0.1:{commands.free_port()}")
        commands.wait_until(reads)
        process.kill()
        assert process.wait() == -signal.SIGKILL, log.read_text()
        assert reads()
    served = commands.serve()
    commands.wait_until(lambda: _total(served) == 2000)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert served.end() == 0


def _total(served: Any) -> int:
    metrics = served.get("/metrics").text
    lines = [
        line for line in metrics.splitlines() if line.startswith("callboard_catalog_entities{")
    ]
    return sum(int(float(line.rpartition(" ")[2])) for line in lines)
