"""Operators as conditions on the tables."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, and_, func, literal, not_, or_, select, text
from sqlalchemy.sql.elements import ColumnElement

from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard_catalog import models
from callboard_catalog.search.operators import Filter
from callboard_catalog.sight import Sight
from callboard_catalog.store.bulk import one_of
from callboard_catalog.store.fields import LISTED, key_number

ENTITY: Final = models.entity
DOCUMENT: Final = models.search_document
TAG_KEY: Final = "metadata.tags"
NAMED: Final[Mapping[str, tuple[str, ...]]] = {
    "owner": ("group", "user"),
    "system": ("system",),
    "domain": ("domain",),
}
"""Operators whose values are entities, and of which kinds."""

OWNERLESS: Final = ("user", "group", "location")
"""Kinds that have no owner."""

_MOST_NAMED: Final = 200

_KINDS: Final = """
    WITH RECURSIVE present(kind) AS (
        SELECT min(kind) FROM entity
        UNION ALL
        SELECT (SELECT min(kind) FROM entity WHERE entity.kind > present.kind)
        FROM present WHERE present.kind IS NOT NULL
    )
    SELECT kind FROM present WHERE kind IS NOT NULL"""
"""The kinds there are, by steps over an index instead of its whole."""

_CATALOG: Final = frozenset({"catalog", "entities"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Searcher:
    """Who searches, and what they call things.

    `mine` and `starred` are references as text, `visits` says how often they opened the
    page of an entity, by its reference, or another, by its path.
    `kinds` maps what kinds are called, in lower case, to kinds; `sources` the keys of search
    sources to what they are called.
    """

    mine: frozenset[str] = frozenset()
    starred: frozenset[str] = frozenset()
    visits: Mapping[str, int] = field(default_factory=dict)
    kinds: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


NOBODY: Final = Searcher()


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What filters leave. `entity` are conditions on entities, and on those documents are about.

    `kinds` narrows entities only. `wanted` says of which search sources documents are asked for,
    None for all; `entities` whether entities are. `unmatched` are the values that name nothing.
    """

    entity: tuple[ColumnElement[bool], ...] = ()
    kinds: tuple[ColumnElement[bool], ...] = ()
    entities: bool = True
    wanted: frozenset[str] | None = None
    unwanted: frozenset[str] = frozenset()
    unmatched: tuple[Filter, ...] = ()

    def documents(self) -> list[ColumnElement[bool]]:
        """Give the conditions on documents, which are joined with the entities they are about."""
        found = list(self.entity)
        if self.wanted is not None:
            found.append(DOCUMENT.c.source.in_(sorted(self.wanted)))
        if self.unwanted:
            found.append(DOCUMENT.c.source.not_in(sorted(self.unwanted)))
        return found


def narrow(
    connection: Connection,
    filters: Iterable[Filter],
    searcher: Searcher,
    sight: Sight | None = None,
) -> Narrowing:
    """Turn filters into conditions. Names of entities are looked up, one question for each.

    What is not seen has no name that a filter could mean.
    """
    return _Narrower(connection, searcher, sight).of(filters)


