"""Systems and domains: what is inside them, and what crosses their borders."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from callboard.entities import EntityRef
from callboard_catalog import models
from callboard_catalog.sight import Sight
from callboard_catalog.store.bulk import CHUNK
from callboard_web.graph.direction import pointed
from callboard_web.organisation.names import sort_key

NEEDS: Final = (
    "dependsOn", "dependencyOf", "consumesApi", "apiConsumedBy", "providesApi", "apiProvidedBy",
)  # fmt: skip
PARTS: Final = ("component", "api", "resource")
AREAS: Final = ("system", "domain")
MOST_ROWS: Final = 6_000
ENTITY: Final = models.entity


@dataclass(frozen=True, slots=True)
class Area:
    """A system or a domain; `domain` is the domain it is in, as text, empty for none."""

    ref: str
    kind: str
    title: str
    owner: str
    domain: str

    @property
    def entity(self) -> EntityRef:
        return EntityRef.parse(self.ref)


@dataclass(frozen=True)
class Areas:
    """All systems and domains, by reference, in the order of their names."""

    systems: Mapping[str, Area]
    domains: Mapping[str, Area]

    def inside(self, domain: str) -> list[str]:
        """Give the systems of a domain and of all domains in it."""
        waiting = [domain]
        for ref in waiting:
            waiting += [other for other in self._below.get(ref, ()) if other not in waiting]
        homes = set(waiting)
        return [ref for ref, area in self.systems.items() if area.domain in homes]

    @cached_property
    def _below(self) -> Mapping[str, Sequence[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for area in self.domains.values():
            found[area.domain].append(area.ref)
        return dict(found)

    @cached_property
    def by_domain(self) -> Sequence[tuple[str, Sequence[Area]]]:
        """Give domains with their systems, in order; what has no known domain comes last."""
        found: dict[str, list[Area]] = {ref: [] for ref in self.domains}
        rest: list[Area] = []
        for area in self.systems.values():
            found.get(area.domain, rest).append(area)
        return [*found.items(), *([("", rest)] if rest else [])]

    @cached_property
    def empty(self) -> Sequence[Area]:
        """Give the domains that have neither systems nor domains in them."""
        homes = {area.domain for area in (*self.systems.values(), *self.domains.values())}
        return [area for ref, area in self.domains.items() if ref not in homes]


class Crossing(NamedTuple):
    """A relation between parts of systems, read from left to right, all as text."""

    left: str
    left_title: str
    left_system: str
    type: str
    right: str
    right_title: str
    right_system: str


def read_areas(connection: Connection, sight: Sight | None = None) -> Areas:
    """Read all systems and domains that are seen, in one query."""
    columns = (ENTITY.c.ref, ENTITY.c.kind, ENTITY.c.title, ENTITY.c.owner, ENTITY.c.domain)
    statement = select(*columns).where(ENTITY.c.kind.in_(AREAS))
    if sight is not None:
        statement = statement.where(sight.condition(connection))
    rows = connection.execute(statement).all()
    areas = [Area(*row) for row in sorted(rows, key=lambda row: (sort_key(row.title), row.ref))]
    return Areas(
        {area.ref: area for area in areas if area.kind == "system"},
        {area.ref: area for area in areas if area.kind == "domain"},
    )


def crossings(
    connection: Connection, systems: Sequence[str], sight: Sight | None = None
) -> list[Crossing]:
    """Read the relations of the parts of these systems to each other and to what is outside.

    Two queries, one for each end; at most 6,000 relations each. Both ends, and who declares the
    relation, are seen; a system that is not is as none.
    """
    found: dict[Crossing, None] = {}
    source, target = ENTITY.alias("source"), ENTITY.alias("target")
    relation = models.relation
    joined = select(
        source.c.ref, source.c.title, source.c.system, relation.c.type, relation.c.reverse,
        target.c.ref, target.c.title, target.c.system,
    ).select_from(
        relation.join(source, source.c.ref == relation.c.source_ref).join(
            target, target.c.ref == relation.c.target_ref
        )
    )  # fmt: skip
    if sight is not None:
        joined = joined.where(
            sight.condition(connection, source),
            sight.condition(connection, target),
            sight.of_id(connection, relation.c.origin_id),
        )
    for end in (source, target):
        inside = end.c.kind.in_(PARTS) & end.c.system.in_(systems[:CHUNK])
        statement = joined.where(inside, relation.c.type.in_(NEEDS)).limit(MOST_ROWS)
        for row in connection.execute(statement):
            crossing = _read(row)
            if sight is not None:
                crossing = _without_hidden(crossing, sight)
            if crossing.left != crossing.right:
                found[crossing] = None
    return sorted(found)


def _read(row: Any) -> Crossing:
    left, name, _right = pointed("source", row[3], row[4], "target")
    ahead = left == "source"
    first, second = (row[:3], row[5:8]) if ahead else (row[5:8], row[:3])
    return Crossing(first[0], first[1], first[2], name, second[0], second[1], second[2])


def _without_hidden(crossing: Crossing, sight: Sight) -> Crossing:
    left, right = crossing.left_system, crossing.right_system
    return crossing._replace(
        left_system="" if sight.hides(left) else left,
        right_system="" if sight.hides(right) else right,
    )


def between(found: Sequence[Crossing]) -> Counter[tuple[str, str, str]]:
    """Count the relations between two systems by type: (left, type, right)."""
    return Counter(
        (item.left_system, item.type, item.right_system)
        for item in found
        if item.left_system and item.right_system and item.left_system != item.right_system
    )


def parts_of(
    connection: Connection, system: str, most: int, sight: Sight | None = None
) -> list[Any]:
    """Give the parts of a system (ref, kind, title, type, lifecycle), by kind and name."""
    columns = (ENTITY.c.ref, ENTITY.c.kind, ENTITY.c.title, ENTITY.c.type, ENTITY.c.lifecycle)
    statement = select(*columns).where(ENTITY.c.kind.in_(PARTS), ENTITY.c.system == system)
    if sight is not None:
        statement = statement.where(sight.condition(connection))
    order = (ENTITY.c.kind.desc(), ENTITY.c.name)
    return list(connection.execute(statement.order_by(*order).limit(most)))
