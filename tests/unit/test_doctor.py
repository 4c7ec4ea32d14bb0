"""What `callboard doctor` looks at, and how it tells."""

import os
import shutil
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from callboard.contributions import Checks
from callboard.database import Branch, Database
from callboard.doctor import (
    Check,
    Finding,
    contributed_checks,
    database_check,
    examine,
    exit_code,
    format_findings,
    git_check,
    plugins_check,
    settings_check,
    versions_check,
)
from callboard.doctor.machine import find_mismatches
from callboard.errors import NotReadyError, SettingsError
from callboard.plugins import Contributed
from callboard.plugins.records import PluginRecord, PluginState
from callboard.settings import CORE_SECTIONS, load_settings


def titles(findings: list[Finding], status: str) -> list[str]:
    return [found.title for found in findings if found.status == status]


def test_a_check_that_fails_or_hangs_is_a_finding() -> None:
    never = threading.Event()

    def hang() -> Iterator[Finding]:
        yield Finding("ok", "first")
        never.wait()

    def fail() -> list[Finding]:
        raise SystemExit("password=geheim12")

    def refuse() -> list[Finding]:
        raise NotReadyError("The server is away.", hint="Start it.")

    checks = [Check("Hangs", hang), Check("Fails", fail), Check("Refuses", refuse)]
    found = examine(checks, limit=timedelta(seconds=0.2))
    assert [(item.status, item.title) for item in found] == [
        ("ok", "first"),
        ("bad", "Hangs"),
        ("bad", "Fails"),
        ("bad", "Refuses"),
    ]
    assert found[1].detail == "The check did not finish within 0.2 s."
    assert "SystemExit" in found[2].detail
    assert "geheim12" not in found[2].detail
    assert (found[3].detail, found[3].next_step) == ("The server is away.", "Start it.")
    never.set()


def test_findings_are_redacted() -> None:
    found = examine(
        [Check("A", lambda: [Finding("ok", "h7Qz-1", "h7Qz-1", "h7Qz-1")])], secrets=["h7Qz-1"]
    )
    assert "h7Qz-1" not in str(found)


def test_findings_are_written_for_a_terminal() -> None:
    findings = [
        Finding("ok", "git version 2.47"),
        Finding("warn", "The disk is almost full", "0.5 GiB free", "Free some space."),
        Finding("bad", "Bad\x1b[2J\nname", "one\ntwo " + "word " * 40),
    ]
    plain = format_findings(findings)
    assert plain.splitlines()[:4] == [
        "ok    git version 2.47",
        "warn  The disk is almost full",
        "      0.5 GiB free",
        "      -> Free some space.",
    ]
    assert plain.splitlines()[-1] == "1 ok, 1 to look at, 1 bad"
    assert "\x1b" not in plain
    assert max(len(line) for line in plain.splitlines()) <= 100
    assert "\x1b[31mBAD \x1b[0m" in format_findings(findings, colour=True)


@pytest.mark.parametrize(
    ("states", "code"), [([], 0), (["ok", "warn"], 0), (["ok", "bad", "ok"], 1)]
)
def test_anything_bad_makes_the_exit_code_one(states: list[str], code: int) -> None:
    assert exit_code(Finding(state, "x") for state in states) == code  # type: ignore[arg-type]


def test_every_fault_of_the_settings_is_a_finding(tmp_path: Path) -> None:
    file = tmp_path / "callboard.yaml"
    file.write_text("log:\n  level: loud\n  colour: red\n")
    [first, second] = examine([settings_check(lambda: load_settings(file, {}, CORE_SECTIONS))])
    assert (first.status, first.title) == ("bad", f"Settings: {file}, line 2")
    assert first.detail.startswith("log.level is 'loud'; expected")
    assert second.title == f"Settings: {file}, line 3"
    file.write_text("")
    [good] = examine([settings_check(lambda: load_settings(file, {}, CORE_SECTIONS))])
    assert (good.status, good.title) == ("ok", f"Settings: read from {file}")


def test_a_settings_error_without_faults_is_a_finding() -> None:
    def load() -> None:
        raise SettingsError("database.url is not a database URL.", hint="Expected another.")

    [found] = examine([settings_check(load)])  # type: ignore[arg-type]
    assert (found.status, found.next_step) == ("bad", "Expected another.")


@dataclass
class Found:
    records: dict[str, PluginRecord] = field(default_factory=dict)


