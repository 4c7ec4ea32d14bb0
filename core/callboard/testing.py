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
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    import psycopg

    from callboard.database import Branch, Database

_START_SECONDS = 30
_numbers = count()
_MEMORY = Path("/dev/shm")  # noqa: S108 - files get a folder of their own there
_MEMORY_NEEDED = 4 * 1024**3


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "postgres: needs a PostgreSQL server, started by the suite where its programs are",
    )


def absent(reason: str) -> NoReturn:
    """End a test that needs what is not here: it is skipped, and in CI (`CI=true`) it fails."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


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
    _templates: "dict[tuple[Branch, ...], str]" = field(default_factory=dict)
    _connection: "psycopg.Connection[Any] | None" = None

    def url(self, name: str) -> str:
        return f"postgresql://callboard@/{name}?host={self.directory}"

    def create(self, branches: "Sequence[Branch]") -> str:
        """Create a database that has all tables of these lines of migrations; give its name."""
        wanted = tuple(branches)
        if wanted not in self._templates:
            name = self.create_empty()
            self._upgrade(name, wanted)
            self._templates[wanted] = name
        return self._copy(self._templates[wanted])

    def create_empty(self) -> str:
        """Create a database without any table, and give its name."""
        return self._copy("template1")

    def drop(self, name: str) -> None:
        self.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def execute(self, statement: str) -> None:
        import psycopg

        if self._connection is None:
            self._connection = psycopg.connect(
                host=str(self.directory), user="callboard", dbname="postgres", autocommit=True
            )
        self._connection.execute(statement.encode())

    def close(self) -> None:
        """End the server at once, whoever is connected, and remove its files."""
        if self._connection is not None:
            self._connection.close()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(_START_SECONDS)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _copy(self, template: str) -> str:
        name = f"test_{next(self.numbers)}"
        # Copying files takes a third of the time that writing all into the log does (from 15 on).
        how = "STRATEGY file_copy" if self._version() >= 150000 else ""
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template} {how}")
        return name

    def _version(self) -> int:
        assert self._connection is not None
        return self._connection.info.server_version

    def _upgrade(self, name: str, branches: "Sequence[Branch]") -> None:
        from callboard.database import Database, upgrade

        database = Database(self.url(name))
        upgrade(database, branches)
        database.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server, as the user postgres where tests run as root.

    Its files are in memory where that has room (`/dev/shm`), else in a directory below `/tmp`.
    """
    programs = _postgres_programs()
    if programs is None:
        absent("No PostgreSQL programs: initdb is neither on PATH nor in /usr/lib/postgresql.")
    # The name of a Unix socket has at most about 100 characters: pytest's own are too long.
    directory = Path(tempfile.mkdtemp(prefix="callboard-postgres-", dir=_place()))
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(directory, user, user)
    process = _start_server(programs, directory, user)
    server = PostgresServer(directory, process)
    try:
        _wait_until_ready(server)
        yield server
    finally:
        server.close()


def _place() -> str:
    has_room = _MEMORY.is_dir() and os.access(_MEMORY, os.W_OK)
    if has_room and shutil.disk_usage(_MEMORY).free > _MEMORY_NEEDED:
        return str(_MEMORY)
    return "/tmp"  # noqa: S108


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
        "wal_level": "minimal",
        "max_wal_senders": 0,
        "max_wal_size": "64MB",
        "autovacuum": "off",  # every plan is then that of the test's own statistics
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
def sqlite_templates() -> "dict[tuple[Branch, ...], Path]":
    """Keep SQLite files with all tables by their lines of migrations."""
    return {}


@pytest.fixture
def sqlite_template(request: pytest.FixtureRequest) -> Path:
    """Give a SQLite file with all tables of `schema_branches`, to be copied."""
    return _sqlite_template(request)


def _sqlite_template(request: pytest.FixtureRequest) -> Path:
    # Kept by the lines of migrations: one process may run tests of folders that name others.
    from callboard.database import Database, upgrade

    wanted = tuple(request.getfixturevalue("schema_branches"))
    templates: dict[tuple[Branch, ...], Path] = request.getfixturevalue("sqlite_templates")
    if wanted not in templates:
        factory: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        path = factory.mktemp("template") / "template.sqlite3"
        database = Database(f"sqlite:///{path}")
        upgrade(database, wanted)
        database.close()
        templates[wanted] = path
    return templates[wanted]


@pytest.fixture(
    params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)],
)
def database(request: pytest.FixtureRequest) -> "Database":
    """Give an empty database with all tables, once on SQLite and once on PostgreSQL."""
    name = "sqlite_database" if request.param == "sqlite" else "postgres_database"
    given: Database = request.getfixturevalue(name)
    return given


@contextmanager
def new_database(request: pytest.FixtureRequest, kind: str) -> Iterator[str]:
    """Give the URL of a new database with all tables, "sqlite" or "postgresql", for the block.

    It is for fixtures that start a portal on each; tests that need no more ask for `database`.
    """
    if kind == "sqlite":
        template = _sqlite_template(request)
        path = template.with_name(f"callboard-{next(_numbers)}.sqlite3")
        shutil.copyfile(template, path)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    name = server.create(request.getfixturevalue("schema_branches"))
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def sqlite_database(request: pytest.FixtureRequest) -> Iterator["Database"]:
    """Give an empty SQLite database with all tables."""
    from callboard.database import Database

    with new_database(request, "sqlite") as url:
        database = Database(url)
        yield database
        database.close()


@pytest.fixture
def postgres_database(request: pytest.FixtureRequest) -> Iterator["Database"]:
    """Give an empty PostgreSQL database with all tables."""
    from callboard.database import Database

    with new_database(request, "postgresql") as url:
        database = Database(url)
        yield database
        database.close()


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
    `portal.host(name)` the plugin's host, `portal.observe(cluster, resource, *objects)` tells it
    of objects of a cluster.

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
