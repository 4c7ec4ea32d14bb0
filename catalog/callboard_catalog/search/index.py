"""The two text indexes: FTS5 on SQLite, `tsvector` with GIN on PostgreSQL."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, text

from callboard_catalog.search.words import Words

Within = Literal["title", "facts", "all"]
"""Where words must stand: in what a thing is called; there or in what it is; or anywhere."""

_COLUMNS: Final = {"title": "{title} : ", "facts": "{title facts} : "}
_SIGNS: Final = {"title": "=", "facts": "~", "all": ""}
"""On PostgreSQL a word is indexed once more, with a sign before it, for where it stands: weights
are not in a GIN index, and to read them each row that matches is fetched."""


@dataclass(frozen=True, slots=True)
class TextRow:
    """The words of one document in three weights: what it is called, what it is, what it says."""

    id: int
    title: Sequence[str]
    facts: Sequence[str]
    body: Sequence[str]


@dataclass(frozen=True, slots=True)
class TextIndex:
    """One index; its rows have the ids of the rows they stand for in another table.

    The tokenizer `ascii` of SQLite divides at spaces only, as words here have no punctuation: what
    is one word for `words_of` is one for both databases.
    """

    name: str

    def statements(self, dialect: str) -> Iterator[str]:
        """Give the DDL, for migrations."""
        if dialect == "sqlite":
            yield (
                f"CREATE VIRTUAL TABLE {self.name} USING fts5("
                "title, facts, body, tokenize='ascii', detail=column)"
            )
            return
        yield f"CREATE TABLE {self.name} (rowid BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)"
        yield f"CREATE INDEX ix_{self.name}_words ON {self.name} USING GIN (words)"

    def insert(self, connection: Connection, rows: Sequence[TextRow]) -> None:
        """Add rows; their ids must not be there yet."""
        if not rows:
            return
        if connection.dialect.name == "sqlite":
            values = [
                (row.id, " ".join(row.title), " ".join(row.facts), " ".join(row.body))
                for row in rows
            ]
            connection.exec_driver_sql(
                f"INSERT INTO {self.name} (rowid, title, facts, body) VALUES (?, ?, ?, ?)", values
            )
            return
        driver: Any = connection.connection.driver_connection
        with (
            driver.cursor() as cursor,
            cursor.copy(f"COPY {self.name} (rowid, words) FROM STDIN") as copy,
        ):
            for row in rows:
                copy.write_row((row.id, _vector(row)))

    def delete(self, connection: Connection, ids: Iterable[int]) -> None:
        """Remove rows; ids that are not there are ignored."""
        values = [{"id": item} for item in ids]
        if values:
            connection.execute(text(f"DELETE FROM {self.name} WHERE rowid = :id"), values)

    def condition(self, dialect: str, parameter: str = "words") -> str:
        """Give the SQL condition that a row matches the bound query."""
        if dialect == "sqlite":
            return f"{self.name} MATCH :{parameter}"
        return f"{self.name}.words @@ CAST(:{parameter} AS tsquery)"

    @staticmethod
    def query(dialect: str, words: Words, within: Within = "all") -> str:
        """Write a query in the language of the database. Words have letters and digits only."""
        if dialect == "sqlite":
            terms = [f'"{word}"' for word in words.whole]
            written = " AND ".join(terms + [f'"{word}"*' for word in words.prefixes])
            return f"{_COLUMNS[within]}({written})" if within != "all" else written
        sign = _SIGNS[within]
        terms = [f"'{sign}{word}'" for word in words.whole]
        return " & ".join(terms + [f"'{sign}{word}':*" for word in words.prefixes])


def _vector(row: TextRow) -> str:
    called = dict.fromkeys(row.title)
    known = called | dict.fromkeys(row.facts)
    terms = [*(known | dict.fromkeys(row.body))]
    terms += [f"{_SIGNS['title']}{word}" for word in called]
    terms += [f"{_SIGNS['facts']}{word}" for word in known]
    return " ".join(f"'{term}'" for term in terms)


ENTITY_TEXT: Final = TextIndex("entity_text")
DOCUMENT_TEXT: Final = TextIndex("search_document_text")
