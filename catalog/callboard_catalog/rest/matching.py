"""Which rows match an expression, as sets of row numbers."""

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from pyroaring import BitMap
from sqlalchemy import Connection, and_, func, or_, select

from callboard_catalog import models
from callboard_catalog.facets import FacetIndex
from callboard_catalog.rest import expressions
from callboard_catalog.rest.columns import begins, numbers_of, storable
from callboard_catalog.rest.expressions import Expression
from callboard_catalog.rest.keys import COLUMNS, FIELD, RELATIONS, Place
from callboard_catalog.rest.known import Known
from callboard_catalog.rest.relations import (
    Condition,
    Ends,
    Sense,
    having,
    is_owner_exact,
    read_ends,
    relation_types,
    senses_of,
)
from callboard_catalog.sight import Sight
from callboard_catalog.store.bulk import one_of
from callboard_catalog.store.fields import API_VERSION, LONGEST

T = TypeVar("T")
ENTITY: Final = models.entity
FACETS: Final = {
    "kind": "kind",
    "metadata.namespace": "namespace",
    "metadata.tags": "tag",
    "spec.type": "type",
    "spec.lifecycle": "lifecycle",
}
"""The keys whose values are those of a facet, and of rows where the facet does not tell them."""

OWNED: Final = "relations.ownedby"
VERSION: Final = "apiversion"
TRUE: Final = "true"
HEAVY: Final = 2_000
"""Characters of an expression, beyond which its answer is not kept: the question takes more room.
"""


def weight(expression: Expression) -> int:
    """Give about how many characters an expression has."""
    match expression:
        case expressions.All(parts) | expressions.Any(parts):
            return sum(map(weight, parts))
        case expressions.Not(part):
            return weight(part)
        case expressions.Exists(key):
            return len(key)
        case expressions.In(key, values):
            return len(key) + sum(map(len, values))
        case expressions.Prefix(key, text):
            return len(key) + len(text)


