"""How wide a text is in a picture, before any browser has drawn it."""

import math
import unicodedata
from typing import Final

UNIT: Final = 6.8
"""Pixels of one Latin character of 13 px; a Chinese, Japanese or Korean one is two units wide."""

_WIDE: Final = frozenset("WF")
_NO_WIDTH: Final = frozenset({"Mn", "Me", "Cf", "Cc"})


def units(text: str) -> int:
    """Give the width of a text in Latin characters; marks that combine have none."""
    if text.isascii() and text.isprintable():
        return len(text)
    return sum(_units(character) for character in text)


def pixels(text: str, unit: float = UNIT) -> int:
    """Give the width of a text in pixels, rounded up."""
    return math.ceil(units(text) * unit)


def shorten(text: str, most: int) -> str:
    """Cut a text at a width in units, with an ellipsis."""
    if len(text) <= most and text.isascii():
        return text
    width = 0
    for index, character in enumerate(text):
        width += _units(character)
        if width > most:
            return f"{text[: max(index - 1, 1)].rstrip()}…"
    return text


def _units(character: str) -> int:
    if unicodedata.category(character) in _NO_WIDTH:
        return 0
    return 2 if unicodedata.east_asian_width(character) in _WIDE else 1
