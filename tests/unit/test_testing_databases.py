"""Databases for tests of folders that name different lines of migrations, in one process."""

from collections.abc import Sequence

import pytest
from sqlalchemy import create_engine, inspect

from callboard.database import Branch
from callboard.testing import PostgresServer


@pytest.mark.postgres
def test_a_server_gives_each_asker_its_own_tables(
    postgres_server: PostgresServer, schema_branches: Sequence[Branch]
) -> None:
    def tables(branches: Sequence[Branch]) -> set[str]:
        name = postgres_server.create(branches)
        engine = create_engine(postgres_server.url(name).replace("://", "+psycopg://"))
        try:
            return set(inspect(engine).get_table_names())
        finally:
            engine.dispose()
            postgres_server.drop(name)

    core = [branch for branch in schema_branches if branch.name == "core"]
    assert "catalog_location" not in tables(core)
    assert "catalog_location" in tables(schema_branches)
    assert "catalog_location" not in tables(core)
