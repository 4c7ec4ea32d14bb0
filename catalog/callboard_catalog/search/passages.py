"""The part of a text that shows best why it was found."""

import re
from typing import Final

from callboard_catalog.search.words import Words

PASSAGE: Final = 220
"""Characters of a passage; those of Chinese are twice as wide, so half as many of them."""

_MOST_PLACES: Final = 400
_WIDE: Final = re.compile("[\u3000-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef]")
_SPACE: Final = re.compile(r"\s+")
_MARKS: Final = str.maketrans("", "", "\ue000\ue001")


def passage(text: str, words: Words, length: int = PASSAGE) -> str:
    """Give a window of a text around the most of the words, marked with U+E000 and U+E001.

    It is the first one of those alike, on one line, and begins and ends with "…" where the text
    goes on. Empty where no word is in the text.
    """
    plain = text.translate(_MARKS)
    places = words.places(plain)[:_MOST_PLACES]
    if not places:
        return ""
    if len(_WIDE.findall(plain[: length * 2])) > length // 2:
        length //= 2
    begin = _best(plain, places, length)
    start = _word_begin(plain, max(0, min(begin - length // 4, len(plain) - length)), begin)
    end = min(len(plain), start + length)
    if end < len(plain) and (cut := plain.rfind(" ", start + length * 3 // 4, end)) > 0:
        end = cut
    shown = words.mark(_SPACE.sub(" ", plain[start:end]).strip())
    return f"{'…' if start else ''}{shown}{'…' if end < len(plain) else ''}"


def beginning(text: str, length: int = PASSAGE) -> str:
    """Give the first words of a text, where none of it matches."""
    plain = _SPACE.sub(" ", text[: length * 2].translate(_MARKS)).strip()
    return plain if len(plain) <= length else f"{plain[:length].rsplit(' ', 1)[0]}…"


def _best(text: str, places: list[tuple[int, int]], length: int) -> int:
    """Give where the window with the most different words begins, then with the most matches."""
    best, found = places[0][0], (0, 0)
    last = 0
    for first, (begin, _) in enumerate(places):
        last = max(last, first)
        while last < len(places) and places[last][1] <= begin + length:
            last += 1
        inside = {text[start:end].lower() for start, end in places[first:last]}
        richness = (len(inside), last - first)
        if richness > found:
            best, found = begin, richness
    return best


def _word_begin(text: str, start: int, latest: int) -> int:
    if start == 0:
        return 0
    space = text.find(" ", start, latest)
    return space + 1 if space >= 0 else start
