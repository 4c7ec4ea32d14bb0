"""What is around an entity, read breadth first: one query for each step, whatever is there."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Select, and_, func, not_, or_, select
from sqlalchemy.sql.elements import ColumnElement

from callboard.entities import EntityRef
from callboard_catalog import models
from callboard_catalog.reading import stored_form
from callboard_catalog.sight import Sight
from callboard_web.graph.direction import FORWARD, REVERSED, both_ways, forward, pointed
from callboard_web.graph.query import GraphQuery
from callboard_web.words import RELATION_ORDER

MOST: Final = 300
"""Entities that are drawn, the one in the middle included."""

ALIKE: Final = (MOST, 40, 12)
"""Of those that have one relation to one entity, so many of a kind are read, by step."""

MOST_ROWS: Final = 4_000
MOST_LINKS: Final = 3_000
RELATION: Final = models.relation


class Bundle(NamedTuple):
    """All that have one relation (as `near` has it) to one entity and are of one kind."""

    near: str
    type: str
    kind: str


@dataclass(frozen=True, slots=True)
class Found:
    """An entity or a reference that none answers to, `distance` steps away."""

    ref: EntityRef
    title: str
    type: str
    exists: bool
    distance: int


@dataclass(frozen=True, slots=True)
class Tie:
    """A relation between two of those found, read from left to right."""

    left: EntityRef
    type: str
    right: EntityRef


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Those found, the nearest first, and their relations.

    `left_out` counts, by bundle, relations to entities that are not among them.
    """

    found: Sequence[Found]
    ties: Sequence[Tie]
    left_out: dict[Bundle, int]

    @property
    def more(self) -> int:
        return sum(self.left_out.values())


def neighbourhood(
    connection: Connection,
    ref: EntityRef,
    query: GraphQuery,
    *,
    most: int = MOST,
    sight: Sight | None = None,
) -> Neighbourhood:
    """Read what is within `query.depth` steps of an entity, at most `most` with itself.

    What is there and not seen is left out, and so are the relations it declares.
    """
    centre = stored_form(ref)
    distance = {centre: 0}
    totals: dict[Bundle, int] = {}
    frontier = [centre]
    for step in range(query.depth):
        if not frontier or len(distance) >= most:
            break
        rows = _step(connection, frontier, query, ALIKE[min(step, len(ALIKE) - 1)], sight)
        frontier = []
        for row in rows:
            totals[Bundle(row.near, row.type, row.kind)] = row.total
            if row.far not in distance and len(distance) < most:
                distance[row.far] = step + 1
                frontier.append(row.far)
    # What was not asked for its own relations is at the rim: it has no lines of its own.
    asked = {bundle.near for bundle in totals}
    between = _rows_between(connection, distance, query, sight)
    ties = [
        Tie(_ref(left), name, _ref(right))
        for left, name, right in dict.fromkeys(
            pointed(*row) for row in between if row.source_ref in asked or row.target_ref in asked
        )
    ]
    found = _titled(connection, distance)
    return Neighbourhood(found, ties[:MOST_LINKS], _left_out(totals, between))


def _step(
    connection: Connection,
    frontier: Sequence[str],
    query: GraphQuery,
    alike: int,
    sight: Sight | None,
) -> list[Any]:
    """Give rows (near, type, kind, far, total): the first of every bundle, then the second of …"""
    ahead = _reading(RELATION.c.source_ref, RELATION.c.type, RELATION.c.target_ref)
    back = _reading(RELATION.c.target_ref, RELATION.c.reverse, RELATION.c.source_ref)
    ends = (
        ahead.where(
            RELATION.c.source_ref.in_(frontier),
            *_allowed(query, ahead=True),
            *_seen(connection, sight, RELATION.c.target_ref),
        )
        .union(
            back.where(
                RELATION.c.target_ref.in_(frontier),
                *_allowed(query, ahead=False),
                *_seen(connection, sight, RELATION.c.source_ref),
            )
        )
        .subquery()
    )
    kind = _kind_of(connection, ends.c.far)
    bundle = (ends.c.near, ends.c.type, kind)
    counted = select(
        ends.c.near,
        ends.c.type,
        kind.label("kind"),
        ends.c.far,
        func.row_number().over(partition_by=bundle, order_by=ends.c.far).label("position"),
        func.count().over(partition_by=bundle).label("total"),
    )
    if query.kinds:
        counted = counted.where(kind.in_(query.kinds))
    ranked = counted.subquery()
    statement = select(ranked).where(ranked.c.position <= alike).order_by(ranked.c.position)
    place = {near: index for index, near in enumerate(frontier)}
    return sorted(
        connection.execute(statement.limit(MOST_ROWS)),
        key=lambda row: (row.position, place[row.near], _rank(row.type), row.kind, row.far),
    )