def test_plugins_are_told_with_their_reasons() -> None:
    records = [
        PluginRecord(name="good", version="1.0"),
        PluginRecord(name="off", state=PluginState.DISABLED, reason="listed"),
        PluginRecord(name="broken", version="2.0", state=PluginState.FAILED, reason="ImportError"),
        PluginRecord(name="old", state=PluginState.INCOMPATIBLE, reason="contract 0"),
        PluginRecord(name="shaky", errors=3),
    ]
    found = examine([plugins_check(Found({record.name: record for record in records}))])
    assert found[0] == Finding("ok", "Plugins: 2 loaded", "Disabled: off.")
    assert titles(found, "bad") == ["Plugin broken 2.0 is failed", "Plugin old is incompatible"]
    assert titles(found, "warn") == ["Plugin shaky had 3 errors"]
    assert found[1].detail == "ImportError"


def test_a_plugin_that_gives_no_checks_is_a_finding_beside_the_others() -> None:
    def fail(host: object) -> list[Check]:
        raise RuntimeError("no such table password=geheim12")

    given = {
        "broken": fail,
        "good": lambda host: [Check("Good", lambda: [Finding("ok", "The server answers.")])],
        "wrong": lambda host: ["a text"],
    }
    contributed = [
        Contributed(name, Checks(checks=checks))  # type: ignore[arg-type]
        for name, checks in given.items()
    ]
    found = examine(contributed_checks(contributed, lambda plugin: None))  # type: ignore[arg-type, return-value]
    assert [(item.status, item.title) for item in found] == [
        ("bad", "Plugin broken"),
        ("ok", "The server answers."),
        ("bad", "Plugin wrong"),
    ]
    assert "no such table" in found[0].detail
    assert "geheim12" not in found[0].detail
    assert "expected callboard.doctor.Check" in found[2].detail


def test_versions_fit_here() -> None:
    found = examine([versions_check()])
    assert titles(found, "bad") == []
    assert "pluggy" in found[0].detail


def install(folder: Path, name: str, version: str, *requires: str) -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    lines = [f"Name: {name}", f"Version: {version}", *(f"Requires-Dist: {r}" for r in requires)]
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.1", *lines, "", ""]))


def test_requirements_that_are_not_met_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "doctor_a", "1.0", "doctor_b[extra]>=2", "doctor-c", "doctor_d; extra == 'x'")
    install(
        tmp_path, "doctor_b", "1.5", "doctor_e<1; extra == 'extra'", "nope; python_version < '3'"
    )
    install(tmp_path, "doctor_e", "1.0", "doctor_a", "not a requirement !!")
    monkeypatch.syspath_prepend(tmp_path)
    assert sorted(find_mismatches(["doctor-a", "doctor_unknown"])) == [
        "doctor_a 1.0 requires doctor-c, which is not installed.",
        "doctor_a 1.0 requires doctor_b[extra]>=2, but 1.5 is installed.",
        "doctor_b 1.5 requires doctor_e<1, but 1.0 is installed.",
    ]


def test_git_is_found() -> None:
    [found] = examine([git_check()])
    assert (found.status, found.detail) == ("ok", shutil.which("git"))


@pytest.mark.parametrize(
    ("script", "status", "title"),
    [
        (None, "bad", "git is not installed"),
        ("echo git version 2.11.0", "warn", "git version 2.11.0 is old"),
        ("echo broken >&2; exit 1", "bad", "git does not answer"),
        ("exec sleep 60", "bad", "git"),
    ],
)
def test_a_git_that_does_not_fit_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str | None,
    status: str,
    title: str,
) -> None:
    if script is not None:
        program = tmp_path / "git"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv(
        "PATH", f"{tmp_path}:/bin" if script and "sleep" in script else str(tmp_path)
    )
    monkeypatch.setattr("callboard.doctor.machine._GIT_SECONDS", 0.3)
    [found] = examine([git_check()])
    assert (found.status, found.title) == (status, title)


REVISION = '''"""one"""
from alembic import op
revision = "{name}"
down_revision = {down!r}
def upgrade() -> None:
    op.execute("CREATE TABLE t_{name} (a INTEGER)")
'''


