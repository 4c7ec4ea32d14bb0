"""No constraint ties the rows of fields and relations to their entity: they leave with it."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import inspect, text

from callboard.database import Branch, Database, upgrade
from callboard.testing import PostgresServer
from callboard_catalog.testing import CatalogSite, descriptor

TABLES = {"entity_field": "entity_id", "relation": "origin_id"}


def left_over(database: Database) -> dict[str, tuple[int, int]]:
    """Give how many rows there are of each table, and how many of them have no entity."""
    found = {}
    with database.read() as connection:
        for table, column in TABLES.items():
            statement = (
                f"SELECT count(*), count(*) FILTER (WHERE {column} NOT IN (SELECT id FROM entity)) "
                f"FROM {table}"
            )
            rows, left = connection.execute(text(statement)).one()
            found[table] = (rows, left)
    return found


def test_rows_leave_with_their_entity(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "main"
    folder.mkdir()
    source = {"name": "main", "type": "folder", "path": "main", "paths": ["*.yaml"]}
    site = CatalogSite(database, tmp_path, sources=[source])
    for name in ("a", "b"):
        (folder / f"{name}.yaml").write_text(descriptor(name, tags=["red"]))
    site.read()
    before = left_over(database)
    assert all(rows > 0 and left == 0 for rows, left in before.values())
    (folder / "b.yaml").unlink()
    site.read()
    assert left_over(database) == {table: (rows // 2, 0) for table, (rows, _) in before.items()}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Give a database without any table."""
    if request.param == "sqlite":
        made = Database(f"sqlite:///{tmp_path / 'empty.sqlite3'}")
    else:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        made = Database(server.url(server.create_empty()))
    yield made
    made.close()


def test_an_upgrade_keeps_rows_and_indexes(
    empty_database: Database, schema_branches: Sequence[Branch], tmp_path: Path
) -> None:
    before = tmp_path / "before"
    [catalog] = [branch for branch in schema_branches if branch.name == "catalog"]
    shutil.copytree(catalog.directory, before, ignore=lambda _, names: later("0008", names))
    core = [branch for branch in schema_branches if branch.name == "core"]
    upgrade(empty_database, [*core, Branch("catalog", before)])
    with empty_database.write() as connection:
        for statement in ROWS:
            connection.execute(text(statement))
    upgrade(empty_database, [*core, catalog])
    with empty_database.read() as connection:
        found = inspect(connection)
        for table in TABLES:
            assert found.get_foreign_keys(table) == []
        indexes = {index["name"] for table in TABLES for index in found.get_indexes(table)}
        fields = connection.execute(text("SELECT * FROM entity_field")).all()
        relations = connection.execute(text("SELECT * FROM relation")).all()
    assert indexes == {
        "ix_entity_field_key_value", "ix_entity_field_entity", "ix_relation_origin",
        "ix_relation_source", "ix_relation_target", "ix_relation_type",
    }  # fmt: skip
    assert [tuple(row) for row in fields] == [(1, "red", 7, "Red"), (1, "blue", 7, None)]
    assert [tuple(row) for row in relations] == [
        (7, "component:default/a", "ownedBy", "group:default/b", "ownerOf")
    ]


def later(first: str, names: Sequence[str]) -> list[str]:
    return [name for name in names if name[:4].isdigit() and name[:4] >= first]


ROWS = (
    (
        "INSERT INTO source (id, name, type, title, address, every, active, fingerprint, head, "
        "error, hint) VALUES (1, 's', 'folder', '\"s\"', '', 1, true, '', '', '\"\"', '\"\"')"
    ),
    "INSERT INTO source_file (id, source_id, path, blob, remote) VALUES (1, 1, 'a', '', false)",
    (
        "INSERT INTO entity (id, ref, uid, kind, name, title, type, lifecycle, owner, system, "
        "domain, document, hash, source_id, file_id, position, line, created_at, updated_at) "
        "VALUES (7, 'component:default/a', 'u', 'component', 'a', 'a', '', '', '', '', '', 'x', "
        "'', 1, 1, 0, 1, '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
    ),
    "INSERT INTO field_key (id, name, form) VALUES (1, 'metadata.tags', 1)",
    (
        "INSERT INTO entity_field (key_id, value, entity_id, written) "
        "VALUES (1, 'red', 7, 'Red'), (1, 'blue', 7, NULL)"
    ),
    (
        "INSERT INTO relation (origin_id, source_ref, type, target_ref, reverse) "
        "VALUES (7, 'component:default/a', 'ownedBy', 'group:default/b', 'ownerOf')"
    ),
)
