"""A disk that is full, a database that is locked, read-only or away: words, and no loss."""

import ctypes
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from callboard.database import Branch
from callboard.testing import PostgresServer

pytestmark = pytest.mark.slow  # runs whole processes

GROUP = """
apiVersion: backstage.io/v1alpha1
kind: Group
metadata: {name: crew, title: "The crew"}
spec: {type: team, children: []}
"""
SETTINGS = """
database: {url: "sqlite:///callboard.sqlite3?timeout=0.5"}
catalog: {sources: [{name: here, type: folder, path: ., schedule: 5s}]}
"""


@contextmanager
def held(path: Path, *statements: str) -> Iterator[None]:
    """Run statements on a SQLite file in another process and keep its connection open."""
    script = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "for statement in sys.argv[2:]: c.execute(statement)\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, path, *statements],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"held\n"
        yield
        process.stdin.close()


@pytest.fixture
def filled(commands: Any) -> Any:
    """Give a portal that knows one entity."""
    commands.write(SETTINGS)
    (commands.folder / "catalog-info.yaml").write_text(GROUP)
    assert commands.run("db", "upgrade").returncode == 0
    done = commands.run("catalog", "refresh")
    assert "1 created" in done.stdout, done.stderr
    return commands


def limit(size: int) -> None:
    """Let this process write no file beyond `size` bytes, as on a full disk."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_at_the_start_is_told(filled: Any) -> None:
    for arguments in (["catalog", "refresh"], ["serve", "--listen", "127.0.0.1:0"]):
        said = filled.fails(*arguments, preexec_fn=lambda: limit(0))
        assert "callboard.sqlite3" in said
        assert "disk" in said or "free space" in said
    assert filled.run("catalog", "refresh").returncode == 0


def test_a_full_disk_in_an_upgrade_is_told_and_nothing_is_lost(commands: Any) -> None:
    commands.write(SETTINGS)
    said = commands.fails("db", "upgrade", preexec_fn=lambda: limit(40_000))
    assert "cannot be used: the disk" in said
    done = commands.run("db", "upgrade")
    assert done.returncode == 0, done.stderr
    assert "brought to" in done.stdout
    assert commands.run("db", "status").returncode == 0


def test_with_a_full_disk_pages_are_served_and_then_all_is_well(filled: Any) -> None:
    served = filled.serve()
    assert "The crew" in served.get("/catalog?kind=group").text
    pid = served.process.pid
    unlimited = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, unlimited[1]))
    (filled.folder / "catalog-info.yaml").write_text(GROUP.replace("The crew", "The new crew"))
    ends = time.monotonic() + 7  # the source is looked at every five seconds
    while time.monotonic() < ends:
        for path in ("/", "/catalog?kind=group", "/catalog/default/group/crew", "/sources"):
            page = served.get(path)
            assert page.status_code == 200, page.text
        assert "The crew" in served.get("/catalog?kind=group").text
        time.sleep(0.2)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, unlimited)
    filled.wait_until(lambda: "The new crew" in served.get("/catalog?kind=group").text, 30)
    assert served.end() == 0


def test_a_database_locked_by_another_program_is_told(filled: Any) -> None:
    database = filled.folder / "callboard.sqlite3"
    with held(database, "PRAGMA locking_mode=EXCLUSIVE", "BEGIN EXCLUSIVE"):
        begin = time.monotonic()
        said = filled.fails("serve", "--listen", "127.0.0.1:0")
        assert time.monotonic() - begin < 15
    assert said.startswith(
        f"The database {database} cannot be used: another process holds its lock"
    )
    assert "End the program that keeps the file open" in said
    assert filled.run("catalog", "refresh").returncode == 0


def test_a_lock_under_a_running_portal_passes(filled: Any) -> None:
    served = filled.serve()
    with held(filled.folder / "callboard.sqlite3", "BEGIN IMMEDIATE"):
        ends = time.monotonic() + 2
        while time.monotonic() < ends:
            assert served.get("/catalog?kind=group").status_code == 200
            time.sleep(0.1)
    assert "Traceback" not in served.log.read_text()
    (filled.folder / "catalog-info.yaml").write_text(GROUP.replace("The crew", "The new crew"))
    assert "1 updated" in filled.run("catalog", "refresh").stdout
    assert "The new crew" in served.get("/catalog?kind=group").text
    assert served.end() == 0


@pytest.fixture
def read_only(filled: Any) -> Iterator[Any]:
    """Give a portal in a folder that the user of the process may read only."""
    folder = Path(tempfile.mkdtemp(prefix="callboard-read-only-", dir="/tmp"))
    shutil.copytree(filled.folder, folder, dirs_exist_ok=True)
    # With what SQLite keeps beside the file gone it cannot even be read.
    for path in folder.glob("*-*"):
        path.unlink()
    folder.chmod(0o555)
    filled.folder = folder
    yield filled
    folder.chmod(0o755)
    shutil.rmtree(folder)


PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE = 1


def obey_permissions() -> None:
    """Have root's child obey the permissions of files as others must (capabilities(7))."""
    if os.geteuid() == 0:
        assert ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) == 0


