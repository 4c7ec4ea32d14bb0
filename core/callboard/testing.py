"""Fixtures for tests of the host and of plugins: a pytest plugin, loaded by its entry point.

It is imported at the start of every pytest run where Callboard is installed, so it imports
nothing heavy until a fixture is asked for, and a project's own fixtures of the same names win.
"""

import importlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from callboard.database import Branch, Database

_START_SECONDS = 30


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "postgres: needs a PostgreSQL server, started by the suite where its programs are",
    )


class Clock:
    """A clock that stands still until it is told otherwise; call it for the time, in UTC."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def set(self, now: datetime) -> None:
        self.now = now

    def advance(self, step: timedelta | float) -> None:
        """Move on by a step, or by a number of seconds."""
        self.now += step if isinstance(step, timedelta) else timedelta(seconds=step)


@pytest.fixture
def clock() -> Clock:
    """Give a clock that shows 2026-03-02 08:00 UTC, a Monday."""
    return Clock(datetime(2026, 3, 2, 8, tzinfo=UTC))


@pytest.fixture(scope="session")
def schema_branches() -> "Sequence[Branch]":
    """Give the lines of migrations that `database` has: the core's. A project adds its own."""
    from callboard.database import Branch
    from callboard.database.upgrade import MIGRATIONS

    return [Branch("core", MIGRATIONS / "versions")]


