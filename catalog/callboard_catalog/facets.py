"""Which entities have which value, in memory: sets of row numbers as compressed bitmaps.

Filters and counts are operations on sets, so that a page that asks for eight facets under any
filters costs about the same as one that asks for none. What is here is the catalog of one
generation; the next one is made from it by reading what has changed since.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Final

from pyroaring import BitMap
from sqlalchemy import ARRAY, BigInteger, Connection, bindparam, func, select, text
from sqlalchemy.sql.elements import ColumnElement

from callboard.entities import EntityRef
from callboard_catalog import models
from callboard_catalog.query import FACETS, Facet, FacetValue, ListRequest

ENTITY: Final = models.entity
COLUMNS: Final = ("kind", "type", "owner", "lifecycle", "system", "domain")
NAMED: Final = frozenset({"owner", "system", "domain"})
"""The facets whose values are references."""

TAG_KEY: Final = "metadata.tags"
SKEW: Final = timedelta(seconds=10)
"""How far the clocks of processes that write may be apart."""

ANEW: Final = 5
"""The catalog is read anew where more than one in this many entities has changed."""

CHUNK: Final = 5_000
Values = dict[str, dict[str, BitMap]]


@dataclass(frozen=True)
class FacetIndex:
    """The catalog of one generation. `values` maps facet and value to row numbers."""

    generation: int
    newest: datetime | None
    everything: BitMap
    values: Values
    titles: Mapping[str, str]

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
    listed = list(ids)
    if connection.dialect.name == "sqlite":
        numbers = text("SELECT value FROM json_each(:ids)").bindparams(ids=str(listed))
        return ENTITY.c.id.in_(numbers.columns(ENTITY.c.id))
    return ENTITY.c.id == func.any(bindparam("ids", listed, ARRAY(BigInteger)))


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
    return _finished(connection, generation, newest, everything, values, {})


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
        facet: _replaced(before.values[facet], changed | gone, fresh[facet]) for facet in FACETS
    }
    # A title that is known holds unless its own entity is among what has changed.
    titles = {} if gone else dict(before.titles)
    return _finished(connection, generation, newest, everything - gone, values, titles, changed)


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
    tags = _tags_statement(models.entity_field.c.key_id)
    if only is not None:
        condition = among(connection, only)
        statement = statement.where(condition)
        # By entity: SQLite would begin with the index of keys and read every tag there is.
        tags = _tags_statement(models.entity_field.c.key_id + 0).where(
            models.entity_field.c.entity_id.in_(select(ENTITY.c.id).where(condition))
        )
    everything = BitMap()
    for rows in connection.execute(statement).partitions(CHUNK):
        everything.update(row[0] for row in rows)
        for entity_id, *found in rows:
            for values, value in zip(added, found, strict=True):
                values[value].append(entity_id)
    names = dict(_pairs(connection, select(models.source.c.id, models.source.c.name)))
    lists["source"] = _renamed(lists["source"], lambda number: names.get(number, ""))
    lists["type"] = _renamed(lists["type"], lambda value: "" if value == "-" else value)
    found_tags: defaultdict[str, list[int]] = defaultdict(list)
    for rows in connection.execute(tags).partitions(CHUNK):
        for value, entity_id in rows:
            found_tags[value].append(entity_id)
    sets = {
        facet: {value: BitMap(ids) for value, ids in by_value.items()}
        for facet, by_value in lists.items()
    }
    sets["tag"] = {value: BitMap(ids) for value, ids in found_tags.items()}
    if untagged := everything - BitMap.union(BitMap(), *sets["tag"].values()):
        sets["tag"][""] = untagged
    return everything, sets


def _renamed(
    values: Mapping[Any, list[int]], name: Callable[[Any], str]
) -> defaultdict[str, list[int]]:
    renamed: defaultdict[str, list[int]] = defaultdict(list)
    for value, ids in values.items():
        renamed[name(value)] += ids
    return renamed


def _tags_statement(key_id: ColumnElement[int]) -> Any:
    field = models.entity_field
    key = select(models.field_key.c.id).where(models.field_key.c.name == TAG_KEY)
    return select(field.c.value, field.c.entity_id).where(key_id == key.scalar_subquery())


def _finished(
    connection: Connection,
    generation: int,
    newest: datetime | None,
    everything: BitMap,
    values: Values,
    titles: dict[str, str],
    changed: BitMap | None = None,
) -> FacetIndex:
    """Put an index together, with the titles that are not known yet or may have changed."""
    wanted = {value for facet in NAMED for value in values[facet]} - {""}
    kinds = sorted({value.partition(":")[0] for value in wanted - titles.keys()})
    table = select(ENTITY.c.ref, ENTITY.c.title)
    found = dict(_pairs(connection, table.where(ENTITY.c.kind.in_(kinds)))) if kinds else {}
    if changed:
        found |= dict(_pairs(connection, table.where(among(connection, changed))))
    titles = {ref: title for ref, title in (titles | found).items() if ref in wanted}
    # One that is in no source is told by its name, and not looked for again and again.
    titles |= {ref: _name(ref) for ref in wanted - titles.keys()}
    return FacetIndex(generation, newest, everything, values, titles)


def _name(ref: str) -> str:
    return EntityRef.parse(ref).relative(kind=ref.partition(":")[0])


def _pairs(connection: Connection, statement: Any) -> Iterator[tuple[Any, Any]]:
    return ((row[0], row[1]) for row in connection.execute(statement))
