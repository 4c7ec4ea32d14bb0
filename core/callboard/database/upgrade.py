"""Schema upgrades: Alembic, one line of revisions (a branch) for the host and for each plugin.

Each branch keeps its revision in a version table of its own, so that a plugin which is removed or
disabled leaves its tables and its place behind, unharmed, and finds them when it comes back.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from sqlalchemy import Connection, inspect, text

from callboard.database.engine import Database
from callboard.errors import CallboardError, SettingsError

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

MIGRATIONS: Final = Path(__file__).parent.parent / "migrations"
MARKER: Final = "callboard_upgrade"
UPGRADE_LOCK: Final = 0x63616C6C  # of PostgreSQL's advisory locks: any number, always the same

_NAMED: Final = re.compile(
    r"""^(down_)?revision\b[^=\n]*= *(?:(None)|"([^"\\\n]+)"|'([^'\\\n]+)')[ \t]*$""", re.MULTILINE
)
_JOINED: Final = re.compile(r"^(?:branch_labels|depends_on)\b(?!.*= *None[ \t]*$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Branch:
    """A line of schema revisions: whose it is and the directory of its Alembic version files."""

    name: str
    directory: Path

    @property
    def version_table(self) -> str:
        return f"alembic_version_{self.name}"

    def newest(self) -> str | None:
        """Give the newest revision as the files say it, or None where only Alembic can tell.

        Every start asks for it: Alembic would be loaded with all its dialects, and every file run.
        """
        before: dict[str, str | None] = {}
        for path in self.directory.glob("*.py"):
            content = path.read_text("utf-8", "replace")
            found = _NAMED.findall(content)
            named = {down: first or second for down, _, first, second in found}
            revision = named.get("", "")
            if len(found) != 2 or "down_" not in named or _JOINED.search(content):
                return None
            if not revision or revision in before:
                return None
            before[revision] = named["down_"] or None
        heads = before.keys() - set(before.values())
        newest = next(iter(heads)) if len(heads) == 1 else None
        line = newest
        while line in before:
            line = before.pop(line)
        return newest if line is None and not before else None

    def script(self) -> "ScriptDirectory":
        """Give the revisions. Raises `SettingsError` where they do not form one line."""
        from alembic.script import ScriptDirectory

        script = ScriptDirectory(str(MIGRATIONS), version_locations=[str(self.directory)])
        try:
            if not self.directory.is_dir():
                raise FileNotFoundError("there is no such folder")
            script.get_current_head()
        except Exception as error:
            # A version file may raise anything when it is imported.
            raise SettingsError(
                f"The migrations of {self.name} in {self.directory} cannot be used: {error}",
                hint=_what_to_do(self.name),
            ) from error
        return script


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
    killed midway is seen as half done and done again. A branch whose migration fails stays as it
    was and hinders no other. Raises `SettingsError` for it, or at once for a newer database.
    """
    before = inspect_schema(database, branches)
    newer = [state.problem() for state in before if state.state == "newer"]
    if newer:
        raise SettingsError("\n".join(newer))
    failed: list[SettingsError] = []
    for branch, state in zip(branches, before, strict=True):
        if state.state != "current":
            try:
                _upgrade_branch(database, branch)
            except SettingsError as error:
                failed.append(error)
    if failed:
        raise SettingsError(
            "\n".join(str(error.message) for error in failed), hint=failed[0].hint
        ) from failed[0]
    return before


def _upgrade_branch(database: Database, branch: Branch) -> None:
    script = branch.script()
    with database.write() as connection:
        _wait_for_others(connection)
        connection.execute(text(f"CREATE TABLE IF NOT EXISTS {MARKER} (branch VARCHAR(64))"))
        _set_marker(connection, branch, running=True)
    try:
        with database.write(schema=True) as connection:
            _wait_for_others(connection)
            _run_migrations(connection, branch, script)
            _set_marker(connection, branch, running=False)
    except Exception as error:
        with database.write() as connection:
            _set_marker(connection, branch, running=False)
        if isinstance(error, CallboardError):
            raise
        raise SettingsError(
            f"A migration of the tables of {branch.name} failed and was undone: "
            f"{type(error).__name__}: {error}",
            hint=_what_to_do(branch.name),
        ) from error


def _run_migrations(connection: Connection, branch: Branch, script: "ScriptDirectory") -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations

    def steps(revision: Any, _: MigrationContext) -> Any:
        return script._upgrade_revs("heads", revision)

    context = MigrationContext.configure(
        connection,
        opts={"version_table": branch.version_table, "fn": steps, "script": script},
    )
    with Operations.context(context):
        context.run_migrations()
    if connection.dialect.name == "sqlite":
        broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if broken is not None:
            raise ValueError(f"rows of {broken[0]} refer to rows of {broken[2]} that are not there")


def _wait_for_others(connection: Connection) -> None:
    """Let upgrades come one after the other. On SQLite every transaction that writes does."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADE_LOCK})


def _set_marker(connection: Connection, branch: Branch, *, running: bool) -> None:
    connection.execute(text(f"DELETE FROM {MARKER} WHERE branch = :b"), {"b": branch.name})
    if running:
        connection.execute(text(f"INSERT INTO {MARKER} VALUES (:b)"), {"b": branch.name})


def _what_to_do(branch: str) -> str:
    return f"Correct or update {branch}, or list it under plugins.disable to start without it."


def _running(connection: Connection) -> set[str]:
    return set(connection.execute(text(f"SELECT branch FROM {MARKER}")).scalars())


def _state(
    connection: Connection, branch: Branch, tables: Iterable[str], running: set[str]
) -> SchemaState:
    current = None
    if branch.version_table in tables:
        query = text(f"SELECT version_num FROM {branch.version_table}")
        current = connection.execute(query).scalar()
    if current is not None and current == branch.newest() and branch.name not in running:
        return SchemaState(branch.name, current, current, "current")
    script = branch.script()
    head = script.get_current_head()
    return SchemaState(branch.name, current, head, _compare(script, branch, current, head, running))


def _compare(
    script: "ScriptDirectory",
    branch: Branch,
    current: str | None,
    head: str | None,
    running: set[str],
) -> Literal["current", "empty", "behind", "newer", "half"]:
    if current is not None and not _knows(script, current):
        return "newer"
    if branch.name in running:
        return "half"
    if current == head:
        return "current"
    return "empty" if current is None else "behind"


def _knows(script: "ScriptDirectory", revision: str) -> bool:
    from alembic.script.revision import RevisionError
    from alembic.util import CommandError

    try:
        return script.get_revision(revision) is not None
    except (CommandError, RevisionError):
        return False
