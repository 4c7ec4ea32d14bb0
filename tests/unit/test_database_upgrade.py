"""Upgrades of the schema: each line of revisions on its own, whole or not at all."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from callboard.database import Branch, Database, inspect_schema, upgrade
from callboard.errors import SettingsError

WORKER = """
import sys
from pathlib import Path
from callboard.database import Branch, Database, upgrade
upgrade(Database(sys.argv[1]), [Branch("hello", Path(sys.argv[2]))])
"""


@pytest.fixture
def empty(database: Database) -> Database:
    """Give a database without tables."""
    with database.write() as connection:
        for table in inspect(connection).get_table_names():
            if database.dialect == "postgresql":
                connection.execute(text(f"DROP TABLE {table} CASCADE"))
    if database.path is not None:
        path = database.path
        database.close()
        for suffix in ("", "-wal", "-shm"):
            Path(f"{path}{suffix}").unlink(missing_ok=True)
    return database


Add = Callable[..., Branch]


@pytest.fixture
def add(tmp_path: Path) -> Add:
    """Give a function that writes the next revision of a branch."""

    def add_revision(name: str, *statements: str, body: str = "") -> Branch:
        folder = tmp_path / f"migrations-{name}"
        folder.mkdir(exist_ok=True)
        number = len(list(folder.glob("*.py"))) + 1
        before = f'"{number - 1:04}"' if number > 1 else "None"
        calls = "\n".join(f"    op.execute({statement!r})" for statement in statements)
        (folder / f"{number:04}_step.py").write_text(
            f'from alembic import op\nrevision = "{number:04}"\ndown_revision = {before}\n'
            f"branch_labels = depends_on = None\n\ndef upgrade():\n    pass\n{calls}\n{body}\n"
        )
        return Branch(name, folder)

    return add_revision


def states(database: Database, branches: Sequence[Branch]) -> list[str]:
    return [state.state for state in inspect_schema(database, branches)]


def tables(database: Database) -> set[str]:
    with database.read() as connection:
        return set(inspect(connection).get_table_names())


def rows(database: Database, table: str) -> int:
    with database.read() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def test_from_empty_to_current(empty: Database, add: Add) -> None:
    branch = add("hello", "CREATE TABLE hello_visit (id INTEGER)")
    [state] = inspect_schema(empty, [branch])
    assert (state.state, state.current, state.head) == ("empty", None, "0001")
    assert state.problem() == (
        "The tables of hello are at revision none, this version needs 0001. "
        "Run: callboard db upgrade"
    )
    assert [before.state for before in upgrade(empty, [branch])] == ["empty"]
    [state] = inspect_schema(empty, [branch])
    assert (state.state, state.problem()) == ("current", "")
    assert [before.state for before in upgrade(empty, [branch])] == ["current"]
    assert "hello_visit" in tables(empty)


def test_from_behind_to_current_keeps_rows(empty: Database, add: Add) -> None:
    branch = add("hello", "CREATE TABLE hello_visit (id INTEGER)")
    upgrade(empty, [branch])
    with empty.write() as connection:
        connection.execute(text("INSERT INTO hello_visit VALUES (7)"))
    add("hello", "ALTER TABLE hello_visit ADD COLUMN name VARCHAR(9) DEFAULT 'a' NOT NULL")
    add("hello", "CREATE TABLE hello_other (id INTEGER)")
    assert states(empty, [branch]) == ["behind"]
    upgrade(empty, [branch])
    with empty.read() as connection:
        assert connection.execute(text("SELECT id, name FROM hello_visit")).all() == [(7, "a")]


def test_a_newer_database_is_refused_and_untouched(empty: Database, add: Add) -> None:
    branch = add("hello", "CREATE TABLE hello_visit (id INTEGER)")
    other = add("other", "CREATE TABLE other_thing (id INTEGER)")
    add("hello", "INSERT INTO hello_visit VALUES (1)")
    upgrade(empty, [branch])
    (branch.directory / "0002_step.py").unlink()
    assert states(empty, [branch]) == ["newer"]
    with pytest.raises(SettingsError, match="was upgraded by a newer version") as told:
        upgrade(empty, [other, branch])
    assert "revision 0002, which this version does not know" in str(told.value.message)
    assert rows(empty, "hello_visit") == 1
    assert "other_thing" not in tables(empty)


def test_a_newer_version_that_was_killed_is_newer_all_the_same(empty: Database, add: Add) -> None:
    branch = add("hello", "CREATE TABLE hello_visit (id INTEGER)")
    add("hello")
    upgrade(empty, [branch])
    with empty.write() as connection:
        connection.execute(text("INSERT INTO callboard_upgrade VALUES ('hello')"))
    (branch.directory / "0002_step.py").unlink()
    assert states(empty, [branch]) == ["newer"]


def test_an_upgrade_that_is_killed_is_finished_by_the_next(
    empty: Database, add: Add, tmp_path: Path
) -> None:
    branch = add("hello", "CREATE TABLE hello_visit (id INTEGER)")
    upgrade(empty, [branch])
    with empty.write() as connection:
        connection.execute(text("INSERT INTO hello_visit VALUES (7)"))
    notes = tmp_path / "in-the-middle"
    pause = (
        "    import pathlib, time\n"
        f"    stop = pathlib.Path({str(notes)!r})\n"
        "    if not stop.exists():\n"
        "        stop.touch()\n"
        "        time.sleep(60)\n"
    )
    add("hello", "DELETE FROM hello_visit", "CREATE TABLE hello_more (id INTEGER)", body=pause)
    url = empty.url.render_as_string(hide_password=False)
    process = subprocess.Popen([sys.executable, "-c", WORKER, url, branch.directory])
    deadline = time.monotonic() + 30
    while not notes.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()

    [state] = inspect_schema(empty, [branch])
    assert (state.state, state.current) == ("half", "0001")
    assert state.problem() == (
        "An upgrade of the tables of hello did not finish. Nothing is lost. "
        "Run: callboard db upgrade"
    )
    assert rows(empty, "hello_visit") == 1
    assert "hello_more" not in tables(empty)
    upgrade(empty, [branch])
    assert states(empty, [branch]) == ["current"]
    assert rows(empty, "hello_visit") == 0
    assert "hello_more" in tables(empty)


def test_a_migration_that_fails_is_undone_and_hinders_no_other(empty: Database, add: Add) -> None:
    bad = add("bad", "CREATE TABLE bad_table (id INTEGER)")
    upgrade(empty, [bad])
    add("bad", "INSERT INTO bad_table VALUES (1)", body="    raise RuntimeError('of its own')")
    good = add("good", "CREATE TABLE good_table (id INTEGER)")
    with pytest.raises(SettingsError) as told:
        upgrade(empty, [bad, good])
    assert str(told.value.message) == (
        "A migration of the tables of bad failed and was undone: RuntimeError: of its own"
    )
    assert str(told.value.hint).startswith(
        "Correct or update bad, or list it under plugins.disable"
    )
    assert states(empty, [bad, good]) == ["behind", "current"]
    assert rows(empty, "bad_table") == 0


def test_a_statement_that_fails_is_told_with_the_plugin(empty: Database, add: Add) -> None:
    bad = add("bad", "CREATE TABLE bad_table (id INTEGER)", "INSERT INTO nowhere VALUES (1)")
    with pytest.raises(SettingsError, match=r"tables of bad failed and was undone: .*nowhere"):
        upgrade(empty, [bad])
    assert states(empty, [bad]) == ["empty"]
    assert "bad_table" not in tables(empty)


def test_a_plugin_that_is_removed_and_returns_finds_its_tables(empty: Database, add: Add) -> None:
    hello, other = add("hello", "CREATE TABLE hello_visit (id INTEGER)"), add("other")
    upgrade(empty, [hello, other])
    with empty.write() as connection:
        connection.execute(text("INSERT INTO hello_visit VALUES (7)"))
    add("other", "CREATE TABLE other_thing (id INTEGER)")
    upgrade(empty, [other])
    assert states(empty, [hello, other]) == ["current", "current"]
    assert rows(empty, "hello_visit") == 1


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("def broken(:", "invalid syntax"),
        ("raise ValueError('no')", "no"),
        ('revision = "0002"\ndown_revision = "0000"', "0000"),
        ('revision = "0002"\ndown_revision = None', "line|heads"),
    ],
)
def test_migrations_that_cannot_be_read_name_their_plugin(
    empty: Database, add: Add, content: str, reason: str
) -> None:
    branch = add("hello")
    (branch.directory / "0002_bad.py").write_text(content)
    with pytest.raises(SettingsError, match=f"migrations of hello in .*{reason}"):
        inspect_schema(empty, [branch])


@pytest.mark.parametrize(
    "content",
    [
        'revision = "0002"  # of its own',
        'revision = "0002"\ndown_revision = "0000"',
        'revision = "0002"\ndown_revision = None',
        'revision = "0002"\ndown_revision = "0002"',
        'revision = "0001"\ndown_revision = "0001"',
        'revision = "0002"\ndown_revision = ("0001",)',
        'revision = "00" + "02"\ndown_revision = "0001"',
        'revision = "0002"\ndown_revision = "0001"\nbranch_labels = ("own",)',
        'revision = "0002"\ndown_revision = "0001"\ndepends_on = "0001"',
        'revision = "0002"\ndown_revision = "0001"\nrevision = "0003"',
    ],
)
def test_only_a_plain_line_of_revisions_is_read_without_alembic(add: Add, content: str) -> None:
    branch = add("hello")
    assert branch.newest() == "0001"
    (branch.directory / "0002_other.py").write_text(content)
    assert branch.newest() is None


@pytest.mark.parametrize(
    "content",
    [
        "revision: str = '0002'\ndown_revision: Union[str, None] = '0001'\nbranch_labels = None",
        'down_revision = "0001"\nrevision = "0002"\nbranch_labels: str | None = None',
    ],
)
def test_the_newest_revision_is_the_one_that_alembic_finds(add: Add, content: str) -> None:
    branch = add("hello")
    (branch.directory / "0002_other.py").write_text(f"from typing import Union\n{content}\n")
    assert branch.newest() == branch.script().get_current_head() == "0002"


def test_a_folder_of_migrations_that_is_missing_is_told(empty: Database, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such folder"):
        inspect_schema(empty, [Branch("hello", tmp_path / "none")])


def test_upgrades_at_the_same_time_come_one_after_the_other(empty: Database, add: Add) -> None:
    pause = "    import time\n    time.sleep(0.2)"
    branch = add("hello", "CREATE TABLE hello_visit (id INTEGER)", body=pause)
    url = empty.url.render_as_string(hide_password=False)
    errors: list[Exception] = []

    def work() -> None:
        own = Database(url)
        try:
            upgrade(own, [branch])
        except Exception as error:
            errors.append(error)
        own.close()

    # One process, as alembic's context is per process: the others are real processes.
    others = [
        subprocess.Popen([sys.executable, "-c", WORKER, url, branch.directory]) for _ in range(2)
    ]
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert [other.wait(30) for other in others] == [0, 0]
    assert not errors
    assert states(empty, [branch]) == ["current"]


def test_a_table_that_is_made_anew_keeps_the_rows_that_refer_to_it(
    sqlite_database: Database, add: Add
) -> None:
    branch = add(
        "hello",
        "CREATE TABLE hello_parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE hello_child (parent INTEGER REFERENCES hello_parent ON DELETE CASCADE)",
        "INSERT INTO hello_parent VALUES (1)",
        "INSERT INTO hello_child VALUES (1)",
    )
    upgrade(sqlite_database, [branch])
    add(
        "hello",
        "CREATE TABLE hello_new (id INTEGER PRIMARY KEY, name TEXT)",
        "INSERT INTO hello_new (id) SELECT id FROM hello_parent",
        "DROP TABLE hello_parent",
        "ALTER TABLE hello_new RENAME TO hello_parent",
    )
    upgrade(sqlite_database, [branch])
    assert rows(sqlite_database, "hello_child") == 1
    with sqlite_database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_migration_that_leaves_rows_without_their_parent_is_undone(
    sqlite_database: Database, add: Add
) -> None:
    branch = add(
        "hello",
        "CREATE TABLE hello_parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE hello_child (parent INTEGER REFERENCES hello_parent)",
        "INSERT INTO hello_child VALUES (1)",
    )
    with pytest.raises(SettingsError, match="rows of hello_child refer to rows of hello_parent"):
        upgrade(sqlite_database, [branch])
    assert "hello_child" not in tables(sqlite_database)
