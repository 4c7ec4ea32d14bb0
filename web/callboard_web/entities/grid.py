"""Where cards stand: rows of twelve columns without holes, in the order they are given."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

COLUMNS: Final = 12
HALF: Final = 6
"""A card up to this wide is half a row on a medium screen; any other is a whole one."""


@dataclass(frozen=True, slots=True)
class Place:
    """The columns a card takes: of a wide screen, and of one that has room for two cards."""

    wide: int
    medium: int

    @property
    def key(self) -> str:
        """The place as text, for addresses; see `parse`."""
        return f"{self.wide}-{self.medium}"

    @classmethod
    def parse(cls, text: str) -> "Place | None":
        """Read what `key` gave; None for anything else."""
        parts = text.split("-")
        if len(parts) != 2 or not all(part.isdecimal() and len(part) < 3 for part in parts):
            return None
        wide, medium = int(parts[0]), int(parts[1])
        return cls(wide, medium) if 1 <= wide <= COLUMNS and medium in (HALF, COLUMNS) else None


def arrange(widths: Sequence[int]) -> list[Place]:
    """Give each card its place: what is left of a row goes to its cards.

    Equal ones share it, else the last one takes it. The order is never changed: what a card is
    beside stays the same from one day to the next.
    """
    wide = _rows(widths)
    medium = _rows([HALF if width <= HALF else COLUMNS for width in widths])
    return [Place(*pair) for pair in zip(wide, medium, strict=True)]


def _rows(widths: Sequence[int]) -> list[int]:
    placed: list[int] = []
    row: list[int] = []
    for width in widths:
        if sum(row) + width > COLUMNS:
            placed += _filled(row)
            row = []
        row.append(width)
    return placed + _filled(row)


def _filled(row: Sequence[int]) -> list[int]:
    if not row:
        return []
    if len(set(row)) == 1 and COLUMNS % len(row) == 0:
        return [COLUMNS // len(row)] * len(row)
    return [*row[:-1], row[-1] + COLUMNS - sum(row)]
