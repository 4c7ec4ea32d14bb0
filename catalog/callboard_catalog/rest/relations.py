"""Relations as keys: `relations.ownedby` has the references that an entity has this relation to.

A row of `relation` is one in both directions. It is declared by its source, so what is asked of
that side needs no other table; both sides may have declared the same. Relations that entities
declare which the one who asks may not see are not there for them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from pyroaring import BitMap
from sqlalchemy import Connection, Select, func, select
from sqlalchemy.sql.elements import ColumnElement

from callboard_catalog import models
from callboard_catalog.facets import FacetIndex
from callboard_catalog.rest.columns import columns_of, numbers_of

ENTITY: Final = models.entity
RELATION: Final = models.relation.c
OWNED: Final = ("ownedBy", "ownerOf")
Condition = Callable[[ColumnElement[Any]], ColumnElement[bool]]


@dataclass(frozen=True, slots=True)
class Sense:
    """A relation read forward, from its source on, or backward."""

    type: str
    reverse: str
    forward: bool

    def named(self, few: bool = False) -> list[ColumnElement[bool]]:
        """Say in SQL that a row is of this relation; `few`, that other conditions leave few."""
        pairs = ((RELATION.type, self.type), (RELATION.reverse, self.reverse))
        # Then the index of names, which has many of each, must not be taken.
        return [(column.concat("") if few else column) == name for column, name in pairs]


@dataclass(frozen=True, slots=True)
class Ends:
    """Entities that have a relation, each with who declared it and with the other end, if asked."""

    rows: list[int]
    origins: list[int]
    others: list[str]

    def seen(self, rows: BitMap | None) -> BitMap:
        """Give the entities of what is declared by these rows; by any where that is None."""
        if rows is None:
            return BitMap(self.rows)
        pairs = zip(self.rows, self.origins, strict=True)
        return BitMap([row for row, origin in pairs if origin in rows])

    def pairs(self, rows: BitMap | None) -> Iterator[tuple[str, int]]:
        """Give other ends and entities of what is declared by these rows, as often as it is."""
        for other, row, origin in zip(self.others, self.rows, self.origins, strict=True):
            if rows is None or origin in rows:
                yield other, row

    def add(
        self,
        connection: Connection,
        sense: Sense,
        condition: Condition | None,
        few: bool,
        others: bool,
    ) -> None:
        """Read rows: their own end and the other one, and which are meant."""
        own = RELATION.origin_id if sense.forward else ENTITY.c.id
        other = RELATION.target_ref if sense.forward else RELATION.source_ref
        statement: Select[Any] = select(own, RELATION.origin_id)
        if others:
            statement = statement.add_columns(other)
        if not sense.forward:
            joined = ENTITY.c.ref == RELATION.target_ref
            statement = statement.join_from(models.relation, ENTITY, joined)
        statement = statement.where(*sense.named(few))
        if condition is not None:
            statement = statement.where(condition(other))
        rows, origins, *rest = columns_of(connection, statement)
        self.rows.extend(rows)
        self.origins.extend(origins)
        self.others.extend(*rest or ((),))


def relation_types(connection: Connection) -> list[tuple[str, str]]:
    """Give the relations there are, each with its name read backwards.

    It goes from one to the next along an index: there are few of them in many rows.
    """
    found: list[tuple[str, str]] = []
    statement = select(RELATION.type, RELATION.reverse)
    ordered = statement.order_by(RELATION.type, RELATION.reverse).limit(1)
    row = connection.execute(ordered).first()
    while row is not None:
        kind, reverse = row
        found.append((kind, reverse))
        row = (
            connection.execute(
                ordered.where(RELATION.type == kind, RELATION.reverse > reverse)
            ).first()
            or connection.execute(ordered.where(RELATION.type > kind)).first()
        )
    return found


def read_ends(
    connection: Connection,
    types: list[tuple[str, str]],
    name: str,
    condition: Condition | None = None,
    *,
    few: bool = False,
    others: bool = False,
) -> Ends:
    """Give who has a relation by its lower-case name.

    `condition` says of a column with the other end which are meant, `few` that these are few;
    `others` asks for the other ends as well.
    """
    found = Ends([], [], [])
    for sense in senses_of(types, name):
        found.add(connection, sense, condition, few, others)
    return found


def senses_of(types: list[tuple[str, str]], name: str) -> list[Sense]:
    """Give the relations that have a lower-case name, one way or the other."""
    forward = [Sense(*pair, True) for pair in types if pair[0].lower() == name]
    return forward + [Sense(*pair, False) for pair in types if pair[1].lower() == name]


def having(connection: Connection, sense: Sense) -> BitMap:
    """Give the entities that have a relation, whoever declared it."""
    if sense.forward:
        return numbers_of(connection, select(RELATION.origin_id).where(*sense.named()))
    targets = select(RELATION.target_ref).where(*sense.named())
    return numbers_of(connection, select(ENTITY.c.id).where(ENTITY.c.ref.in_(targets)))


def is_owner_exact(connection: Connection, types: list[tuple[str, str]], index: FacetIndex) -> bool:
    """Say whether owners are all there is of `ownedBy`: each entity declares its own, and one."""
    owned = [pair for pair in types if "ownedby" in (pair[0].lower(), pair[1].lower())]
    if owned != [OWNED]:
        return not owned
    statement = select(func.count()).where(RELATION.type == OWNED[0])
    having = len(index.everything) - len(index.values["owner"].get("", ()))
    return connection.scalar(statement) == having
