"""Asking the tables for what matches: the likeliest first, and never more than can be ranked."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pyroaring import BitMap
from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    LargeBinary,
    Select,
    TableClause,
    Text,
    TextClause,
    and_,
    cast,
    column,
    func,
    or_,
    select,
    table,
    text,
)

from callboard.entities import EntityRef
from callboard_catalog import models
from callboard_catalog.paging import first_rows
from callboard_catalog.rest.columns import numbers_of
from callboard_catalog.search.filters import Narrowing
from callboard_catalog.search.index import DOCUMENT_TEXT, ENTITY_TEXT, TextIndex, Within
from callboard_catalog.search.ranking import Found
from callboard_catalog.search.words import Words
from callboard_catalog.sight import Sight
from callboard_catalog.store.bulk import one_of

Condition = ColumnElement[bool] | TextClause
Sort = Literal["relevance", "name", "changed"]

ENTITY: Final = models.entity
DOCUMENT: Final = models.search_document
_ENTITY_TEXT: Final = table(ENTITY_TEXT.name, column("rowid"))
_DOCUMENT_TEXT: Final = table(DOCUMENT_TEXT.name, column("rowid"))
_COLUMNS: Final = (
    ENTITY.c.id, ENTITY.c.ref, ENTITY.c.kind, ENTITY.c.name, ENTITY.c.title, ENTITY.c.type,
    ENTITY.c.lifecycle, ENTITY.c.owner, ENTITY.c.updated_at,
)  # fmt: skip
_WITHIN: Final[tuple[Within, ...]] = ("title", "facts", "all")
_NAME: Final = re.compile(r"[a-z0-9._-]+")
_NAMED: Final = 40
_LAST: Final = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of the tables: words, phrases, filters, an order, and how many at most.

    `words_of_documents` has fewer that are only begun, as texts have so many more words. Only what
    `sight` sees is given, and documents about it or about nothing; None sees everything.
    """

    words: Words
    words_of_documents: Words
    asked: str
    phrases: tuple[str, ...]
    narrowing: Narrowing
    sort: Sort
    most: int
    sight: Sight | None = None

    @property
    def is_narrow(self) -> bool:
        """Whether so little is seen that few are left of whatever matches."""
        return self.sight is not None and self.sight.is_narrow


def candidates(connection: Connection, wanted: Wanted) -> tuple[list[Found], bool]:
    """Give what matches, at most `most` of entities and of documents; and whether there is more.

    Of more than can be given, those that have the words in their names come first.
    """
    entities: list[Found] = []
    documents: list[Found] = []
    more = more_documents = False
    if wanted.narrowing.entities:
        entities, more = _entities(connection, wanted)
    if wanted.narrowing.wanted != frozenset() and (
        wanted.words or wanted.narrowing.wanted is not None
    ):
        documents, more_documents = _documents(connection, wanted)
    return [*entities, *documents], more or more_documents


def _entities(connection: Connection, wanted: Wanted) -> tuple[list[Found], bool]:
    conditions = [*wanted.narrowing.entity, *wanted.narrowing.kinds]
    phrases: list[Condition] = [_entity_says(connection, phrase) for phrase in wanted.phrases]
    if wanted.sight is not None:
        phrases.append(wanted.sight.condition(connection))
    narrowed = bool(conditions) or wanted.is_narrow
    asking = _Asking(
        connection, wanted, wanted.words, ENTITY_TEXT, _ENTITY_TEXT, ENTITY, ENTITY, _COLUMNS,
        [*conditions, *phrases], narrowed,
    )  # fmt: skip
    found, more = asking.rows()
    if wanted.sort == "relevance" and _NAME.fullmatch(wanted.asked) and not wanted.phrases:
        for row in asking.named():
            found.setdefault(row.id, (row, "title"))
    if narrowed:
        # What is narrowed is asked for in one step, so it is weighed here.
        found = {
            row.id: (row, "title" if wanted.words.are_in(row.name, row.title) else within)
            for row, within in found.values()
        }
    return [_entity(row, within) for row, within in found.values()], more


def _documents(connection: Connection, wanted: Wanted) -> tuple[list[Found], bool]:
    conditions = wanted.narrowing.documents()
    columns = (
        DOCUMENT.c.id, DOCUMENT.c.source, DOCUMENT.c.title, DOCUMENT.c.path, DOCUMENT.c.ref,
        ENTITY.c.id.label("entity_id"), ENTITY.c.title.label("about"), ENTITY.c.type,
        ENTITY.c.lifecycle, ENTITY.c.owner,
    )  # fmt: skip
    phrases = [
        or_(_has(DOCUMENT.c.title, phrase), _has(DOCUMENT.c.text, phrase))
        for phrase in wanted.phrases
    ]
    if wanted.sight is not None:
        seen = and_(ENTITY.c.id.is_not(None), wanted.sight.condition(connection))
        phrases.append(or_(DOCUMENT.c.ref == "", seen))
    joined = DOCUMENT.outerjoin(ENTITY, ENTITY.c.ref == DOCUMENT.c.ref)
    asking = _Asking(
        connection, wanted, wanted.words_of_documents, DOCUMENT_TEXT, _DOCUMENT_TEXT, DOCUMENT,
        joined, columns,
        [*conditions, *phrases], bool(conditions), ("title", "all"),
    )  # fmt: skip
    found, more = asking.rows()
    return [_document(row, within) for row, within in found.values()], more


