"""Which entities have which value, in memory: sets of row numbers as compressed bitmaps.

Filters and counts are operations on sets, so that a page that asks for eight facets under any
filters costs about the same as one that asks for none. What is here is the catalog of one
generation; the next one is made from it by reading what has changed since.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from pyroaring import BitMap
from sqlalchemy import Connection, Row, func, select
from sqlalchemy.sql.elements import ColumnElement

from callboard.entities import DEFAULT_NAMESPACE, EntityRef
from callboard_catalog import models
from callboard_catalog.query import FACETS, Facet, FacetValue, ListRequest
from callboard_catalog.store.bulk import one_of
from callboard_catalog.store.fields import LISTED, PLAIN, key_number

ENTITY: Final = models.entity
COLUMNS: Final = ("kind", "type", "owner", "lifecycle", "system", "domain")
NAMED: Final = frozenset({"owner", "system", "domain"})
"""The facets whose values are references."""

TAG_KEY: Final = "metadata.tags"
ENVIRONMENT_KEY: Final = "metadata.labels.environment"
FORMS: Final = {TAG_KEY: LISTED, ENVIRONMENT_KEY: PLAIN}
SKEW: Final = timedelta(seconds=10)
"""How far the clocks of processes that write may be apart."""

ANEW: Final = 5
"""The catalog is read anew where more than one in this many entities has changed."""

CHUNK: Final = 5_000
NONE: Final = 0
"""The number that no row has."""

Values = dict[str, dict[str, BitMap]]


@dataclass(frozen=True)
class FacetIndex:
    """The catalog of one generation. `values` maps facet and value to row numbers.

    Beside the facets it has `namespace` and `environment`: who may see an entity may depend on it.
    `titles` are those of the references among the values, `named` the rows of those that are
    there, and `domains` the domains of systems, by reference. `touched` gives for each kind the
    generation since which none of its entities is known to have come, changed or left.
    """

    generation: int
    newest: datetime | None
    everything: BitMap
    values: Values
    titles: Mapping[str, str]
    named: Mapping[str, int]
    domains: Mapping[str, str]
    touched: Mapping[str, int]

    def narrowed(self, rows: BitMap) -> "FacetIndex":
        """Give the index as if there were only these rows."""
        values = {
            facet: {value: kept for value, members in by_value.items() if (kept := members & rows)}
            for facet, by_value in self.values.items()
        }
        titles = {
            ref: title if (row := self.named.get(ref)) is not None and row in rows else _name(ref)
            for ref, title in self.titles.items()
        }
        return replace(self, everything=self.everything & rows, values=values, titles=titles)

    @cached_property
    def orders(self) -> dict[str, list[tuple[tuple[bool, str, str], str]]]:
        """For each facet its values in the order of lists; sorted when it is first asked for."""
        return {}

    def label(self, facet: str, value: str) -> str:
        """Give what people call a value: the title of a reference, or its name."""
        if facet not in NAMED:
            return value
        return self.titles.get(value) or value.partition("/")[2] or value

    def order_key(self, facet: str, value: str) -> tuple[bool, str, str]:
        """Give what values are sorted by: empty ones last, the others as they read."""
        return (not value, self.label(facet, value).casefold(), value)

    def order(self, facet: str) -> list[tuple[tuple[bool, str, str], str]]:
        """Give the values of a facet in order, each behind its key."""
        if facet not in self.orders:
            self.orders[facet] = sorted(
                (self.order_key(facet, value), value) for value in self.values[facet]
            )
        return self.orders[facet]

    # Filters

    def filters(self, request: ListRequest) -> dict[str, BitMap]:
        """Give for each facet that filters the rows it lets through."""
        return {
            facet: self._any(facet, request.chosen(facet))
            for facet in FACETS
            if request.chosen(facet)
        }

    def _any(self, facet: str, chosen: Iterable[str]) -> BitMap:
        values = self.values[facet]
        return BitMap.union(BitMap(), *(values[value] for value in chosen if value in values))

    def owned_by(self, owners: Iterable[str]) -> BitMap:
        """Give the rows that have one of these owners."""
        return self._any("owner", owners)

    # Counts

    def facet(
        self,
        name: str,
        base: BitMap,
        possible: BitMap,
        chosen: Collection[str],
        *,
        most: int,
        find: str = "",
    ) -> Facet:
        """Count the values of a facet among `base`: the commonest, and whatever is chosen.

        Those of `possible` that are not in `base` fill up what is left of `most` with a zero.
        `find` narrows to values whose label has this text in it.
        """
        counts = {
            value: count
            for value, rows in self.values[name].items()
            if (count := rows.intersection_cardinality(base))
        }
        none = counts.pop("", 0)
        number = len(counts)
        shown = {value: counts.get(value, 0) for value in chosen if value}
        if wanted := find.casefold():
            counts = {v: n for v, n in counts.items() if wanted in self._searched(name, v)}
        elif number < most:
            counts |= self._zeros(name, possible, counts, most - number)
        shown |= _commonest(counts, most)
        if (none and not find) or "" in chosen:
            shown[""] = none
        ordered = sorted(shown.items(), key=lambda item: self._rank(name, *item))
        return Facet(
            [FacetValue(v, self.label(name, v), count, v in chosen) for v, count in ordered], number
        )

    def found(self, name: str, base: BitMap, find: str = "") -> list[FacetValue]:
        """Give all values of a facet among `base`, as they read, without those that have none."""
        wanted = find.casefold()
        return [
            FacetValue(value, self.label(name, value), count, False)
            for _, value in self.order(name)
            if value
            and (not wanted or wanted in self._searched(name, value))
            and (count := self.values[name][value].intersection_cardinality(base))
        ]

    def _searched(self, name: str, value: str) -> str:
        return f"{self.label(name, value)} {value}".casefold()

    def _rank(self, name: str, value: str, count: int) -> tuple[bool, int, tuple[bool, str, str]]:
        return (not value, -count, self.order_key(name, value))

    def _zeros(
        self, name: str, possible: BitMap, counts: Mapping[str, int], most: int
    ) -> dict[str, int]:
        found = {
            value: count
            for value, rows in self.values[name].items()
            if value and value not in counts and (count := rows.intersection_cardinality(possible))
        }
        return dict.fromkeys(_commonest(found, most), 0)


def _commonest(counts: Mapping[str, int], most: int) -> dict[str, int]:
    """Give the values with the highest counts, of equal ones the first by their code."""
    if len(counts) <= most:
        return dict(counts)
    least = sorted(counts.values(), reverse=True)[most - 1]
    found = sorted((-count, value) for value, count in counts.items() if count >= least)
    return {value: -count for count, value in found[:most]}


def among(connection: Connection, ids: Iterable[int]) -> ColumnElement[bool]:
    """Give the condition that an entity's row is one of these, however many, as one parameter."""
    return one_of(connection, ENTITY.c.id, ids)


