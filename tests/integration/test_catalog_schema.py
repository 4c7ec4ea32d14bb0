"""The migrations make the tables that the code describes."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

import callboard_catalog.models  # noqa: F401 - imported for their tables, as the one above
from callboard.database import Database, metadata
from callboard_catalog.search import DOCUMENT_TEXT, ENTITY_TEXT
from callboard_catalog.search.index import TextIndex

INDEXES = (ENTITY_TEXT.name, DOCUMENT_TEXT.name)


@pytest.mark.filterwarnings("ignore:.*expression-based index")  # which SQLite does not tell of
def test_migrations_and_metadata_agree(database: Database) -> None:
    ours = metadata.tables

    def is_ours(name: str | None, kind: str, parents: object) -> bool:
        return kind != "table" or name in ours

    with database.read() as connection:
        options = {"compare_type": True, "include_name": is_ours}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        missing = ours.keys() - set(inspect(connection).get_table_names())
    assert missing == set()


def test_the_text_indexes_are_those_of_the_code(database: Database) -> None:
    def definition(index: TextIndex) -> str:
        with database.read() as connection:
            if database.dialect == "sqlite":
                query = f"SELECT sql FROM sqlite_master WHERE name = '{index.name}'"
                return str(connection.exec_driver_sql(query).scalar())
            query = (
                "SELECT string_agg(column_name || ' ' || data_type || ' ' || is_nullable, ', ' "
                f"ORDER BY ordinal_position) FROM information_schema.columns "
                f"WHERE table_name = '{index.name}'"
            )
            columns = connection.exec_driver_sql(query).scalar()
            query = f"SELECT indexdef FROM pg_indexes WHERE tablename = '{index.name}' ORDER BY 1"
            indexes = connection.exec_driver_sql(query).scalars().all()
            return f"{columns} {indexes}".replace(index.name, "NAME")

    for name in INDEXES:
        with database.write() as connection:
            copy = TextIndex(f"copied_{name}")
            for statement in copy.statements(database.dialect):
                connection.exec_driver_sql(statement)
        made, copied = definition(TextIndex(name)), definition(copy)
        assert made.replace(name, "NAME") == copied.replace(f"copied_{name}", "NAME")
