"""The neighbourhood of an entity as a picture, and the same as a table."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from callboard.entities import EntityRef
from callboard.i18n import Text
from callboard_web.graph.direction import FORWARD, REVERSED, forward
from callboard_web.graph.drawing import draw
from callboard_web.graph.model import Link, Picture, Thing
from callboard_web.graph.neighbourhood import Bundle, Found, Neighbourhood, Tie
from callboard_web.graph.query import GraphQuery
from callboard_web.graph.text import shorten
from callboard_web.words import RELATION_ORDER, relation_words

MOST_MORE: Final = 30
"""Boxes that say how many more there are; the sentence below the picture counts them all."""

NOTE_UNITS: Final = 12


@dataclass(frozen=True, slots=True)
class Row:
    """One of those found, with its relations to those nearer to the centre."""

    found: Found
    ways: Sequence[tuple[Text, Found]]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of the table that belong together: of one relation, or so many steps away.

    `more` are those of the relation that are left out, with the address of their list.
    """

    words: Text
    steps: int
    rows: Sequence[Row]
    more: int = 0
    url: str = ""


def picture_of(area: Neighbourhood) -> Picture:
    """Lay out a neighbourhood, with a box for each bundle that others of are left out."""
    things = [
        Thing(
            key=str(found.ref), title=found.title, kind=found.ref.kind, url=found.ref.path(),
            ref=found.ref, note=shorten(found.type, NOTE_UNITS), missing=not found.exists,
            centre=not found.distance,
        )
        for found in area.found
    ]  # fmt: skip
    missing = {thing.key for thing in things if thing.missing}
    links = [
        Link(
            str(tie.left), str(tie.right), tie.type, relation_words(tie.type),
            dashed=str(tie.left) in missing or str(tie.right) in missing,
        )
        for tie in area.ties
    ]  # fmt: skip
    largest = sorted(area.left_out, key=lambda bundle: (-area.left_out[bundle], bundle))
    for bundle in largest[:MOST_MORE]:
        key = f"more {bundle}"
        things.append(
            Thing(
                key=key, title="", kind=bundle.kind, url=list_url(bundle),
                more=area.left_out[bundle],
            )
        )  # fmt: skip
        name = forward(bundle.type)
        ends = (key, bundle.near) if bundle.type in REVERSED else (bundle.near, key)
        links.append(Link(*ends, name, relation_words(name)))
    return draw(things, links)


def list_url(bundle: Bundle) -> str:
    """Give where all of a bundle are listed: in the catalog where it can say so."""
    near = EntityRef.parse(bundle.near)
    facet = "owner" if bundle.type == "ownerOf" else ""
    if bundle.type == "hasPart" and near.kind == "system":
        facet = "system"
    if facet:
        return f"/catalog?{urlencode({'kind': bundle.kind, facet: bundle.near})}"
    query = GraphQuery(relations=(forward(bundle.type),), kinds=(bundle.kind,))
    return query.url(near.path("relations"))


def table_of(area: Neighbourhood) -> list[Rows]:
    """Give the same as a table: what is next by relation, then what is further by steps."""
    by_ref = {found.ref: found for found in area.found}
    ways: defaultdict[EntityRef, list[tuple[str, Found]]] = defaultdict(list)
    for tie in area.ties:
        left, right = by_ref[tie.left], by_ref[tie.right]
        if left.distance > right.distance:
            ways[left.ref].append((tie.type, right))
        elif right.distance > left.distance:
            ways[right.ref].append((FORWARD.get(tie.type, tie.type), left))
    centre = area.found[0]
    return [*_next_to(centre, area, by_ref), *_further(area, ways)]


def _next_to(centre: Found, area: Neighbourhood, by_ref: dict[EntityRef, Found]) -> Iterable[Rows]:
    near: defaultdict[str, list[Row]] = defaultdict(list)
    for tie in area.ties:
        seen = _from(centre.ref, tie)
        if seen:
            name, other = seen
            near[name].append(Row(by_ref[other], ()))
    left_out: defaultdict[str, list[Bundle]] = defaultdict(list)
    for bundle in area.left_out:
        if bundle.near == str(centre.ref):
            left_out[bundle.type].append(bundle)
    for name in sorted({*near, *left_out}, key=lambda name: (RELATION_ORDER.get(name, 99), name)):
        rows = sorted(near[name], key=lambda row: (row.found.ref.kind, row.found.title))
        rest = left_out[name]
        url = list_url(rest[0]) if len(rest) == 1 else ""
        more = sum(area.left_out[bundle] for bundle in rest)
        yield Rows(relation_words(name), 1, rows, more, url)


def _from(centre: EntityRef, tie: Tie) -> tuple[str, EntityRef] | None:
    """Give a relation as the centre has it, and its other end."""
    if tie.left == centre:
        return tie.type, tie.right
    if tie.right == centre:
        return FORWARD.get(tie.type, tie.type), tie.left
    return None


def _further(area: Neighbourhood, ways: dict[EntityRef, list[tuple[str, Found]]]) -> Iterable[Rows]:
    by_steps: defaultdict[int, list[Row]] = defaultdict(list)
    for found in area.found:
        if found.distance > 1:
            said = [(relation_words(name), other) for name, other in ways.get(found.ref, [])]
            by_steps[found.distance].append(Row(found, said))
    for steps, rows in sorted(by_steps.items()):
        yield Rows("", steps, sorted(rows, key=lambda row: (row.found.ref.kind, row.found.title)))
