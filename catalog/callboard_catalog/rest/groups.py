"""The values of a key with the rows of each, in memory, for keys of few values."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import orjson
from pyroaring import BitMap
from sqlalchemy import select

from callboard_catalog import models
from callboard_catalog.rest.columns import arrays_of
from callboard_catalog.rest.keys import COLUMNS, FIELD, RELATIONS
from callboard_catalog.rest.matching import FACETS, OWNED, TRUE, VERSION, Matcher
from callboard_catalog.store.fields import API_VERSION

ENTITY: Final = models.entity
MOST: Final = 1_000
"""Keys of more values are read along their index instead."""

Spellings = tuple[tuple[str, BitMap], ...]
"""How a value is written, with the rows that do so, in the order of code points."""


@dataclass(frozen=True)
class Groups:
    """The values of a key, in lower case. What is in it must not be changed."""

    values: Mapping[str, Spellings]

    @cached_property
    def order(self) -> list[str]:
        """The values in the order of code points."""
        return sorted(self.values)

    @cached_property
    def rows(self) -> Mapping[str, BitMap]:
        """The rows of each value."""
        return {
            value: spellings[0][1]
            if len(spellings) == 1
            else BitMap.union(*(rows for _, rows in spellings))
            for value, spellings in self.values.items()
        }

    def counted(self, among: BitMap) -> Iterator[tuple[str, int]]:
        """Count the rows of each value among these; it reads as the first of them writes it."""
        values, rows = self.values, self.rows
        for value in self.order:
            if number := rows[value].intersection_cardinality(among):
                spellings = values[value]
                yield (
                    (
                        spellings[0][0]
                        if len(spellings) == 1
                        else next(text for text, found in spellings if found.intersect(among))
                    ),
                    number,
                )


def groups_of(matcher: Matcher, key: str) -> Groups | None:
    """Give the values of a key; None for one of many, or of relations."""
    if key == OWNED:
        return matcher.kept(("groups", key), lambda: _owners(matcher))
    if key.startswith(RELATIONS) or key in COLUMNS:
        return None
    return matcher.kept(("groups", key), lambda: _groups(matcher, key))


def _owners(matcher: Matcher) -> Groups | None:
    owners = matcher.owners()
    if owners is None:
        return None
    return Groups({ref: ((ref, rows),) for ref, rows in owners.items()})


def _groups(matcher: Matcher, key: str) -> Groups | None:
    found: defaultdict[str, defaultdict[str, BitMap]] = defaultdict(lambda: defaultdict(BitMap))
    if key in FACETS:
        for value, rows in matcher.index.values[FACETS[key]].items():
            if value and value.lower() in matcher.facet(key):
                found[value.lower()][value] |= rows
        if key == "kind":
            found = _kinds(matcher, found)
    if key == VERSION:
        found[API_VERSION][API_VERSION] |= matcher.usual_version()
    if items := matcher.items(key):
        found[TRUE][TRUE] |= items
    if key not in ("kind", "metadata.namespace", "metadata.tags"):
        # What a facet of the index has is in memory already, however much it is.
        most = None if key in FACETS or key == VERSION else MOST
        for number in matcher.place(key).values:
            if not _add(matcher, found, number, most):
                return None
    return Groups(
        {
            value: tuple(sorted((text, rows) for text, rows in spellings.items() if rows))
            for value, spellings in found.items()
            if any(spellings.values())
        }
    )


def _add(matcher: Matcher, found: Any, key: int, most: int | None) -> bool:
    """Add what the rows of a key have; says False where these are more values than `most`."""
    arrays = arrays_of(matcher.connection, FIELD.entity_id, FIELD.written)
    statement = select(FIELD.value, *arrays).where(FIELD.key_id == key).group_by(FIELD.value)
    if most is not None:
        statement = statement.limit(most + 1)
    rows = matcher.connection.execute(statement.order_by(FIELD.value)).all()
    if most is not None and len(rows) + len(found) > most:
        return False
    for value, numbers, written in rows:
        for text, members in _spelled(value, orjson.loads(numbers), orjson.loads(written)):
            found[value][text] |= members
    return True


def _spelled(
    value: str, numbers: list[int], written: list[str | None]
) -> Iterator[tuple[str, BitMap]]:
    texts = set(written)
    if len(texts) == 1:
        yield written[0] or value, BitMap(numbers)
        return
    for text in texts:
        pairs = zip(numbers, written, strict=True)
        yield text or value, BitMap(number for number, found in pairs if found == text)


def _kinds(matcher: Matcher, found: Mapping[str, Mapping[str, BitMap]]) -> Any:
    """Put in how kinds are written: their columns have lower case, so one document each is read."""
    named = {
        rows.min(): (kind, rows) for kind, spelled in found.items() for rows in spelled.values()
    }
    statement = select(ENTITY.c.id, ENTITY.c.document).where(ENTITY.c.id.in_(list(named)))
    kinds: defaultdict[str, defaultdict[str, BitMap]] = defaultdict(lambda: defaultdict(BitMap))
    for number, document in matcher.connection.execute(statement):
        kind, rows = named.pop(number)
        kinds[kind][orjson.loads(document)["kind"]] |= rows
    for kind, rows in named.values():
        kinds[kind][kind] |= rows
    return kinds


def merged(pairs: Iterable[tuple[str, int]]) -> dict[str, set[int]]:
    """Put the rows of each value together."""
    found: defaultdict[str, set[int]] = defaultdict(set)
    for value, row in pairs:
        found[value].add(row)
    return found
