"""What is measured with: generated catalogs, configurations, and a look into the database."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy
import yaml
from processes import BenchError

PATHS = ["repos/**/*.yaml", "org/*.yaml"]
GIT_IDENTITY = ("-c", "user.name=Bench", "-c", "user.email=bench@callboard.invalid")

# One row of `relation` is a relation in both directions.
PAIRS = """SELECT count(*) FROM (
    SELECT source_ref, type, target_ref FROM relation
    UNION SELECT target_ref, reverse, source_ref FROM relation) AS pairs"""


@dataclass(frozen=True)
class Generated:
    """A catalog on disk and what is known of it."""

    directory: Path
    manifest: dict[str, Any]

    @property
    def entities(self) -> int:
        return int(self.manifest["entities"])

    @property
    def relations(self) -> int:
        return int(self.manifest["relations_total"])

    @property
    def component(self) -> str:
        return str(self.manifest["sample_components"][0])


def generate(generator: Path, directory: Path, entities: int) -> Generated:
    """Let the generator write a catalog; the same number always gives the same files."""
    subprocess.run(
        [sys.executable, generator, directory, "--entities", str(entities)],
        check=True, capture_output=True, timeout=600,
    )  # fmt: skip
    return Generated(directory, json.loads((directory / "manifest.json").read_bytes()))


def git(directory: Path, *arguments: str) -> None:
    command = ["git", "-C", str(directory), *GIT_IDENTITY, *arguments]
    subprocess.run(command, check=True, capture_output=True, timeout=600)


def as_repository(catalog: Generated) -> None:
    """Commit the catalog to a Git repository in its own folder."""
    git(catalog.directory, "init", "--quiet", "--initial-branch=main")
    git(catalog.directory, "add", "--all")
    git(catalog.directory, "commit", "--quiet", "--message=Add the catalog")


def configure(
    directory: Path, *, database: str, port: int, catalog: Generated | None, kind: str = "folder"
) -> Path:
    """Write a `callboard.yaml` with one source, read when the portal starts and then hourly."""
    sources = []
    if catalog:
        place = {"path": str(catalog.directory)}
        if kind == "git":
            place = {"url": catalog.directory.as_uri()}
        sources = [{"name": "generated", "type": kind, "paths": PATHS, "schedule": "1h", **place}]
    settings: dict[str, Any] = {
        "access": {"anonymous": "administrator"},
        "portal": {"listen": f"127.0.0.1:{port}"},
        "database": {"url": database},
        "jobs": {"queue_file": str(directory / "queue.sqlite3")},
        "git": {
            "directory": str(directory / "git"),
            "allow_local": [str(catalog.directory)] if catalog else [],
        },
        "catalog": {"sources": sources},
    }
    if catalog:
        # The catalog names repositories on hosts that plugins would ask, and nobody must be.
        settings["plugins"] = {"enable": []}
    path = directory / "callboard.yaml"
    path.write_text(yaml.safe_dump(settings), "utf-8")
    return path


class Observer:
    """A second pair of eyes on the database of the portal; it only reads."""

    def __init__(self, connection: sqlalchemy.Connection) -> None:
        self._connection = connection
        self._is_sqlite = connection.dialect.name == "sqlite"

    @property
    def driver(self) -> Any:
        """The driver's own connection."""
        return self._connection.connection.driver_connection

    def count(self, statement: str) -> int:
        return int(self._connection.execute(sqlalchemy.text(statement)).scalar_one())

    def entities(self) -> int:
        """Count what is served; 0 while there are no tables yet."""
        if not sqlalchemy.inspect(self._connection).has_table("entity"):
            return 0
        return self.count("SELECT count(*) FROM entity")

    def check(self, catalog: Generated) -> None:
        """Raise `BenchError` unless all entities and relations are there, both ways."""
        found = (self.entities(), self.count(PAIRS))
        if found != (catalog.entities, catalog.relations):
            raise BenchError(
                f"Expected {catalog.entities} entities with {catalog.relations} relations, "
                f"found {found[0]} with {found[1]}."
            )

    def writes(self) -> int:
        """Give a number that grows when others write.

        On PostgreSQL it counts rows of all tables; on SQLite it only differs after any commit
        that changed the file.
        """
        if self._is_sqlite:
            return self.count("PRAGMA data_version")
        return self.count(
            "SELECT coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) FROM pg_stat_user_tables"
        )


@contextmanager
def observing(url: str) -> Iterator[Observer]:
    """Open the database for reading, outside of any transaction."""
    engine = sqlalchemy.create_engine(
        url.replace("postgresql://", "postgresql+psycopg://"), isolation_level="AUTOCOMMIT"
    )
    try:
        with engine.connect() as connection:
            yield Observer(connection)
    finally:
        engine.dispose()