class _Narrower:
    def __init__(self, connection: Connection, searcher: Searcher, sight: Sight | None) -> None:
        self.connection = connection
        self.searcher = searcher
        self.sight = sight
        self.entity: list[ColumnElement[bool]] = []
        self.kinds: list[ColumnElement[bool]] = []
        self.entities = True
        self.wanted: frozenset[str] | None = None
        self.unwanted: frozenset[str] = frozenset()
        self.unmatched: list[Filter] = []
        self.present: list[str] | None = None

    def of(self, filters: Iterable[Filter]) -> Narrowing:
        for item in filters:
            if item.operator in ("kind", "in"):
                self._place(item)
                continue
            condition = self._condition(item)
            self.entity.append(not_(condition) if item.negated else condition)
        return Narrowing(
            tuple(self.entity), tuple(self.kinds), self.entities, self.wanted, self.unwanted,
            tuple(self.unmatched),
        )  # fmt: skip

    def _condition(self, item: Filter) -> ColumnElement[bool]:
        lower = [value.lower() for value in item.values]
        if item.operator in NAMED:
            refs = self._refs(item)
            if item.operator == "domain":
                return _in_domain(refs)
            return self._of_any_kind(ENTITY.c[item.operator].in_(refs))
        if item.operator == "tag":
            return _has_tag(lower)
        if item.operator == "source":
            table = models.source
            named = select(table.c.id).where(func.lower(table.c.name).in_(lower))
            return ENTITY.c.source_id.in_(named)
        if item.operator == "is":
            return or_(*(self._is(item, value) for value in lower))
        cases = {case for value in item.values for case in _cases(value)}
        return self._of_any_kind(ENTITY.c[item.operator].in_(sorted(cases)))

    def _of_any_kind(self, condition: ColumnElement[bool]) -> ColumnElement[bool]:
        """Name all kinds there are: the indexes of entities begin with the kind."""
        if self.present is None:
            self.present = list(self.connection.scalars(text(_KINDS)))
        return and_(ENTITY.c.kind.in_(self.present), condition)

    def _is(self, item: Filter, value: str) -> ColumnElement[bool]:
        if value == "starred":
            return ENTITY.c.ref.in_(sorted(self.searcher.starred))
        if value == "mine":
            return self._of_any_kind(ENTITY.c.owner.in_(sorted(self.searcher.mine)))
        if value == "deprecated":
            return self._of_any_kind(ENTITY.c.lifecycle.in_(_cases(value)))
        if value == "orphan":
            nobody = self._of_any_kind(ENTITY.c.owner.in_(self._missing_owners()))
            return and_(ENTITY.c.kind.not_in(OWNERLESS), nobody)
        self.unmatched.append(Filter(item.operator, (value,)))
        return literal(False)

    def _missing_owners(self) -> list[str]:
        """Give the owners that entities name and that are not there, and that of those without.

        There are few of them among many entities, so they are looked up once each.
        """
        pairs = select(ENTITY.c.kind, ENTITY.c.owner).group_by(ENTITY.c.kind, ENTITY.c.owner)
        named = {row.owner for row in self.connection.execute(pairs)} | {""}
        there = select(ENTITY.c.ref).where(one_of(self.connection, ENTITY.c.ref, named))
        return sorted(named.difference(self.connection.scalars(there)))

    def _place(self, item: Filter) -> None:
        """Narrow by kind or search source; both are what a thing is."""
        kinds: set[str] = set()
        sources: set[str] = set()
        everything = False
        for value in item.values:
            lower = value.lower()
            named = self._sources(lower)
            if item.operator == "in" and lower in _CATALOG:
                everything = True
            elif named:
                sources |= named
            elif item.operator == "kind":
                kinds.add(self.searcher.kinds.get(lower, lower))
            else:
                self.unmatched.append(Filter(item.operator, (value,)))
        chosen = ENTITY.c.kind.in_(sorted(kinds))
        if item.negated:
            self.entities = self.entities and not everything
            self.unwanted |= sources
            if kinds:
                self.kinds.append(not_(chosen))
            return
        self.entities = self.entities and (everything or bool(kinds))
        self.wanted = frozenset(sources) & (sources if self.wanted is None else self.wanted)
        if kinds:
            self.kinds.append(chosen)

    def _sources(self, value: str) -> set[str]:
        """Give the keys of the search sources of that key, plugin, name or title."""
        return {
            key
            for key, titles in self.searcher.sources.items()
            if value in (key, *key.split(".", 1), *(title.lower() for title in titles))
        }

    def _refs(self, item: Filter) -> list[str]:
        """Give the references an operator's values mean: by reference, name or title.

        What no name or title is means those it begins, or, where no such entity is there, the
        reference that entities may still have.
        """
        kinds = NAMED[item.operator]
        found: dict[str, set[str]] = {value: _written(value) for value in item.values}
        plain = [value for value, refs in found.items() if not refs]
        if plain:
            lower = [value.lower() for value in plain]
            title = func.lower(ENTITY.c.title)
            for row in self._named(kinds, or_(ENTITY.c.name.in_(lower), title.in_(lower))):
                for value in plain:
                    if value.lower() in (row.name, row.title.lower()):
                        found[value].add(row.ref)
        for value in plain:
            if not found[value]:
                found[value] = self._begun(item, kinds, value)
        return sorted(ref for refs in found.values() for ref in refs)

    def _begun(self, item: Filter, kinds: Sequence[str], value: str) -> set[str]:
        lower = value.lower()
        begins = or_(
            ENTITY.c.name.startswith(lower, autoescape=True),
            func.lower(ENTITY.c.title).startswith(lower, autoescape=True),
        )
        found = {row.ref for row in self._named(kinds, begins)}
        if not found:
            self.unmatched.append(Filter(item.operator, (value,)))
        return found or {f"{kind}:default/{lower}" for kind in kinds}

    def _named(self, kinds: Sequence[str], condition: ColumnElement[bool]) -> Sequence[Any]:
        columns = (ENTITY.c.ref, ENTITY.c.name, ENTITY.c.title)
        statement = select(*columns).where(ENTITY.c.kind.in_(kinds), condition)
        if self.sight is not None:
            statement = statement.where(self.sight.condition(self.connection))
        return self.connection.execute(statement.limit(_MOST_NAMED)).all()


def _written(value: str) -> set[str]:
    """Give the reference a value is, if it is written as one."""
    try:
        return {str(EntityRef.parse(value))} if ":" in value else set()
    except InputError:
        return set()


def _in_domain(refs: Sequence[str]) -> ColumnElement[bool]:
    system = ENTITY.alias("system_of_domain")
    inside = select(system.c.ref).where(system.c.kind == "system", system.c.domain.in_(refs))
    return or_(ENTITY.c.domain.in_(refs), ENTITY.c.system.in_(inside))


def _has_tag(values: Sequence[str]) -> ColumnElement[bool]:
    entity_field = models.entity_field.c
    having = select(entity_field.entity_id).where(
        entity_field.key_id == key_number(TAG_KEY, LISTED), entity_field.value.in_(values)
    )
    return ENTITY.c.id.in_(having)


def _cases(value: str) -> tuple[str, ...]:
    """Give a value as it may be written; an index knows no other way to be indifferent to case."""
    return (value, value.lower(), value.upper(), value.capitalize(), value.title())
