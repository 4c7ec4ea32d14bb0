"""What one who asks may see of the catalog: as a set of rows, and as a condition on the tables.

Permissions to read are selectors (`callboard.access.EntityFilter`), merged, so that a thousand
bindings are a few. Both forms say the same as `EntityFilter.fits`: what reads entities by number
asks the set, what lets the database choose, order and cut asks by the condition.
"""

import threading
from collections import OrderedDict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import orjson
from pyroaring import BitMap
from sqlalchemy import Connection, TextClause, exists, not_, select, text
from sqlalchemy.sql.elements import ColumnElement

from callboard.access import EntityFilter
from callboard.access.filters import FIELDS
from callboard.identity import Selector
from callboard_catalog import models
from callboard_catalog.facets import ENVIRONMENT_KEY, FORMS, TAG_KEY, FacetIndex
from callboard_catalog.store.bulk import chunks

ENTITY: Final = models.entity
SEEN: Final = ENTITY.alias("seen_entity")
PERMITTED: Final = ENTITY.alias("permitted_entity")
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

    def condition(self, connection: Connection, entity: Any = ENTITY) -> TextClause:
        """Say in SQL that a row of `entity`, the table or an alias of it by name, is seen.

        The statement must have it among what it selects from.
        """
        return self._text(connection, entity, "(%s)")

    def not_condition(self, connection: Connection, entity: Any = ENTITY) -> TextClause:
        """Say in SQL that a row of `entity` is not seen."""
        return self._text(connection, entity, "NOT (%s)")

    def _text(self, connection: Connection, entity: Any, form: str) -> TextClause:
        key = (connection.dialect.name, entity.name, form)
        if key not in self._written:
            written, values = self._write(_Condition(*key[:2], self.whole))
            self._written[key] = text(form % written).bindparams(**values)
        return self._written[key]

    @cached_property
    def _written(self) -> dict[tuple[str, str, str], TextClause]:
        return {}

    def _write(self, condition: "_Condition") -> tuple[str, dict[str, Any]]:
        """Write the condition; its text has a parameter for each set of values."""
        if not self.rows:
            written = "1 = 0"
        elif self.is_narrow or not self.exact:
            written = condition.has_number(self.rows)
        elif len(self.hidden) > FEW and self._is_short:
            written = condition.of(self.filter)
        elif len(self.hidden) < len(self.rows):
            written = f"NOT ({condition.has_number(self.hidden)})"
        else:
            written = condition.has_number(self.rows)
        return written, condition.values

    def hides(self, ref: str) -> bool:
        """Say whether an owner, system or domain that entities name is there and not seen."""
        number = self.whole.named.get(ref)
        return number is not None and number not in self.rows

    def of_id(self, connection: Connection, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Say in SQL that a column has the number of an entity that is seen."""
        return exists().where(SEEN.c.id == column, self.condition(connection, SEEN))

    def of_ref(
        self, connection: Connection, column: ColumnElement[Any], entity: Any = SEEN
    ) -> ColumnElement[bool]:
        """Say in SQL that a column names an entity that is there and seen.

        Two sights in one statement take an alias each: their parameters are named after it.
        """
        return exists().where(entity.c.ref == column, self.condition(connection, entity))

    def not_hidden(self, connection: Connection, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Say in SQL that a column names no entity that is there and not seen."""
        hidden = self.not_condition(connection, SEEN)
        return not_(exists().where(SEEN.c.ref == column, hidden))


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


@dataclass
class _Condition:
    """Writes selectors as a condition on a table of entities, with `values` as its parameters.

    It is text: to build such a condition of expressions takes ten times as long as to answer it,
    and a page asks it many times.
    """

    dialect: str
    entity: str
    index: FacetIndex
    values: dict[str, Any] = field(default_factory=dict)

    def of(self, chosen: EntityFilter) -> str:
        written = self._any(chosen.allow, chosen.mine)
        if chosen.deny:
            written += f" AND NOT {self._any(chosen.deny, chosen.mine)}"
        if chosen.within is not None:
            written += f" AND {self._any(chosen.within, chosen.mine)}"
        return written

    def has_number(self, rows: BitMap) -> str:
        return self._one_of("id", rows)

    def _any(self, parts: Iterable[Selector], mine: frozenset[str]) -> str:
        found = sorted((self._of(part, mine) for part in parts), key=len)
        return f"({' OR '.join(found or ['1 = 0'])})"

    def _of(self, part: Selector, mine: frozenset[str]) -> str:
        pairs = (
            ("kind", part.kinds),
            ("owner", part.owners),
            ("system", part.systems),
            ("ref", part.refs),
        )
        found = [self._one_of(column, wanted) for column, wanted in pairs if wanted]
        if part.types:
            found.append(self._of_types(part.types))
        if part.domains:
            found.append(self._in_domains(part.domains))
        if part.owned:
            found.append(f"({self._one_of('owner', mine)} OR {self._one_of('ref', mine)})")
        if part.namespaces:
            found.append(self._in(self._namespace(), part.namespaces))
        if part.environments:
            found.append(self._in_environments(part.environments))
        if part.tags:
            found.append(self._has(TAG_KEY, part.tags))
        return f"({' AND '.join(found or ['1 = 1'])})"

    def _one_of(self, column: str, values: Iterable[int] | Iterable[str]) -> str:
        return self._in(f"{self.entity}.{column}", values)

    def _in(self, value: str, values: Iterable[int] | Iterable[str]) -> str:
        name = f"{self.entity}_{len(self.values)}"
        listed = sorted(values)
        if self.dialect == "sqlite":
            self.values[name] = orjson.dumps(listed).decode()
            return f"{value} IN (SELECT value FROM json_each(:{name}))"
        self.values[name] = listed
        return f"{value} = ANY(:{name})"

    def _of_types(self, types: Collection[str]) -> str:
        found = _types(self.index, types)
        return self._one_of("type", [*found, "-"] if "" in found else found)

    def _namespace(self) -> str:
        ref = f"{self.entity}.ref"
        if self.dialect == "postgresql":
            return f"split_part(split_part({ref}, ':', 2), '/', 1)"
        begin = f"(instr({ref}, ':') + 1)"
        return f"substr({ref}, {begin}, instr({ref}, '/') - {begin})"

    def _in_domains(self, domains: Collection[str]) -> str:
        inside = self._one_of("system", _systems(self.index, domains))
        own = self._one_of("domain", domains)
        return f"({own} OR ({self.entity}.domain = '' AND {inside}))"

    def _in_environments(self, environments: frozenset[str]) -> str:
        having = self._has(ENVIRONMENT_KEY, environments)
        if "" in environments:
            return f"({having} OR NOT {self._has(ENVIRONMENT_KEY)})"
        return having

    def _has(self, key: str, values: Collection[str] | None = None) -> str:
        wanted = "" if values is None else f" AND {self._in('seen_field.value', values)}"
        # By entity: SQLite would begin with the index of keys.
        return (
            "EXISTS (SELECT 1 FROM entity_field AS seen_field "
            f"WHERE seen_field.entity_id = {self.entity}.id AND seen_field.key_id + 0 = "
            f"(SELECT id FROM field_key WHERE name = '{key}' AND form = {FORMS[key]}){wanted})"
        )