@dataclass
class PostgresServer:
    """A PostgreSQL server of this test process's own, reached over a Unix socket."""

    directory: Path
    process: subprocess.Popen[bytes]
    numbers: Iterator[int] = field(default_factory=count)
    template: str = ""

    def url(self, name: str) -> str:
        return f"postgresql://callboard@/{name}?host={self.directory}"

    def create(self, template: str = "template1") -> str:
        """Create a database, as a copy of `template`, and give its name."""
        name = f"test_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        import psycopg

        with psycopg.connect(
            host=str(self.directory), user="callboard", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server in a directory below `/tmp`; as the user postgres where tests run as root."""
    programs = _postgres_programs()
    if programs is None:
        reason = "No PostgreSQL programs: initdb is neither on PATH nor in /usr/lib/postgresql."
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    # The name of a Unix socket has at most about 100 characters: pytest's own are too long.
    directory = Path(tempfile.mkdtemp(prefix="callboard-postgres-", dir="/tmp"))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(directory, user, user)
    server = PostgresServer(directory, _start_server(programs, directory, user))
    try:
        _wait_until_ready(server)
        yield server
    finally:
        server.process.send_signal(signal.SIGINT)  # a fast shutdown, whoever is connected
        server.process.wait(_START_SECONDS)
        shutil.rmtree(directory, ignore_errors=True)


def _postgres_programs() -> Path | None:
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    return installed[-1].parent if installed else None


def _start_server(programs: Path, directory: Path, user: str | None) -> subprocess.Popen[bytes]:
    data = directory / "data"
    groups: list[str] | None = [] if user else None
    initialise: list[str | Path] = [
        programs / "initdb",
        "-D",
        data,
        "-U",
        "callboard",
        "-A",
        "trust",
        "-N",
    ]
    subprocess.run(
        [*initialise, "-E", "UTF8", "--locale=C.UTF-8"],
        check=True, capture_output=True, cwd=directory,
        user=user, group=user, extra_groups=groups,
    )  # fmt: skip
    options = {
        "listen_addresses": "",
        "unix_socket_directories": directory,
        "fsync": "off",
        "synchronous_commit": "off",
        "full_page_writes": "off",
        "shared_buffers": "32MB",
        "max_connections": 100,
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (directory / "log").open("wb") as output:
        return subprocess.Popen(
            [programs / "postgres", "-D", data, *settings],
            stdout=output, stderr=output, cwd=directory,
            user=user, group=user, extra_groups=groups,
        )  # fmt: skip


def _wait_until_ready(server: PostgresServer) -> None:
    import psycopg

    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            server.execute("SELECT 1")
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline or server.process.poll() is not None:
                said = (server.directory / "log").read_text(errors="replace")
                raise RuntimeError(f"PostgreSQL did not start: {said}") from error
            time.sleep(0.02)
        else:
            return


@pytest.fixture(scope="session")
def sqlite_template(
    tmp_path_factory: pytest.TempPathFactory, schema_branches: "Sequence[Branch]"
) -> Path:
    """Give a SQLite file with all tables, to be copied."""
    from callboard.database import Database, upgrade

    path = tmp_path_factory.mktemp("template") / "template.sqlite3"
    database = Database(f"sqlite:///{path}")
    upgrade(database, schema_branches)
    database.close()
    return path


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)],
)
def database(request: pytest.FixtureRequest) -> "Database":
    """Give an empty database with all tables, once on SQLite and once on PostgreSQL."""
    name = "sqlite_database" if request.param == "sqlite" else "postgres_database"
    given: Database = request.getfixturevalue(name)
    return given


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> Iterator["Database"]:
    """Give an empty SQLite database with all tables."""
    from callboard.database import Database

    path = tmp_path / "callboard.sqlite3"
    shutil.copyfile(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture
def postgres_database(
    postgres_server: PostgresServer, schema_branches: "Sequence[Branch]"
) -> Iterator["Database"]:
    """Give an empty PostgreSQL database with all tables."""
    from callboard.database import Database, upgrade

    if not postgres_server.template:
        postgres_server.template = postgres_server.create()
        template = Database(postgres_server.url(postgres_server.template))
        upgrade(template, schema_branches)
        template.close()
    name = postgres_server.create(postgres_server.template)
    database = Database(postgres_server.url(name))
    yield database
    database.close()
    postgres_server.drop(name)


@pytest.fixture
def portal_plugins() -> Sequence[str] | None:
    """Name the plugins that `portal` loads; None for all that are installed. Made to be replaced.

    Example::

        @pytest.fixture
        def portal_plugins():
            return ["hello"]
    """
    return None


@pytest.fixture
def portal_settings() -> Mapping[str, Any]:
    """Give the settings of `portal`, as they are in `callboard.yaml`. Made to be replaced.

    Example::

        @pytest.fixture
        def portal_settings():
            return {"plugins": {"settings": {"hello": {"greeting": "Good morning"}}}}
    """
    return {}


@pytest.fixture(scope="session")
def portal_templates() -> dict[str, Path]:
    """Keep migrated databases of `portal` by plugins, so that only the first is migrated."""
    return {}


@pytest.fixture
def portal(
    tmp_path_factory: pytest.TempPathFactory,
    clock: Clock,
    portal_plugins: Sequence[str] | None,
    portal_settings: Mapping[str, Any],
    portal_templates: dict[str, Path],
) -> Iterator[Any]:
    """Give a whole portal with the plugin under test: `callboard_web.testing.PortalUnderTest`.

    It is strict: a plugin that fails fails the test. `portal.catalog_add(yaml)` takes in entities,
    `portal.run_jobs()` runs what is due by `clock`, `portal.client.get(path)` gives a page,
    `portal.host(name)` the plugin's host.

    Example::

        def test_the_card_greets(portal):
            portal.catalog_add("apiVersion: backstage.io/v1alpha1\\nkind: Component ...")
            portal.run_jobs()
            assert "Hello" in portal.client.get("/catalog/default/component/orders").text
    """
    # The core knows nothing of the portal built on it, but for this: authors of plugins look for
    # all their fixtures in one place. It is imported for those who ask for it only.
    testing = importlib.import_module("callboard_web.testing")
    with testing.portal_under_test(
        tmp_path_factory.mktemp("portal") / "portal",
        plugins=portal_plugins,
        settings=portal_settings,
        clock=clock,
        templates=portal_templates,
    ) as made:
        yield made