@pytest.fixture
def branch(tmp_path: Path) -> Branch:
    directory = tmp_path / "versions"
    directory.mkdir()
    (directory / "one.py").write_text(REVISION.format(name="one", down=None))
    return Branch("things", directory)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, branch: Branch) -> None:
    path = tmp_path / "new.sqlite3"
    found = examine([database_check(lambda: Database(f"sqlite:///{path}"), [branch])])
    assert not path.exists()
    assert exit_code(found) == 0
    assert found[-1].next_step == "Run: callboard db upgrade"


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    path = tmp_path / "no" / "new.sqlite3"
    found = examine([database_check(lambda: Database(f"sqlite:///{path}"), [])])
    assert titles(found, "bad") == ["The folder of the database is missing"]


@contextmanager
def as_nobody() -> Iterator[None]:
    """Let root be nobody for a while: root may write anywhere."""
    root = os.geteuid() == 0
    if root:
        os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)


def test_a_folder_that_cannot_be_written_is_told() -> None:
    # Not below `tmp_path`, whose parents are for its owner only.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o555)

        def find() -> list[Finding]:
            return examine([database_check(lambda: Database(f"sqlite:///{folder}/a.sqlite3"), [])])

        find()  # so that nothing has to be imported by nobody
        with as_nobody():
            found = find()
    assert titles(found, "bad") == ["The folder of the database is not writable"]


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "text.sqlite3"
    path.write_text("This is a letter, not a database. " * 100)
    found = examine([database_check(lambda: Database(f"sqlite:///{path}"), [])])
    assert titles(found, "bad") == [f"Database sqlite:///{path} does not answer"]
    assert "file is not a database" in found[-1].detail


@pytest.mark.parametrize(
    ("statements", "status", "state"),
    [
        (["CREATE TABLE x (a)"], "warn", "empty"),
        (
            [
                "CREATE TABLE alembic_version_things (version_num VARCHAR(32))",
                "INSERT INTO alembic_version_things VALUES ('{head}')",
            ],
            "ok",
            "",
        ),
        (
            [
                "CREATE TABLE alembic_version_things (version_num VARCHAR(32))",
                "INSERT INTO alembic_version_things VALUES ('from-tomorrow')",
            ],
            "bad",
            "newer",
        ),
        (
            [
                "CREATE TABLE callboard_upgrade (branch VARCHAR(64))",
                "INSERT INTO callboard_upgrade VALUES ('things')",
            ],
            "bad",
            "half",
        ),
    ],
)
def test_the_state_of_the_tables_is_told(
    tmp_path: Path, branch: Branch, statements: list[str], status: str, state: str
) -> None:
    path = tmp_path / "a.sqlite3"
    connection = sqlite3.connect(path)
    for statement in statements:
        connection.execute(statement.format(head="one"))
    connection.commit()
    connection.close()
    found = examine([database_check(lambda: Database(f"sqlite:///{path}"), [branch])])
    title = f"Tables of things: {state}" if state else "Tables"
    assert (found[-1].status, found[-1].title) == (status, title)
    assert titles(found[:-1], "bad") == []


@pytest.mark.parametrize(
    ("free", "status"), [(50 * 1024**2, "bad"), (500 * 1024**2, "warn"), (5 * 1024**3, "ok")]
)
def test_little_space_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, status: str
) -> None:
    # A full disk cannot be had in a test: only the number that the system gives is replaced.
    usage = shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr("callboard.doctor.database.shutil.disk_usage", lambda _: usage)
    found = examine([database_check(lambda: Database(f"sqlite:///{tmp_path}/a.sqlite3"), [])])
    assert found[1].status == status


def test_a_database_that_is_away_is_told_without_its_password() -> None:
    url = "postgresql://callboard:h7Qz-geheim@127.0.0.1:9/x?connect_timeout=2"
    found = examine([database_check(lambda: Database(url), [])])
    assert exit_code(found) == 1
    assert "h7Qz-geheim" not in str(found)
    assert "127.0.0.1" in found[0].title


def test_a_url_that_cannot_be_used_is_told() -> None:
    [found] = examine([database_check(lambda: Database("mysql://x"), [])])
    assert (found.status, found.title) == ("bad", "Database")
    assert "not supported" in found.detail


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("shift", "status"),
    [(timedelta(0), "ok"), (timedelta(seconds=5), "warn"), (timedelta(minutes=-5), "bad")],
)
def test_clocks_that_differ_are_told(
    postgres_database: Database, shift: timedelta, status: str
) -> None:
    def now() -> datetime:
        return datetime.now(UTC) + shift

    found = examine([database_check(lambda: postgres_database, [], now=now)])
    assert [item.status for item in found if "clocks" in item.title] == [status]
    assert any(item.title.startswith("PostgreSQL 1") for item in found)