def _reading(near: Any, type_: Any, far: Any) -> Select[Any]:
    return select(near.label("near"), type_.label("type"), far.label("far")).where(near != far)


def _allowed(query: GraphQuery, *, ahead: bool) -> list[ColumnElement[bool]]:
    """Give what the chosen relations and direction ask of rows read ahead, or backwards."""
    conditions: list[ColumnElement[bool]] = []
    if query.relations:
        names = {name for chosen in query.relations for name in both_ways(chosen)}
        conditions.append(or_(RELATION.c.type.in_(names), RELATION.c.reverse.in_(names)))
    # As `direction.pointed` says: the left end is the target only of these.
    is_turned = or_(
        RELATION.c.type.in_(tuple(REVERSED)),
        and_(RELATION.c.reverse.in_(tuple(FORWARD)), not_(RELATION.c.type.in_(tuple(FORWARD)))),
    )
    if query.direction != "both":
        to_right = (query.direction == "out") == ahead
        conditions.append(not_(is_turned) if to_right else is_turned)
    return conditions


def _seen(connection: Connection, sight: Sight | None, far: Any) -> list[ColumnElement[bool]]:
    """Give what is asked of a relation: it is declared by one that is seen, to none that is not."""
    if sight is None:
        return []
    declared = sight.of_id(connection, RELATION.c.origin_id)
    return [declared, sight.not_hidden(connection, far)]


def _kind_of(connection: Connection, ref: Any) -> ColumnElement[str]:
    if connection.dialect.name == "postgresql":
        return func.split_part(ref, ":", 1)
    return func.substr(ref, 1, func.instr(ref, ":") - 1)


def _rows_between(
    connection: Connection, distance: dict[str, int], query: GraphQuery, sight: Sight | None
) -> Sequence[Any]:
    """Give the relations, as they are stored, with both ends among those found."""
    statement = (
        select(RELATION.c.source_ref, RELATION.c.type, RELATION.c.reverse, RELATION.c.target_ref)
        .where(
            RELATION.c.source_ref.in_(list(distance)),
            RELATION.c.target_ref.in_(list(distance)),
            RELATION.c.source_ref != RELATION.c.target_ref,
            *_allowed(GraphQuery(relations=query.relations), ahead=True),
            *_seen(connection, sight, RELATION.c.target_ref),
        )
        .order_by(RELATION.c.source_ref, RELATION.c.type, RELATION.c.target_ref)
        .limit(2 * MOST_LINKS)
    )
    return connection.execute(statement).all()


def _ref(text: str) -> EntityRef:
    return EntityRef.parse(text)


def _titled(connection: Connection, distance: dict[str, int]) -> list[Found]:
    entity = models.entity
    statement = select(entity.c.ref, entity.c.title, entity.c.type).where(
        entity.c.ref.in_(list(distance))
    )
    rows = {row.ref: row for row in connection.execute(statement)}
    found = []
    for text, steps in distance.items():
        ref, row = _ref(text), rows.get(text)
        title, type_ = (row.title, row.type) if row else (ref.name, "")
        found.append(Found(ref, title, type_, row is not None, steps))
    return found


def _left_out(totals: dict[Bundle, int], rows: Sequence[Any]) -> dict[Bundle, int]:
    """Give how many of each bundle are not drawn: its total less those that a line leads to."""
    drawn = {(row.source_ref, row.type, row.target_ref) for row in rows}
    drawn |= {(row.target_ref, row.reverse, row.source_ref) for row in rows}
    counts = Counter(Bundle(near, name, far.partition(":")[0]) for near, name, far in drawn)
    rest = {bundle: total - counts[bundle] for bundle, total in totals.items()}
    return {bundle: number for bundle, number in rest.items() if number > 0}


def _rank(relation: str) -> int:
    return RELATION_ORDER.get(forward(relation), len(RELATION_ORDER))
