"""The order of names of people and teams: by letter, Chinese ones by how they are read."""

from functools import lru_cache
from typing import Final

from callboard_catalog.search.pinyin import spoken

OTHER: Final = "#"
LETTERS: Final = (*"ABCDEFGHIJKLMNOPQRSTUVWXYZ", OTHER)
LONGEST: Final = 60


@lru_cache(maxsize=65_536)
def sort_key(name: str) -> str:
    """Give what names are sorted by: 周昊 stands with Zhou Hao."""
    return spoken(name[:LONGEST].strip()).casefold()


def letter(name: str) -> str:
    """Give the letter under which a name is found, A to Z, or `#`."""
    first = sort_key(name)[:1].upper()
    return first if first in LETTERS else OTHER
