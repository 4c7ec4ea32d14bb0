"""The small picture of an entity's overview: what is one step around it, at most six a side."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from callboard.entities import EntityRef
from callboard.i18n import Text
from callboard_catalog.reading import Related
from callboard_web.graph.direction import REVERSED, forward
from callboard_web.graph.drawing import draw
from callboard_web.graph.model import CARD, Link, Picture, Thing
from callboard_web.words import RELATION_ORDER, relation_words

MOST: Final = 6


@dataclass(frozen=True, slots=True)
class Beside:
    """One of those drawn, with the words of its relation as the entity has it."""

    ref: EntityRef
    title: str
    kind: str
    words: Text
    exists: bool


@dataclass(frozen=True, slots=True)
class Star:
    """The picture, and the same as a list. `shown` of `total` relations are in it."""

    picture: Picture
    items: Sequence[Beside]
    total: int

    @property
    def shown(self) -> int:
        return len(self.items)


def lay_out(ref: EntityRef, title: str, related: Sequence[Related]) -> Star:
    """Draw an entity with those above it or in need of it to its left, all others to its right."""
    others = sorted(
        (item for item in related if item.ref != ref),
        key=lambda item: (_rank(item.type), item.kind, item.title, str(item.ref)),
    )
    sides = [[item for item in others if (item.type in REVERSED) == left] for left in (True, False)]
    shown = [side if len(side) <= MOST else side[: MOST - 1] for side in sides]
    things = {"": Thing(key="", title=title, kind=ref.kind, url=ref.path(), ref=ref, centre=True)}
    links: list[Link] = []
    for number, (side, kept) in enumerate(zip(sides, shown, strict=True)):
        for item in kept:
            # One that is on both sides is drawn on both: so all lines lead to the right.
            key = f"{number} {item.ref}"
            things.setdefault(key, _thing(key, item))
            links.append(_link(key, item))
        if len(kept) < len(side):
            key = f"{number} more"
            things[key] = Thing(
                key=key, title="", kind="", url=ref.path("relations"), more=len(side) - len(kept)
            )
            links += _links_of_rest(key, side[len(kept) :])
    items = [_beside(item) for side in shown for item in side]
    return Star(draw(list(things.values()), links, sizes=CARD), items, len(others))


def _thing(key: str, item: Related) -> Thing:
    return Thing(
        key=key, title=item.title, kind=item.kind, url=item.ref.path(), ref=item.ref,
        missing=not item.exists,
    )  # fmt: skip


def _link(key: str, item: Related) -> Link:
    ends = (key, "") if item.type in REVERSED else ("", key)
    name = forward(item.type)
    return Link(*ends, name, relation_words(name), dashed=not item.exists)


def _links_of_rest(key: str, rest: Sequence[Related]) -> Iterator[Link]:
    """Give one link for each relation of those left out, to the one that stands for them."""
    for item in {forward(item.type): item for item in rest}.values():
        yield _link(key, item)


def _beside(item: Related) -> Beside:
    return Beside(item.ref, item.title, item.kind, relation_words(item.type), item.exists)


def _rank(relation: str) -> int:
    return RELATION_ORDER.get(relation, len(RELATION_ORDER))