def test_a_read_only_folder_is_told(read_only: Any) -> None:
    options = {"preexec_fn": obey_permissions}
    said = read_only.fails("serve", "--listen", "127.0.0.1:0", **options)
    assert f"{read_only.folder}/callboard.sqlite3.lock cannot be written: Permission denied" in said
    said = read_only.fails("db", "upgrade", **options)
    assert "cannot be used" in said
    done = read_only.run("doctor", **options)
    assert done.returncode == 1
    assert "not writable" in done.stdout


# PostgreSQL


@pytest.fixture
def on_postgres(
    commands: Any, postgres_server: PostgresServer, schema_branches: Sequence[Branch]
) -> Iterator[Any]:
    name = postgres_server.create(schema_branches)
    commands.database = f"database: {{url: '{postgres_server.url(name)}'}}\n"
    commands.write(commands.database)
    (commands.folder / "catalog-info.yaml").write_text(GROUP)
    yield commands
    commands.stack.close()
    postgres_server.drop(name)


@pytest.mark.postgres
def test_a_worker_runs_the_jobs_of_a_portal_that_runs_none(on_postgres: Any) -> None:
    settings = f"{on_postgres.database}jobs: {{workers: 0}}\n"
    source = "catalog: {sources: [{name: here, type: folder, path: ., schedule: 5s}]}\n"
    on_postgres.write(settings + source)
    served = on_postgres.serve()
    time.sleep(1)
    assert "The crew" not in served.get("/catalog?kind=group").text
    worker, log = on_postgres.begin("worker")
    on_postgres.wait_until(lambda: "The crew" in served.get("/catalog?kind=group").text)
    assert "The worker runs 2 jobs at once." in log.read_text()
    begin = time.monotonic()
    worker.terminate()
    assert worker.wait(20) == 0
    assert time.monotonic() - begin < 5
    assert served.end() == 0


def test_a_worker_on_sqlite_is_refused(commands: Any) -> None:
    said = commands.fails("worker")
    assert said.startswith("A worker of its own needs PostgreSQL.")


@pytest.mark.postgres
def test_a_server_that_goes_away_and_comes_back(on_postgres: Any) -> None:
    """With a server of its own, as the session's serves other tests."""
    from callboard import testing

    programs = testing._postgres_programs()
    assert programs is not None
    directory = Path(tempfile.mkdtemp(prefix="callboard-away-", dir="/tmp"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(directory, user, user)
    control: list[str | Path] = [programs / "pg_ctl", "-D", directory / "data", "-w", "-s"]

    def run(*arguments: str | Path) -> None:
        groups: list[str] | None = [] if user else None
        subprocess.run(
            arguments, check=True, cwd=directory, user=user, group=user, extra_groups=groups,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    options = f"-c listen_addresses= -c unix_socket_directories={directory} -c fsync=off"
    run(programs / "initdb", "-D", directory / "data", "-U", "callboard", "-A", "trust", "-N")
    run(*control, "start", "-o", options, "-l", directory / "log")
    try:
        on_postgres.write(
            f"database: {{url: 'postgresql://callboard@/postgres?host={directory}'}}\n"
            "catalog: {sources: [{name: here, type: folder, path: ., schedule: 5s}]}\n"
        )
        served = on_postgres.serve()
        on_postgres.wait_until(lambda: "The crew" in served.get("/catalog?kind=group").text)
        run(*control, "stop", "-m", "immediate")
        for path in ("/", "/catalog?kind=group", "/jobs"):
            page = served.get(path)
            assert page.status_code == 503, page.text
            assert "Something this needs does not answer" in page.text
        assert served.get("/api/catalog/sources").json()["error"]["name"] == (
            "ServiceUnavailableError"
        )
        assert served.get("/healthz").status_code == 200
        assert served.get("/readyz").status_code == 503
        said = on_postgres.fails("catalog", "refresh")
        assert "Check that the server runs" in said
        time.sleep(2)
        run(*control, "start", "-o", options, "-l", directory / "log")
        on_postgres.wait_until(lambda: served.get("/catalog?kind=group").status_code == 200)
        changed = GROUP.replace("The crew", "The new crew")
        (on_postgres.folder / "catalog-info.yaml").write_text(changed)
        on_postgres.wait_until(lambda: "The new crew" in served.get("/catalog?kind=group").text, 40)
        assert served.end() == 0
    finally:
        on_postgres.stack.close()
        with suppress(subprocess.CalledProcessError):
            run(*control, "stop", "-m", "immediate")
        shutil.rmtree(directory)
