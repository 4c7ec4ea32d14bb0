"""Which parts of the home page someone sees, and in which order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from callboard.contributions import HomeCard
from callboard.i18n import Text, Translator
from callboard.plugins import Contributed

_: Final = Translator("callboard")

Area = Literal["main", "side", "cards"]
MOST: Final = 300
"""Names kept for one person."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the home page: a section of the host, or a plugin's card."""

    key: str
    title: Text
    area: Area
    plugin: str = ""
    shown: bool = True


SECTIONS: Final = (
    Piece("waiting", _("Waiting for you"), "main"),
    Piece("services", _("My services"), "main"),
    Piece("problems", _("Problems I own"), "main"),
    Piece("starred", _("Starred"), "side"),
    Piece("seen", _("Recently seen"), "side"),
    Piece("activity", _("Activity"), "side"),
    Piece("contents", _("In the catalog"), "side"),
)
AREAS: Final[Mapping[Area, Text]] = {
    "main": _("First column"),
    "side": _("Second column"),
    "cards": _("Cards of plugins"),
}


@dataclass(frozen=True, slots=True)
class Arrangement:
    """What a person changed: the order of names, and those that are hidden.

    What neither names stays where it is: new parts appear at the end of their area.
    """

    order: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "Arrangement":
        """Read what is kept; what cannot be read is as if it were not there."""
        return cls(_names(kept.get("order")), frozenset(_names(kept.get("hidden"))))

    def kept(self) -> dict[str, Any]:
        """Give what `of` reads."""
        return {"order": list(self.order)[:MOST], "hidden": sorted(self.hidden)[:MOST]}

    def pieces(self, contributed: Sequence[Contributed[HomeCard]]) -> list[Piece]:
        """Give the host's parts and the cards given, area by area, in the person's order."""
        cards = [Piece(item.key, item.value.title, "cards", item.plugin) for item in contributed]
        places = {key: place for place, key in enumerate(self.order)}
        last = len(places)
        found = [*SECTIONS, *cards]
        areas = list(AREAS)
        found.sort(key=lambda piece: (areas.index(piece.area), places.get(piece.key, last)))
        return [
            Piece(piece.key, piece.title, piece.area, piece.plugin, piece.key not in self.hidden)
            for piece in found
        ]

    def moved(self, pieces: Sequence[Piece], key: str, step: int) -> "Arrangement":
        """Move a part up (-1) or down (1) within its area; at the end it stays."""
        keys = [piece.key for piece in pieces]
        area = {piece.key: piece.area for piece in pieces}
        at = keys.index(key)
        to = at + step
        if 0 <= to < len(keys) and area[keys[to]] == area[key]:
            keys[at], keys[to] = keys[to], keys[at]
        gone = tuple(name for name in self.order if name not in area)
        return Arrangement((*keys, *gone), self.hidden)

    def showing(self, key: str, shown: bool) -> "Arrangement":
        """Show or hide a part."""
        hidden = self.hidden - {key} if shown else self.hidden | {key}
        return Arrangement(self.order, hidden)


def _names(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list):
        return ()
    return tuple(dict.fromkeys(name for name in given if isinstance(name, str)))[:MOST]