class Matcher:
    """Finds rows in one state of the catalog. What it gives must not be changed."""

    def __init__(
        self, connection: Connection, index: FacetIndex, sight: Sight | None, known: Known
    ) -> None:
        self.connection = connection
        self.index = index
        self.sight = sight
        self._known = known

    @property
    def everything(self) -> BitMap:
        """The rows that are seen."""
        return self.index.everything if self.sight is None else self.sight.rows

    @property
    def declaring(self) -> BitMap | None:
        """The rows whose relations are there; None for all."""
        return None if self.sight is None else self.sight.rows

    def kept(self, key: Any, make: Callable[[], T]) -> T:
        """Give what holds for all who ask until the catalog changes."""
        if isinstance(key, tuple) and isinstance(key[-1], str) and len(key[-1]) > LONGEST:
            return make()
        return self._known.get(key, make)

    def kept_seen(self, key: Any, make: Callable[[], T], most: int | None = None) -> T:
        """Give what holds for those who see the same until the catalog changes."""
        return self._known.get((self.sight and self.sight.filter, key), make, most)

    def rows(self, expression: Expression) -> BitMap:
        """Give the rows that are seen and match."""
        return self._rows(expression) & self.everything

    def _rows(self, expression: Expression) -> BitMap:
        match expression:
            case expressions.All(parts):
                found = sorted(map(self._rows, parts), key=len)
                return BitMap.intersection(*found) if found else self.everything
            case expressions.Any(parts):
                return BitMap.union(BitMap(), *map(self._rows, parts))
            case expressions.Not(part):
                return self.everything - self._rows(part)
            case expressions.Exists(key):
                return self._leaf(expression, key, self._existing)
            case expressions.In(key, values):
                return self._leaf(expression, key, lambda key: self._equal(key, values))
            case expressions.Prefix(key, text):
                return self._leaf(expression, key, lambda key: self._beginning(key, text))

    def _leaf(self, leaf: Expression, key: str, make: Callable[[str], BitMap]) -> BitMap:
        if weight(leaf) > HEAVY:
            return make(key)
        keep = self.kept_seen if key.startswith(RELATIONS) else self.kept
        return keep(leaf, lambda: make(key))

    # Conditions

    def _existing(self, key: str) -> BitMap:
        if key in COLUMNS or key in ("kind", "metadata.namespace", VERSION):
            return self.index.everything
        if key.startswith(RELATIONS):
            return self._having_relation(key)
        place = self.place(key)
        ids = [*place.values, *([] if place.empty is None else [place.empty])]
        found = [*(rows for value, rows in self.facet(key).items()), self._items(place)]
        if ids:
            statement = select(FIELD.entity_id).where(FIELD.key_id.in_(ids))
            found.append(numbers_of(self.connection, statement))
        return BitMap.union(*found)

    def _equal(self, key: str, values: Iterable[str]) -> BitMap:
        wanted = storable(values)
        if not wanted:
            return BitMap()
        chosen = set(wanted)
        return self._having(
            key,
            lambda column: one_of(self.connection, column, wanted),
            chosen.__contains__,
            chosen,
        )

    def _beginning(self, key: str, text: str) -> BitMap:
        if not storable([text]):
            return BitMap()
        return self._having(
            key, lambda column: begins(column, text), lambda value: value.startswith(text)
        )

    def containing(self, key: str, text: str) -> BitMap:
        """Give the rows that have a value with this lower-case text in it."""
        if not storable([text]):
            return BitMap()
        position = func.instr if self.connection.dialect.name == "sqlite" else func.strpos
        return self._having(key, lambda column: position(column, text) > 0, lambda v: text in v)

    def _having(
        self,
        key: str,
        condition: Condition,
        fits: Callable[[str], bool],
        values: Iterable[str] | None = None,
    ) -> BitMap:
        """Give the rows of values that fit, which `condition` says in SQL.

        `values` are those that can fit, where they can be told.
        """
        if key.startswith(RELATIONS):
            return self._related(key, condition, fits, few=values is not None)
        if (column := COLUMNS.get(key)) is not None:
            return numbers_of(self.connection, select(ENTITY.c.id).where(condition(column)))
        facet = self.facet(key)
        chosen = facet if values is None else (value for value in values if value in facet)
        found = [facet[value] for value in chosen if fits(value)]
        if key in ("kind", "metadata.namespace", "metadata.tags"):
            return BitMap.union(BitMap(), *found)
        place = self.place(key)
        if place.values:
            found.append(numbers_of(self.connection, place.rows(condition(FIELD.value))))
        if key == VERSION and fits(API_VERSION):
            found.append(self.usual_version())
        if place.items and fits(TRUE):
            found.append(self._items(place))
        return BitMap.union(BitMap(), *found)

    # Where values are

    def place(self, key: str) -> Place:
        """Give the numbers of a key."""
        return self.kept(("place", key), lambda: Place.of(self.connection, key))

    def facet(self, key: str) -> dict[str, BitMap]:
        """Give the rows of each value, lower-case, as far as a facet of the index tells."""
        if key not in FACETS:
            return {}
        return self.kept(("facet", key), lambda: self._lowered(FACETS[key]))

    def _lowered(self, facet: str) -> dict[str, BitMap]:
        found: dict[str, BitMap] = {}
        for value, rows in self.index.values[facet].items():
            lower = value.lower()
            # A longer one was cut, and its row says what it is.
            if value and (len(lower) < LONGEST or facet == "tag"):
                found[lower] = found[lower] | rows if lower in found else rows
        return found

    def usual_version(self) -> BitMap:
        """Give the rows of which no row says what version they are."""
        place = self.place(VERSION)
        return self.index.everything - numbers_of(self.connection, place.rows())

    def _items(self, place: Place) -> BitMap:
        """Give the rows with a list that holds the end of the key as a text."""
        if not place.items:
            return BitMap()
        parts = [and_(FIELD.key_id == key, FIELD.value == rest) for key, rest in place.items]
        return numbers_of(self.connection, select(FIELD.entity_id).where(or_(*parts)))

    def items(self, key: str) -> BitMap:
        """Give the rows of which a list makes this key true."""
        return self.kept(("items", key), lambda: self._items(self.place(key)))

    # Relations

    def owners(self) -> dict[str, BitMap] | None:
        """Give the rows of each owner, where that is all there is of `ownedBy`."""
        exact = self.kept(
            "owners", lambda: is_owner_exact(self.connection, self._types(), self.index)
        )
        return {k: v for k, v in self.index.values["owner"].items() if k} if exact else None

    def _types(self) -> list[tuple[str, str]]:
        return self.kept("types", lambda: relation_types(self.connection))

    def senses(self, key: str) -> list[Sense]:
        """Give the relations that a key names."""
        return senses_of(self._types(), key.removeprefix(RELATIONS))

    def only_forward(self, key: str) -> Sense | None:
        """Give the one relation that a key names, where it is read from its source on."""
        senses = self.senses(key)
        return senses[0] if len(senses) == 1 and senses[0].forward else None

    def _having_relation(self, key: str) -> BitMap:
        if key == OWNED and (owners := self.owners()) is not None:
            return BitMap.union(BitMap(), *owners.values())
        return BitMap.union(BitMap(), *map(self._having_sense, self.senses(key)))

    def _having_sense(self, sense: Sense) -> BitMap:
        # What is read forward is declared by who has it: it need not be asked who that is.
        if sense.forward or self.declaring is None:
            return self.kept(("having", sense), lambda: having(self.connection, sense))
        ends = Ends([], [], [])
        ends.add(self.connection, sense, None, few=False, others=False)
        return ends.seen(self.declaring)

    def ends(self, key: str) -> Ends:
        """Give who has a relation, to what, and who declared it."""
        return read_ends(self.connection, self._types(), key.removeprefix(RELATIONS), others=True)

    def _related(
        self, key: str, condition: Condition | None, fits: Callable[[str], bool], few: bool
    ) -> BitMap:
        if key == OWNED and (owners := self.owners()) is not None:
            return BitMap.union(BitMap(), *(rows for ref, rows in owners.items() if fits(ref)))
        name = key.removeprefix(RELATIONS)
        ends = read_ends(self.connection, self._types(), name, condition, few=few)
        return ends.seen(self.declaring)