@dataclass(frozen=True, slots=True)
class _Asking:
    """One index with the table its rows stand for.

    `narrowed`: few rows may be left of many. `steps` are where words are looked for, in turn.
    """

    connection: Connection
    wanted: Wanted
    words: Words
    index: TextIndex
    indexed: TableClause
    rows_of: Any
    joined: FromClause
    columns: Sequence[ColumnElement[Any]]
    conditions: Sequence[Condition]
    narrowed: bool
    steps: Sequence[Within] = _WITHIN

    def rows(self) -> tuple[dict[int, tuple[Any, Within]], bool]:
        most = self.wanted.most
        found: dict[int, tuple[Any, Within]] = {}
        if not self.words:
            rows = self._without_words(most + 1)
            return {row.id: (row, "all") for row in rows[:most]}, len(rows) > most
        # Few are left of what is narrowed, and sorting needs no weighing.
        weighs = self.wanted.sort == "relevance" and not self.narrowed
        steps = self.steps if weighs else _WITHIN[-1:]
        for within in steps:
            for row in self.connection.execute(self._matching(within).limit(most + 1)).all():
                found.setdefault(row.id, (row, within))
            if len(found) > most:
                return found, True
        return found, False

    def _without_words(self, most: int) -> Sequence[Any]:
        """Give the first rows of the order, without sorting all that are left."""
        plain = select(*self.columns).select_from(self.joined)
        # PostgreSQL sees by itself that it is quicker along the index that has the order.
        if self.rows_of is ENTITY and self.connection.dialect.name == "sqlite":
            named = select(ENTITY.c.id).where(*self.conditions)
            numbers = numbers_of(self.connection, named)
            first = self._first(numbers, most) if len(numbers) > most else numbers
            plain = plain.where(one_of(self.connection, ENTITY.c.id, first))
        else:
            plain = plain.where(*self.conditions)
        return self.connection.execute(self._sorted(plain).limit(most)).all()

    def _first(self, numbers: BitMap, most: int) -> Sequence[int]:
        """Give the first of many rows along the index that has the order."""
        sort = {"changed": "updated", "relevance": "name", "name": "title"}[self.wanted.sort]
        return first_rows(self.connection, sort, numbers, most, downward=sort == "updated")

    def _matching(self, within: Within) -> Select[Any]:
        dialect = self.connection.dialect.name
        matches = text(self.index.condition(dialect)).bindparams(
            words=self.index.query(dialect, self.words, within)
        )
        if self.narrowed:
            # The other conditions may be the better way to begin.
            inside = select(self.indexed.c.rowid).where(matches)
            statement = (
                select(*self.columns)
                .select_from(self.joined)
                .where(self.rows_of.c.id.in_(inside), *self.conditions)
            )
        else:
            both = self.indexed.join(self.joined, self.rows_of.c.id == self.indexed.c.rowid)
            statement = select(*self.columns).select_from(both).where(matches, *self.conditions)
        return self._sorted(statement) if self.wanted.sort != "relevance" else statement

    def _sorted(self, statement: Select[Any]) -> Select[Any]:
        title, number = self.rows_of.c.title, self.rows_of.c.id
        if self.wanted.sort == "changed" and "updated_at" in self.rows_of.c:
            return statement.order_by(self.rows_of.c.updated_at.desc(), number)
        if self.wanted.sort == "relevance" and "name" in self.rows_of.c:
            return statement.order_by(self.rows_of.c.name, number)
        order = models.title_order if self.rows_of is ENTITY else func.lower(title)
        return statement.order_by(order, number)

    def named(self) -> Sequence[Any]:
        """Give those whose name begins with what is asked, which are too many to rank them all."""
        asked, name = self.wanted.asked, self.rows_of.c.name
        begins = and_(name >= asked, name < asked + _LAST)
        statement = select(*self.columns).where(begins, *self.conditions)
        return self.connection.execute(statement.order_by(name).limit(_NAMED)).all()


def by_reference(connection: Connection, ref: EntityRef, sight: Sight | None) -> Found | None:
    """Give the entity of a reference that was typed."""
    row = connection.execute(select(*_COLUMNS).where(ENTITY.c.ref == str(ref))).one_or_none()
    if row is None or (sight is not None and row.id not in sight.rows):
        return None
    return _entity(row, "title")


def _has(value: ColumnElement[Any], phrase: str) -> ColumnElement[bool]:
    return func.lower(value).contains(phrase.lower(), autoescape=True)


def _entity_says(connection: Connection, phrase: str) -> ColumnElement[bool]:
    """Give the condition that an entity's document has a phrase, looked for in what it says."""
    if connection.dialect.name == "sqlite":
        document: ColumnElement[Any] = cast(ENTITY.c.document, Text)
    else:
        document = func.convert_from(cast(ENTITY.c.document, LargeBinary), "UTF8")
    # The document is JSON, in which a quotation mark has a backslash; a phrase has none.
    return or_(_has(ENTITY.c.title, phrase), _has(ENTITY.c.name, phrase), _has(document, phrase))


def _entity(row: Any, within: Within) -> Found:
    return Found(
        row.id, False, row.kind, row.name, row.title, "", row.ref,
        within, row.id, "", row.type, row.lifecycle, row.owner, row.updated_at,
    )  # fmt: skip


def _document(row: Any, within: Within) -> Found:
    return Found(
        row.id, True, row.source, "", row.title, row.path, row.ref, within, row.entity_id,
        row.about or "", row.type or "", row.lifecycle or "", row.owner or "",
    )  # fmt: skip
