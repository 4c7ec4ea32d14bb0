"""One difference between two versions of a definition."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, Literal

from callboard.i18n import Text, from_data, to_data
from callboard_apis.texts import name_of

Level = Literal["breaking", "warning", "ok"]
LEVELS: Final[tuple[Level, ...]] = ("breaking", "warning", "ok")
MOST_CHANGES: Final = 2_000


@dataclass(frozen=True, slots=True)
class Change:
    """`level` says what it means to those who use the API; `where` names the place in it."""

    level: Level
    where: str
    message: Text

    def to_data(self) -> list[Any]:
        return [self.level, self.where, to_data(self.message)]

    @classmethod
    def from_data(cls, data: Any) -> "Change":
        return cls(data[0], data[1], from_data(data[2]))


class Changes:
    """Gathers changes, each once, at most `MOST_CHANGES`."""

    def __init__(self) -> None:
        self.found: dict[Change, None] = {}

    def add(self, level: Level, where: str, message: Text) -> None:
        if len(self.found) < MOST_CHANGES:
            self.found[Change(level, name_of(where, 400), message)] = None

    def sorted(self) -> list[Change]:
        """Give them with those that break first, in the order they were found."""
        return sorted(self.found, key=lambda change: LEVELS.index(change.level))


def count(changes: Iterable[Change]) -> dict[Level, int]:
    """Count changes by what they mean."""
    found: dict[Level, int] = dict.fromkeys(LEVELS, 0)
    for change in changes:
        found[change.level] += 1
    return found