# Reading


def read_index(
    connection: Connection, generation: int, before: FacetIndex | None = None
) -> FacetIndex:
    """Give the index of the connection's state, from an earlier one where there is one."""
    newest = connection.scalar(select(func.max(ENTITY.c.updated_at)))
    if before and before.newest and newest and generation > before.generation:
        changed = _changed(connection, before.newest - SKEW)
        if len(changed) * ANEW < len(before.everything):
            return _advanced(connection, before, generation, max(newest, before.newest), changed)
    everything, values = _rows(connection)
    found = _finished(connection, generation, newest, everything, values, None)
    return replace(found, touched=dict.fromkeys(values["kind"], generation))


def _changed(connection: Connection, since: datetime) -> BitMap:
    rows = select(ENTITY.c.id).where(ENTITY.c.updated_at >= since)
    return BitMap(connection.scalars(rows))


def _advanced(
    connection: Connection,
    before: FacetIndex,
    generation: int,
    newest: datetime,
    changed: BitMap,
) -> FacetIndex:
    everything = before.everything | changed
    gone = BitMap()
    if connection.scalar(select(func.count()).select_from(ENTITY)) != len(everything):
        gone = everything - BitMap(connection.scalars(select(ENTITY.c.id)))
    _, fresh = _rows(connection, changed)
    values = {
        facet: _replaced(rows, changed | gone, fresh[facet])
        for facet, rows in before.values.items()
    }
    # A title that is known holds unless its own entity is among what has changed.
    known = None if gone else before
    moved = {
        kind: generation
        for kinds in (before.values["kind"], values["kind"])
        for kind, rows in kinds.items()
        if rows.intersect(changed | gone)
    }
    found = _finished(connection, generation, newest, everything - gone, values, known, changed)
    return replace(found, touched={**before.touched, **moved})


def _replaced(
    old: Mapping[str, BitMap], changed: BitMap, fresh: Mapping[str, BitMap]
) -> dict[str, BitMap]:
    """Give new sets where something differs; those of the earlier index stay as they are."""
    values = {
        value: rows - changed if rows.intersect(changed) else rows for value, rows in old.items()
    }
    for value, rows in fresh.items():
        values[value] = values[value] | rows if value in values else rows
    return {value: rows for value, rows in values.items() if rows}


