"""What someone may have meant whose words are nowhere: one letter off, or two words in one.

The variants of a word are looked up in the index, so it costs the same however many names there
are.
"""

import json
import re
from collections.abc import Iterable, Iterator
from string import ascii_lowercase
from typing import Final

from sqlalchemy import Connection, text

from callboard_catalog.search.index import ENTITY_TEXT
from callboard_catalog.search.words import Words

_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_SHORTEST: Final = 4
_LONGEST: Final = 20
_MOST_WORDS: Final = 3
_MOST_COUNTED: Final = 50

_TRIED: Final = {
    "sqlite": "SELECT value AS tried FROM json_each(:tried)",
    "postgresql": "SELECT tried FROM json_array_elements_text(CAST(:tried AS json)) AS tried",
}


def suggest(connection: Connection, typed: str) -> str:
    """Give the words as they were probably meant, or nothing. Names of entities are known."""
    meant, mended = typed, 0
    for word in dict.fromkeys(_WORD.findall(typed)):
        if not _SHORTEST <= len(word) <= _LONGEST or mended >= _MOST_WORDS:
            continue
        lower = word.lower()
        if _commonest(connection, {lower: Words((), (lower,))}):
            continue
        mended += 1
        found = _one_letter_off(connection, lower) or _divided(connection, lower)
        if found:
            meant = re.sub(rf"\b{re.escape(word)}\b", found, meant)
    return meant if meant != typed else ""


def _one_letter_off(connection: Connection, word: str) -> str:
    return _commonest(connection, {other: Words((other,), ()) for other in _variants(word)})


def _divided(connection: Connection, word: str) -> str:
    halves = ((word[:at], word[at:]) for at in range(2, len(word) - 1))
    return _commonest(connection, {" ".join(pair): Words(pair, ()) for pair in halves})


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


def _commonest(connection: Connection, tried: dict[str, Words]) -> str:
    """Give which of the texts most names have, of those that any has; or nothing."""
    dialect = connection.dialect.name
    queries = {ENTITY_TEXT.query(dialect, words, "title"): name for name, words in tried.items()}
    rows = connection.execute(
        text(
            f"SELECT tried, (SELECT count(*) FROM (SELECT 1 FROM {ENTITY_TEXT.name} WHERE "
            f"{_matches(dialect)} LIMIT {_MOST_COUNTED}) AS counted) AS number "
            f"FROM ({_TRIED[dialect]}) AS given"
        ),
        {"tried": json.dumps(sorted(queries))},
    )
    found: Iterable[tuple[int, str]] = ((-row.number, queries[row.tried]) for row in rows)
    number, best = min(found, default=(0, ""))
    return best if number else ""


def _matches(dialect: str) -> str:
    if dialect == "sqlite":
        return f"{ENTITY_TEXT.name} MATCH tried"
    return f"{ENTITY_TEXT.name}.words @@ CAST(tried AS tsquery)"
