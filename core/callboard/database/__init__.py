"""The database: SQLite (WAL) embedded, PostgreSQL in production."""

from callboard.database.engine import Database
from callboard.database.signals import touch
from callboard.database.types import Json, TranslatedText, UtcDateTime, metadata
from callboard.database.upgrade import Branch, SchemaState, inspect_schema, upgrade

__all__ = [
    "Branch",
    "Database",
    "Json",
    "SchemaState",
    "TranslatedText",
    "UtcDateTime",
    "inspect_schema",
    "metadata",
    "touch",
    "upgrade",
]
