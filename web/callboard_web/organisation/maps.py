"""Maps of domains and systems: what is inside, and what it is joined to outside."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from callboard.entities import EntityRef
from callboard_catalog.service import CatalogService
from callboard_web.graph import Link, Picture, Thing, draw, shorten
from callboard_web.organisation.systems import (
    AREAS,
    Areas,
    Crossing,
    between,
    crossings,
    parts_of,
    read_areas,
)
from callboard_web.words import relation_words

MOST_SYSTEMS: Final = 60
MOST_OUTSIDE: Final = 30
MOST_PARTS: Final = 200
NOTE_UNITS: Final = 20


@dataclass(frozen=True, slots=True)
class Joint:
    """How many relations of one type join two areas; read from left to right."""

    left: EntityRef
    left_title: str
    type: str
    right: EntityRef
    right_title: str
    count: int


@dataclass(frozen=True, slots=True)
class Map:
    """A picture and the same as a list. `left_out` are systems there was no room for."""

    picture: Picture | None
    joints: Sequence[Joint]
    inside: int
    left_out: int


def areas(catalog: CatalogService) -> Areas:
    """Give all systems and domains."""
    key = ("organisation", "areas")
    sight = catalog.sight()
    if sight is None:
        return catalog.cached_for_all(key, read_areas, kinds=AREAS)
    return catalog.cached(key, lambda connection: read_areas(connection, sight))


def _crossings(catalog: CatalogService, systems: Sequence[str]) -> list[Crossing]:
    chosen = tuple(systems)
    return catalog.cached(
        ("organisation", "crossings", chosen),
        lambda connection: crossings(connection, chosen, catalog.sight()),
    )


def map_of_systems(catalog: CatalogService, systems: Sequence[str]) -> Map:
    """Draw systems and those outside that they are joined to, with their relations added up."""
    known = areas(catalog)
    inside = list(systems[:MOST_SYSTEMS])
    counted = between(_crossings(catalog, inside)) if inside else Counter()
    outside = _strongest(counted, set(inside))
    shown = {*inside, *outside}
    kept = {key: count for key, count in counted.items() if {key[0], key[2]} <= shown}
    things = [_system(known, ref, outside=False) for ref in inside]
    things += [_system(known, ref, outside=True) for ref in outside]
    links = [Link(left, right, name, relation_words(name)) for left, name, right in sorted(kept)]
    titles = {thing.key: thing.title for thing in things}
    joints = [
        Joint(EntityRef.parse(left), titles[left], name, EntityRef.parse(right), titles[right], n)
        for (left, name, right), n in sorted(kept.items(), key=lambda item: (-item[1], item[0]))
    ]
    picture = draw(things, links) if things else None
    return Map(picture, joints, len(inside), len(systems) - len(inside))


def _strongest(counted: Counter[tuple[str, str, str]], inside: set[str]) -> list[str]:
    weights: Counter[str] = Counter()
    for (left, _name, right), count in counted.items():
        for system in {left, right} - inside:
            weights[system] += count
    return sorted(weights, key=lambda ref: (-weights[ref], ref))[:MOST_OUTSIDE]


def _system(known: Areas, ref: str, *, outside: bool) -> Thing:
    entity = EntityRef.parse(ref)
    area = known.systems.get(ref)
    domain = known.domains.get(area.domain) if area and outside else None
    return Thing(
        key=ref, title=area.title if area else entity.name, kind="system", url=entity.path(),
        ref=entity, note=shorten(domain.title, NOTE_UNITS) if domain else "",
        missing=area is None, centre=False,
    )  # fmt: skip


def map_of_parts(catalog: CatalogService, system: str) -> tuple[Map, list[Crossing]]:
    """Draw the parts of a system and the systems they are joined to; give what crosses its border.

    What belongs to no system is drawn by itself.
    """
    parts: list[Any] = catalog.cached(
        ("organisation", "parts", system),
        lambda connection: parts_of(connection, system, MOST_PARTS + 1, catalog.sight()),
    )
    known = areas(catalog)
    shown = {row.ref for row in parts[:MOST_PARTS]}
    things = {row.ref: _part(row.ref, row.title, row.type) for row in parts[:MOST_PARTS]}
    links: Counter[tuple[str, str, str]] = Counter()
    crossing: list[Crossing] = []
    for item in _crossings(catalog, [system]):
        ends = []
        for ref, title, home in (
            (item.left, item.left_title, item.left_system),
            (item.right, item.right_title, item.right_system),
        ):
            key = ref if home == system or not home else home
            if key not in things and home != system:
                if len(things) >= MOST_PARTS + MOST_OUTSIDE:
                    continue
                things[key] = _system(known, home, outside=True) if home else _part(ref, title, "")
            ends.append(key)
        if len(ends) == 2 and all(end in things for end in ends):
            links[ends[0], item.type, ends[1]] += 1
        if item.left_system != item.right_system:
            crossing.append(item)
    drawn = [Link(left, right, name, relation_words(name)) for left, name, right in sorted(links)]
    picture = draw(list(things.values()), drawn) if things else None
    return Map(picture, [], len(shown), len(parts) - len(shown)), crossing


def _part(ref: str, title: str, type_: str) -> Thing:
    entity = EntityRef.parse(ref)
    return Thing(
        key=ref, title=title, kind=entity.kind, url=entity.path(), ref=entity,
        note=shorten(type_, 12),
    )  # fmt: skip