def _rows(connection: Connection, only: BitMap | None = None) -> tuple[BitMap, Values]:
    """Read which rows have which value, all of them or only some."""
    lists: dict[str, defaultdict[str, list[int]]] = {
        facet: defaultdict(list) for facet in (*COLUMNS, "source")
    }
    added = [lists[facet] for facet in (*COLUMNS, "source")]
    columns = [ENTITY.c.id, *(ENTITY.c[name] for name in COLUMNS), ENTITY.c.source_id]
    statement = select(*columns)
    if only is not None:
        statement = statement.where(among(connection, only))
    everything = BitMap()
    for rows in connection.execute(statement).partitions(CHUNK):
        everything.update(row[0] for row in rows)
        for entity_id, *found in rows:
            for values, value in zip(added, found, strict=True):
                values[value].append(entity_id)
    names = dict(_pairs(connection, select(models.source.c.id, models.source.c.name)))
    lists["source"] = _renamed(lists["source"], lambda number: names.get(number, ""))
    lists["type"] = _renamed(lists["type"], lambda value: "" if value == "-" else value)
    sets = {
        facet: {value: BitMap(ids) for value, ids in by_value.items()}
        for facet, by_value in lists.items()
    }
    sets["tag"] = _fields(connection, TAG_KEY, everything, only)
    sets["environment"] = _fields(connection, ENVIRONMENT_KEY, everything, only)
    sets["namespace"] = _namespaces(connection, everything, only)
    return everything, sets


def _renamed(
    values: Mapping[Any, list[int]], name: Callable[[Any], str]
) -> defaultdict[str, list[int]]:
    renamed: defaultdict[str, list[int]] = defaultdict(list)
    for value, ids in values.items():
        renamed[name(value)] += ids
    return renamed


def _fields(
    connection: Connection, key: str, everything: BitMap, only: BitMap | None
) -> dict[str, BitMap]:
    """Give which rows have which value of a field; an empty one stands for those without."""
    field = models.entity_field.c
    named = key_number(key, FORMS[key])
    statement = select(field.value, field.entity_id)
    if only is None:
        statement = statement.where(field.key_id == named)
    else:
        # By entity: SQLite would begin with the index of keys and read every value there is.
        ids = select(ENTITY.c.id).where(among(connection, only))
        statement = statement.where(field.key_id + 0 == named, field.entity_id.in_(ids))
    found: defaultdict[str, list[int]] = defaultdict(list)
    for rows in connection.execute(statement).partitions(CHUNK):
        for value, entity_id in rows:
            found[value].append(entity_id)
    return _with_rest({value: BitMap(ids) for value, ids in found.items()}, "", everything)


def _namespaces(
    connection: Connection, everything: BitMap, only: BitMap | None
) -> dict[str, BitMap]:
    """Give the rows of each namespace; most are of the default one, so only others are read."""
    statement = select(ENTITY.c.ref, ENTITY.c.id).where(
        ENTITY.c.ref.not_like(f"%:{DEFAULT_NAMESPACE}/%")
    )
    if only is not None:
        statement = statement.where(among(connection, only))
    found: defaultdict[str, list[int]] = defaultdict(list)
    for ref, entity_id in _pairs(connection, statement):
        found[ref.partition(":")[2].partition("/")[0]].append(entity_id)
    sets = {name: BitMap(ids) for name, ids in found.items()}
    return _with_rest(sets, DEFAULT_NAMESPACE, everything)


def _with_rest(sets: dict[str, BitMap], name: str, everything: BitMap) -> dict[str, BitMap]:
    if rest := everything - BitMap.union(BitMap(), *sets.values()):
        sets[name] = rest
    return sets


def _finished(
    connection: Connection,
    generation: int,
    newest: datetime | None,
    everything: BitMap,
    values: Values,
    known: FacetIndex | None,
    changed: BitMap | None = None,
) -> FacetIndex:
    """Put an index together, with the titles that are not known yet or may have changed."""
    wanted = {value for facet in NAMED for value in values[facet]} - {""}
    titles = dict(known.titles) if known else {}
    named = dict(known.named) if known else {}
    kinds = sorted({value.partition(":")[0] for value in wanted - titles.keys()})
    table = select(ENTITY.c.ref, ENTITY.c.title, ENTITY.c.id)
    found: list[Row[Any]] = []
    if kinds:
        found += connection.execute(table.where(ENTITY.c.kind.in_(kinds)))
    if changed:
        found += connection.execute(table.where(among(connection, changed)))
    for row in found:
        if row.ref in wanted:
            titles[row.ref], named[row.ref] = row.title, row.id
    # One that is in no source is told by its name, and not looked for again and again.
    titles |= {ref: _name(ref) for ref in wanted - titles.keys()}
    titles = {ref: title for ref, title in titles.items() if ref in wanted}
    named = {ref: number for ref, number in named.items() if ref in wanted}
    systems = values["kind"].get("system", BitMap())
    domains = (
        known.domains
        if known and changed is not None and not systems.intersect(changed)
        else _domains(connection)
    )
    return FacetIndex(generation, newest, everything, values, titles, named, domains, {})


def _domains(connection: Connection) -> dict[str, str]:
    statement = select(ENTITY.c.ref, ENTITY.c.domain)
    return dict(
        _pairs(connection, statement.where(ENTITY.c.kind == "system", ENTITY.c.domain != ""))
    )


def _name(ref: str) -> str:
    return EntityRef.parse(ref).relative(kind=ref.partition(":")[0])


def _pairs(connection: Connection, statement: Any) -> Iterator[tuple[Any, Any]]:
    return ((row[0], row[1]) for row in connection.execute(statement))
