"""Splitting text into words, where Chinese, Japanese and Korean have no spaces between them.

A run of such characters becomes its pairs of neighbours, so that 支付 finds 支付网关 and the order
of words does not matter; its last character stands alone too, so that one character finds it.
Both databases get the same words, made here; neither's own parser takes part.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from callboard_catalog.search.pinyin import pinyin_words, spoken_place

_CJK: Final = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_RUN: Final = re.compile(rf"[{_CJK}]+|[^\W_{_CJK}]+")
_ASCII_RUN: Final = re.compile(r"([a-z0-9]{1,64})[a-z0-9]*")
_ACCENTS: Final = re.compile("[\u0300-\u036f]+")
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_BEGIN: Final = r"(?:(?<![^\W_])|(?-i:(?<=[a-z0-9])(?=[A-Z])))"
_LONGEST: Final = 64
_LONGEST_QUERY: Final = 1_000
_MOST: Final = 400


def words_of(text: str, most: int = _MOST) -> list[str]:
    """Give the words of a text to be indexed, each once, at most `most`."""
    if text.isascii() and not _CAMEL.search(text):
        return list(dict.fromkeys(_ASCII_RUN.findall(text.lower())))[:most]
    found: dict[str, None] = {}
    for run in _RUN.findall(_folded(text)):
        for word in _parts(run):
            found[word[:_LONGEST]] = None
        if len(found) >= most:
            break
    return list(found)[:most]


def _folded(text: str) -> str:
    """Write full-width and other variants of a character as one, and leave accents out."""
    if text.isascii():
        return text
    return unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", text)))


def folded(text: str) -> str:
    """Give a text as it is compared: variants of a character alike, in lower case."""
    return _folded(text).lower()


def _parts(run: str) -> Iterator[str]:
    if run[0] >= "\u3040" and _is_cjk(run[0]):
        yield from (run[i : i + 2] for i in range(len(run) - 1))
        yield run[-1]
        return
    lower = run.lower()
    yield lower
    if lower != run and not run.isupper():
        pieces = _CAMEL.split(run)
        if len(pieces) > 1:
            yield from (piece.lower() for piece in pieces)


def _is_cjk(character: str) -> bool:
    return re.match(rf"[{_CJK}]", character) is not None


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a query: all of `whole` and, for those still being typed, of `prefixes`."""

    whole: tuple[str, ...]
    prefixes: tuple[str, ...]

    @classmethod
    def of_query(cls, text: str, shortest: int = 1) -> "Words":
        """Read what a person typed; the last word counts as begun, not as whole.

        So do Latin letters that Chinese follows at once, as in zf网关: an input method was half
        way. One of fewer than `shortest` Latin letters or digits is whole all the
        same.
        """
        folded = _folded(text[:_LONGEST_QUERY])
        runs = [(found[0][:_LONGEST], found.end()) for found in islice(_RUN.finditer(folded), 12)]
        whole: dict[str, None] = {}
        prefixes: dict[str, None] = {}
        for position, (run, end) in enumerate(runs):
            if _is_cjk(run[0]):
                pairs = [run[i : i + 2] for i in range(len(run) - 1)]
                whole.update(dict.fromkeys(pairs))
                if not pairs:
                    prefixes[run] = None
            elif (len(run) >= shortest or not run.isascii()) and (
                position == len(runs) - 1 or (end < len(folded) and _is_cjk(folded[end]))
            ):
                prefixes[run.lower()[:_LONGEST]] = None
            else:
                whole[run.lower()[:_LONGEST]] = None
        return cls(tuple(whole), tuple(prefixes))

    def __bool__(self) -> bool:
        return bool(self.whole or self.prefixes)

    def places(self, text: str) -> list[tuple[int, int]]:
        """Give where a text matches, as (start, end), in order; they may overlap.

        Words of letters match where a word begins; pairs of Chinese characters anywhere.
        """
        patterns = sorted((*self.whole, *self.prefixes), key=len, reverse=True)
        if not patterns:
            return []
        either = "|".join(
            re.escape(word) if _is_cjk(word[0]) else _BEGIN + re.escape(word) for word in patterns
        )
        # Matches overlap: those of neighbouring pairs share a character.
        return [found.span(1) for found in re.finditer(f"(?=({either}))", text, re.I)]

    def are_in(self, *names: str) -> bool:
        """Say whether names have all the words, or are read as all those in Latin letters."""
        known = [word for name in names for word in words_of(name)]
        known += [word for name in names for word in pinyin_words(name)]
        return all(word in known for word in self.whole) and all(
            any(word.startswith(begun) for word in known) for begun in self.prefixes
        )

    def mark(self, text: str) -> str:
        """Put U+E000 and U+E001 around the places in a text that match, or are read like it."""
        places = self.places(text)
        if not places and not text.isascii():
            typed = (word for word in (*self.whole, *self.prefixes) if word.isascii())
            places = [place for word in typed if (place := spoken_place(text, word))]
        covered = {at for start, end in places for at in range(start, end)}
        marked = "".join(
            f"\ue000{character}\ue001" if at in covered else character
            for at, character in enumerate(text)
        )
        return marked.replace("\ue001\ue000", "")
