"""Column types that behave the same on SQLite and PostgreSQL."""

from datetime import UTC, datetime
from typing import Any, Final

import orjson
from sqlalchemy import DateTime, Dialect, MetaData, Text, TypeDecorator

from callboard import i18n

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""The tables of core, catalog and web. A plugin has a `MetaData` of its own."""


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC; SQLite, which knows no zones, is given and gives UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("A datetime without a zone was given to the database.")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """A JSON value kept as text, so that both databases give back what was written."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else orjson.dumps(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else orjson.loads(value)


class TranslatedText(TypeDecorator[i18n.Text]):
    """A text for people, kept so that it is shown in the language of each who reads it.

    Bounded, see `callboard.i18n.storable`. What was not written so is read as plain text.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: i18n.Text | None, dialect: Dialect) -> str | None:
        return None if value is None else write_text(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> i18n.Text | None:
        return None if value is None else read_text(value)


def write_text(text: i18n.Text) -> str:
    """Give the JSON a text is kept as."""
    return orjson.dumps(i18n.to_data(i18n.storable(text))).decode()


def read_text(written: str) -> i18n.Text:
    """Give the text that was kept; what `write_text` has not written is the text itself."""
    try:
        return i18n.from_data(orjson.loads(written))
    except ValueError:
        return written
