"""What one who asks may see of the catalog: as a set of rows, and as a condition on the tables.

Permissions to read are selectors (`callboard.access.EntityFilter`), merged, so that a thousand
bindings are a few. Both forms say the same as `EntityFilter.fits`: what reads entities by number
asks the set, what lets the database choose, order and cut asks by the condition.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from pyroaring import BitMap
from sqlalchemy import Connection, and_, exists, false, func, not_, or_, select, true
from sqlalchemy.sql.elements import ColumnElement

from callboard.access import EntityFilter
from callboard.access.filters import FIELDS
from callboard.identity import Selector
from callboard_catalog import models
from callboard_catalog.facets import ENVIRONMENT_KEY, TAG_KEY, FacetIndex
from callboard_catalog.store.bulk import chunks, one_of

ENTITY: Final = models.entity
KEPT: Final = 32
"""Sights that are kept of one generation of the catalog."""

FEW: Final = 1_000
"""Up to this many rows are told by their numbers."""

MOST_TERMS: Final = 60
MOST_VALUES: Final = 5_000
"""Alternatives, and values in them, of which a condition is made; beyond it rows are numbered."""


@dataclass(frozen=True)
class Sight:
    """What a filter lets through of one generation of the catalog.

    `exact` says that `whole` is of the connection's own state. It may be of a newer one, with
    which conditions must not be mixed: then rows are told by number.
    """

    filter: EntityFilter
    whole: FacetIndex
    rows: BitMap
    exact: bool = True

    @cached_property
    def hidden(self) -> BitMap:
        """The rows that are not seen."""
        return self.whole.everything - self.rows

    @cached_property
    def index(self) -> FacetIndex:
        """The index of facets as if there were only what is seen."""
        return self.whole.narrowed(self.rows)

    @cached_property
    def _is_short(self) -> bool:
        parts = _selectors(self.filter)
        values = sum(len(getattr(part, name)) for part in parts for name in FIELDS)
        return len(parts) <= MOST_TERMS and values + len(self.filter.mine) <= MOST_VALUES

    @property
    def is_narrow(self) -> bool:
        """Whether so little is seen that it is best asked for by its numbers."""
        return len(self.rows) <= FEW

    def condition(self, connection: Connection, entity: Any = ENTITY) -> ColumnElement[bool]:
        """Say in SQL that a row of `entity`, the table or an alias of it, is seen."""
        if not self.rows:
            return false()
        if self.is_narrow or not self.exact:
            return one_of(connection, entity.c.id, self.rows)
        if len(self.hidden) > FEW and self._is_short:
            return _Condition(connection, self.whole, entity).of(self.filter)
        if len(self.hidden) < len(self.rows):
            return not_(one_of(connection, entity.c.id, self.hidden))
        return one_of(connection, entity.c.id, self.rows)

    def hides(self, ref: str) -> bool:
        """Say whether an owner, system or domain that entities name is there and not seen."""
        number = self.whole.named.get(ref)
        return number is not None and number not in self.rows

    def of_id(self, connection: Connection, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Say in SQL that a column has the number of an entity that is seen."""
        seen = ENTITY.alias()
        return exists().where(seen.c.id == column, self.condition(connection, seen))

    def of_ref(self, connection: Connection, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Say in SQL that a column names an entity that is there and seen."""
        seen = ENTITY.alias()
        return exists().where(seen.c.ref == column, self.condition(connection, seen))

    def not_hidden(self, connection: Connection, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Say in SQL that a column names no entity that is there and not seen."""
        other = ENTITY.alias()
        hidden = not_(self.condition(connection, other))
        return not_(exists().where(other.c.ref == column, hidden))


class Sights:
    """Works sights out and keeps those that were asked for last."""

    def __init__(self) -> None:
        self._generation = -1
        self._kept: OrderedDict[EntityFilter, Sight] = OrderedDict()
        self._lock = threading.Lock()

    def of(
        self, connection: Connection, index: FacetIndex, chosen: EntityFilter, *, exact: bool
    ) -> Sight:
        """Give what a filter lets through of the state that the index is of."""
        with self._lock:
            if index.generation > self._generation:
                self._kept.clear()
                self._generation = index.generation
            found = self._kept.get(chosen) if index.generation == self._generation else None
            if found is not None:
                self._kept.move_to_end(chosen)
        if not exact:
            # References are looked up in an earlier state: it must not be kept for the later one.
            return _sight(connection, index, chosen, exact=False)
        if found is None:
            found = _sight(connection, index, chosen, exact=True)
            with self._lock:
                if index.generation == self._generation:
                    self._kept[chosen] = found
                    while len(self._kept) > KEPT:
                        self._kept.popitem(last=False)
        return found


def _sight(
    connection: Connection, index: FacetIndex, chosen: EntityFilter, *, exact: bool
) -> Sight:
    named = {ref for part in _selectors(chosen) for ref in part.refs} | chosen.mine
    rows = _Rows(index, chosen.mine, _numbers(connection, named))
    seen = rows.of_any(chosen.allow)
    if chosen.deny:
        seen -= rows.of_any(chosen.deny)
    if chosen.within is not None:
        seen &= rows.of_any(chosen.within)
    return Sight(chosen, index, seen, exact)


def _selectors(chosen: EntityFilter) -> list[Selector]:
    return [*chosen.allow, *chosen.deny, *(chosen.within or ())]


def _numbers(connection: Connection, refs: Collection[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for chunk in chunks(refs):
        statement = select(ENTITY.c.ref, ENTITY.c.id).where(ENTITY.c.ref.in_(chunk))
        found.update((row.ref, row.id) for row in connection.execute(statement))
    return found


@dataclass(frozen=True)
class _Rows:
    """Selectors as sets of rows. `numbers` are those of the references they name."""

    index: FacetIndex
    mine: frozenset[str]
    numbers: dict[str, int]

    def of_any(self, parts: Iterable[Selector]) -> BitMap:
        return BitMap.union(BitMap(), *map(self.of, parts))

    def of(self, part: Selector) -> BitMap:
        pairs = (
            ("kind", part.kinds),
            ("namespace", part.namespaces),
            ("owner", part.owners),
            ("system", part.systems),
            ("tag", part.tags),
            ("environment", part.environments),
        )
        found = [self._any(facet, wanted) for facet, wanted in pairs if wanted]
        if part.types:
            found.append(self._any("type", _types(self.index, part.types)))
        if part.domains:
            found.append(self._in_domains(part.domains))
        if part.refs:
            found.append(self._named(part.refs))
        if part.owned:
            found.append(self._any("owner", self.mine) | self._named(self.mine))
        return BitMap.intersection(self.index.everything, *found)

    def _any(self, facet: str, wanted: Iterable[str]) -> BitMap:
        values = self.index.values[facet]
        return BitMap.union(BitMap(), *(values[value] for value in wanted if value in values))

    def _named(self, refs: Iterable[str]) -> BitMap:
        return BitMap(self.numbers[ref] for ref in refs if ref in self.numbers)

    def _in_domains(self, domains: Collection[str]) -> BitMap:
        inside = self._any("system", _systems(self.index, domains))
        homeless = self.index.values["domain"].get("", BitMap())
        return self._any("domain", domains) | (inside & homeless)


def _types(index: FacetIndex, types: Collection[str]) -> list[str]:
    """Give the types there are that are written like one of these, whatever their case."""
    return [value for value in index.values["type"] if value.lower() in types]


def _systems(index: FacetIndex, domains: Collection[str]) -> list[str]:
    """Give the systems of domains."""
    return [ref for ref, domain in index.domains.items() if domain in domains]


@dataclass(frozen=True)
class _Condition:
    """Selectors as a condition on a table of entities."""

    connection: Connection
    index: FacetIndex
    entity: Any

    def of(self, chosen: EntityFilter) -> ColumnElement[bool]:
        conditions = [self._any(chosen.allow, chosen.mine)]
        if chosen.deny:
            conditions.append(not_(self._any(chosen.deny, chosen.mine)))
        if chosen.within is not None:
            conditions.append(self._any(chosen.within, chosen.mine))
        return and_(*conditions)

    def _any(self, parts: Iterable[Selector], mine: frozenset[str]) -> ColumnElement[bool]:
        # In one order, so that the database has seen the statement before.
        return or_(false(), *(self._of(part, mine) for part in sorted(parts, key=repr)))

    def _of(self, part: Selector, mine: frozenset[str]) -> ColumnElement[bool]:
        column = self.entity.c
        pairs = (
            (column.kind, part.kinds),
            (column.owner, part.owners),
            (column.system, part.systems),
            (column.ref, part.refs),
            (self._namespace(), part.namespaces),
        )
        found = [self._one_of(value, wanted) for value, wanted in pairs if wanted]
        if part.types:
            found.append(self._of_types(part.types))
        if part.domains:
            found.append(self._in_domains(part.domains))
        if part.tags:
            found.append(self._has(TAG_KEY, part.tags))
        if part.environments:
            found.append(self._in_environments(part.environments))
        if part.owned:
            owned = (self._one_of(column.owner, mine), self._one_of(column.ref, mine))
            found.append(or_(*owned))
        return and_(true(), *found)

    def _one_of(self, column: ColumnElement[Any], values: Iterable[str]) -> ColumnElement[bool]:
        return one_of(self.connection, column, sorted(values))

    def _of_types(self, types: Collection[str]) -> ColumnElement[bool]:
        found = _types(self.index, types)
        return self._one_of(self.entity.c.type, [*found, "-"] if "" in found else found)

    def _namespace(self) -> ColumnElement[str]:
        ref = self.entity.c.ref
        if self.connection.dialect.name == "postgresql":
            return func.split_part(func.split_part(ref, ":", 2), "/", 1)
        begin = func.instr(ref, ":") + 1
        return func.substr(ref, begin, func.instr(ref, "/") - begin)

    def _in_domains(self, domains: Collection[str]) -> ColumnElement[bool]:
        column = self.entity.c
        inside = self._one_of(column.system, _systems(self.index, domains))
        return or_(self._one_of(column.domain, domains), and_(column.domain == "", inside))

    def _in_environments(self, environments: frozenset[str]) -> ColumnElement[bool]:
        having = self._has(ENVIRONMENT_KEY, environments)
        return or_(having, not_(self._has(ENVIRONMENT_KEY))) if "" in environments else having

    def _has(self, key: str, values: Collection[str] | None = None) -> ColumnElement[bool]:
        field = models.entity_field.alias()
        named = select(models.field_key.c.id).where(models.field_key.c.name == key)
        conditions = [
            # By entity: SQLite would begin with the index of keys.
            field.c.key_id + 0 == named.scalar_subquery(),
            field.c.entity_id == self.entity.c.id,
        ]
        if values is not None:
            conditions.append(self._one_of(field.c.value, values))
        return exists().where(*conditions)
