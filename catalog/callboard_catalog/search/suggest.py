"""What someone may have meant whose words are nowhere: one letter off, or two words in one.

The variants of a word are looked up in the index, so it costs the same however many names there
are.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from string import ascii_lowercase
from typing import Final

from sqlalchemy import Connection, text

from callboard_catalog.search.index import ENTITY_TEXT
from callboard_catalog.search.words import Words, words_of

_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_SHORTEST: Final = 4
_LONGEST: Final = 20
_MOST_WORDS: Final = 3
_MOST_NAMES: Final = 60


def suggest(connection: Connection, typed: str) -> str:
    """Give the words as they were probably meant, or nothing. Names of entities are known."""
    meant, mended = typed, 0
    for word in dict.fromkeys(_WORD.findall(typed)):
        if not _SHORTEST <= len(word) <= _LONGEST or mended >= _MOST_WORDS:
            continue
        lower = word.lower()
        if next(iter(_names(connection, [Words((), (lower,))])), None):
            continue
        mended += 1
        found = _one_letter_off(connection, lower) or _divided(connection, lower)
        if found:
            meant = re.sub(rf"\b{re.escape(word)}\b", found, meant)
    return meant if meant != typed else ""


def _one_letter_off(connection: Connection, word: str) -> str:
    variants = set(_variants(word))
    found: Counter[str] = Counter()
    for name in _names(connection, [Words((variant,), ()) for variant in sorted(variants)]):
        found.update(variants.intersection(words_of(name)))
    return min(found, key=lambda meant: (-found[meant], meant)) if found else ""


def _divided(connection: Connection, word: str) -> str:
    halves = [(word[:at], word[at:]) for at in range(2, len(word) - 1)]
    for name in _names(connection, [Words(pair, ()) for pair in halves]):
        named = set(words_of(name))
        for pair in halves:
            if named.issuperset(pair):
                return " ".join(pair)
    return ""


def _variants(word: str) -> Iterator[str]:
    """Give all that is one insertion, deletion, exchange or swap of neighbours away."""
    parts = [(word[:at], word[at:]) for at in range(len(word) + 1)]
    for left, right in parts:
        if right:
            yield left + right[1:]
            yield from (left + letter + right[1:] for letter in ascii_lowercase)
        if len(right) > 1:
            yield left + right[1] + right[0] + right[2:]
        yield from (left + letter + right for letter in ascii_lowercase)


def _names(connection: Connection, any_of: Iterable[Words]) -> list[str]:
    """Give the names and titles of some entities that are called one of these."""
    dialect = connection.dialect.name
    written = (f"({ENTITY_TEXT.query(dialect, words, 'title')})" for words in any_of)
    query = (" OR " if dialect == "sqlite" else " | ").join(written)
    if not query:
        return []
    if dialect == "postgresql":
        # It takes hundreds of words, of which hardly one is there, for most of the table.
        connection.execute(text("SET LOCAL enable_seqscan = off"))
    rows = connection.execute(
        text(
            "SELECT entity.name, entity.title FROM entity_text "
            "JOIN entity ON entity.id = entity_text.rowid "
            f"WHERE {ENTITY_TEXT.condition(dialect)} LIMIT {_MOST_NAMES}"
        ),
        {"words": query},
    ).all()
    if dialect == "postgresql":
        connection.execute(text("SET LOCAL enable_seqscan TO DEFAULT"))
    return [f"{row.name} {row.title}" for row in rows]
