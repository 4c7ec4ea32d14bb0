"""Schema upgrades: Alembic, one line of revisions (a branch) for the host and for each plugin.

Each branch keeps its revision in a version table of its own, so that a plugin which is removed or
disabled leaves its tables and its place behind, unharmed, and finds them when it comes back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import Connection, inspect, text

from callboard.database.engine import Database
from callboard.errors import SettingsError

MIGRATIONS = Path(__file__).parent.parent / "migrations"
MARKER = "callboard_upgrade"


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of schema revisions: whose it is and the directory of its Alembic version files."""

    name: str
    directory: Path

    @property
    def version_table(self) -> str:
        return f"alembic_version_{self.name}"

    def script(self) -> ScriptDirectory:
        return ScriptDirectory(str(MIGRATIONS), version_locations=[str(self.directory)])


@dataclass(frozen=True, slots=True)
class SchemaState:
    """Where a branch stands: the revision in the database and the newest one known here."""

    branch: str
    current: str | None
    head: str | None
    state: Literal["current", "empty", "behind", "newer", "half"]

    def problem(self) -> str:
        """Say what is wrong and what to do, or nothing."""
        match self.state:
            case "current":
                return ""
            case "empty" | "behind":
                return (
                    f"The tables of {self.branch} are at revision {self.current or 'none'}, this "
                    f"version needs {self.head}. Run: callboard db upgrade"
                )
            case "newer":
                return (
                    f"The tables of {self.branch} are at revision {self.current}, which this "
                    "version does not know: the database was upgraded by a newer version. "
                    "Nothing was changed. Start the newer version, or restore a backup."
                )
            case "half":
                return (
                    f"An upgrade of the tables of {self.branch} did not finish. Nothing is lost. "
                    "Run: callboard db upgrade"
                )


def inspect_schema(database: Database, branches: Sequence[Branch]) -> list[SchemaState]:
    """Give the state of each branch; changes nothing."""
    with database.read() as connection:
        tables = set(inspect(connection).get_table_names())
        running = _running(connection) if MARKER in tables else set()
        return [_state(connection, branch, tables, running) for branch in branches]


def upgrade(database: Database, branches: Sequence[Branch]) -> list[SchemaState]:
    """Bring every branch to its newest revision and give the states from before.

    Each branch is one transaction, with a marker written before and removed with it: what is
    killed midway is seen as half done and done again. Raises `SettingsError` for a newer database.
    """
    before = inspect_schema(database, branches)
    for state in before:
        if state.state == "newer":
            raise SettingsError(state.problem())
    for branch, state in zip(branches, before, strict=True):
        if state.state != "current":
            _upgrade_branch(database, branch)
    return before


def _upgrade_branch(database: Database, branch: Branch) -> None:
    with database.write() as connection:
        connection.execute(text(f"CREATE TABLE IF NOT EXISTS {MARKER} (branch VARCHAR(64))"))
        connection.execute(text(f"DELETE FROM {MARKER} WHERE branch = :b"), {"b": branch.name})
        connection.execute(text(f"INSERT INTO {MARKER} VALUES (:b)"), {"b": branch.name})
    script = branch.script()

    def steps(revision: Any, _: MigrationContext) -> Any:
        return script._upgrade_revs("heads", revision)

    with database.write() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"version_table": branch.version_table, "fn": steps, "script": script},
        )
        with Operations.context(context):
            context.run_migrations()
        connection.execute(text(f"DELETE FROM {MARKER} WHERE branch = :b"), {"b": branch.name})


def _running(connection: Connection) -> set[str]:
    return set(connection.execute(text(f"SELECT branch FROM {MARKER}")).scalars())


def _state(
    connection: Connection, branch: Branch, tables: Iterable[str], running: set[str]
) -> SchemaState:
    script = branch.script()
    try:
        head = script.get_current_head()
    except RevisionError as error:
        raise SettingsError(
            f"The migrations of {branch.name} in {branch.directory} do not form one line: {error}"
        ) from error
    current = None
    if branch.version_table in tables:
        query = text(f"SELECT version_num FROM {branch.version_table}")
        current = connection.execute(query).scalar()
    return SchemaState(branch.name, current, head, _compare(script, branch, current, head, running))


def _compare(
    script: ScriptDirectory,
    branch: Branch,
    current: str | None,
    head: str | None,
    running: set[str],
) -> Literal["current", "empty", "behind", "newer", "half"]:
    if branch.name in running:
        return "half"
    if current == head:
        return "current"
    if current is None:
        return "empty"
    return "behind" if _knows(script, current) else "newer"


def _knows(script: ScriptDirectory, revision: str) -> bool:
    try:
        return script.get_revision(revision) is not None
    except (CommandError, RevisionError):
        return False
