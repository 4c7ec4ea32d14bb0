"""Lists of entities: what matches, a page of it, and what facets there are."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pyroaring import BitMap
from sqlalchemy import Connection, select, text

from callboard.entities import Entity, EntityRef
from callboard_catalog import models
from callboard_catalog.facets import FacetIndex
from callboard_catalog.paging import RowPage, page
from callboard_catalog.query import (
    COLUMNS,
    FACETS,
    SHARED,
    Facet,
    FacetValue,
    ListRequest,
    ListResult,
    Place,
)
from callboard_catalog.reading import entities_of
from callboard_catalog.search.index import ENTITY_TEXT, TextIndex
from callboard_catalog.search.words import Words

T = TypeVar("T")
ENTITY: Final = models.entity
MOST_VALUES: Final = 200
"""How many values of one facet are given at once."""


@dataclass(frozen=True, slots=True)
class Lists:
    """Lists from one state of the catalog. `cached` keeps answers for as long as it holds."""

    connection: Connection
    index: FacetIndex
    cached: Callable[[Any, Callable[[], Any]], Any]

    def page(self, request: ListRequest) -> ListResult:
        """Give one page; raises `InputError` for a request or cursor that cannot be."""
        matching = self.matching(request)
        found = page(self.connection, self.index, request, matching)
        columns = (*COLUMNS, ENTITY.c.updated_at, models.source.c.name.label("source"))
        joined = ENTITY.join(models.source, models.source.c.id == ENTITY.c.source_id)
        statement = select(*columns).select_from(joined).where(ENTITY.c.id.in_(found.ids))
        by_id = {row.id: row for row in self.connection.execute(statement)} if found.ids else {}
        rows = [by_id[number] for number in found.ids if number in by_id]
        entities = entities_of(self.connection, rows, declared=True)
        return ListResult(
            entities,
            len(matching),
            found.next_cursor,
            found.previous_cursor,
            found.first,
            {
                entity.ref: Place(row.source, row.updated_at)
                for entity, row in zip(entities, rows, strict=True)
            },
            self._titles(entities),
            self._groups(request.sort, matching, entities, found) if rows else {},
        )

    def _titles(self, entities: Sequence[Entity]) -> dict[EntityRef, str]:
        refs = {
            ref for entity in entities for kind in ("ownedBy", "partOf")
            for ref in entity.related(kind)
        }  # fmt: skip
        titles = self.index.titles
        return {ref: titles[str(ref)] for ref in refs if str(ref) in titles}

    def _groups(
        self, sort: str, matching: BitMap, entities: Sequence[Entity], found: RowPage
    ) -> dict[EntityRef, FacetValue]:
        if sort not in SHARED or len(entities) != len(found.ids):
            return {}
        values = self.index.values[sort]
        groups = {
            value: FacetValue(
                value,
                self.index.label(sort, value),
                values[value].intersection_cardinality(matching),
                False,
            )
            for value in set(found.values)
        }
        return {
            entity.ref: groups[value] for entity, value in zip(entities, found.values, strict=True)
        }

    def matching(self, request: ListRequest) -> BitMap:
        """Give the numbers of the rows that match."""
        request.check()
        return self._within(request, self.index.filters(request).values())

    def _within(self, request: ListRequest, filters: Collection[BitMap]) -> BitMap:
        """Intersect with what is no facet: the text, whose it is, which ones."""
        parts = [self.index.everything, *filters]
        if request.text.strip():
            parts.append(self.cached(("text", request.text), lambda: self._text(request.text)))
        if request.owned_by is not None:
            parts.append(self.index.owned_by(request.owned_by))
        if request.refs is not None:
            parts.append(self._refs(request.refs))
        return BitMap.intersection(*sorted(parts, key=len))

    def _text(self, query: str) -> BitMap:
        words = Words.of_query(query)
        if not words:
            return BitMap()
        dialect = self.connection.dialect.name
        statement = text(f"SELECT rowid FROM entity_text WHERE {ENTITY_TEXT.condition(dialect)}")
        bound = statement.bindparams(words=TextIndex.query(dialect, words))
        return BitMap(self.connection.scalars(bound))

    def _refs(self, refs: Sequence[str]) -> BitMap:
        if not refs:
            return BitMap()
        return BitMap(self.connection.scalars(select(ENTITY.c.id).where(ENTITY.c.ref.in_(refs))))

    # Facets

    def facets(
        self, request: ListRequest, *, most: int, more: str = "", find: str = ""
    ) -> Mapping[str, Facet]:
        """Count every facet, each under all filters but its own."""
        request.check()
        key = ("facets", request.filters(), most, more, find)
        counted: Mapping[str, Facet] = self.cached(
            key, lambda: self._count(request, most, more, find)
        )
        return counted

    def _count(self, request: ListRequest, most: int, more: str, find: str) -> dict[str, Facet]:
        filters = self.index.filters(request)
        common = self._within(request, ())
        kinds = filters.get("kind", self.index.everything)
        counted = {}
        for name in FACETS:
            others = [rows for facet, rows in filters.items() if facet != name]
            counted[name] = self.index.facet(
                name,
                BitMap.intersection(common, *others),
                self.index.everything if name == "kind" else kinds,
                request.chosen(name),
                most=MOST_VALUES if name in (more, "kind") else most,
                find=find if name == more else "",
            )
        return counted

    def values(self, request: ListRequest, name: str, find: str = "") -> list[FacetValue]:
        """Give all values of one facet under the other filters."""
        request.check()
        filters = self.index.filters(request)
        filters.pop(name, None)
        return self.index.found(name, self._within(request, filters.values()), find)

    def source_counts(self, request: ListRequest) -> Mapping[str, int]:
        """Give the sources of what matches."""
        matching = self.matching(request)
        return {
            name: count
            for name, rows in sorted(self.index.values["source"].items())
            if (count := rows.intersection_cardinality(matching))
        }
