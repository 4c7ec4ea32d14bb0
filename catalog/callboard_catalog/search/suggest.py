"""What someone may have meant whose words are nowhere: one letter off, or two words in one.

The variants of a word are looked up in the index, so it costs the same however many names there
are.
"""

import json
import re
from collections.abc import Iterable, Iterator
from string import ascii_lowercase
from typing import Final

from sqlalchemy import Connection, column, func, literal, select, table, text

from callboard_catalog.search.index import ENTITY_TEXT
from callboard_catalog.search.words import Words
from callboard_catalog.sight import Sight

_WORD: Final = re.compile(r"[A-Za-z0-9]+")
_SHORTEST: Final = 4
_LONGEST: Final = 20
_MOST_WORDS: Final = 3
_MOST_COUNTED: Final = 50

_INDEXED: Final = table(ENTITY_TEXT.name, column("rowid"))
_TRIED: Final = {
    "sqlite": "SELECT value AS tried FROM json_each(:tried)",
    "postgresql": "SELECT tried FROM json_array_elements_text(CAST(:tried AS json)) AS tried",
}


def suggest(connection: Connection, typed: str, sight: Sight | None = None) -> str:
    """Give the words as they were probably meant, or nothing.

    The names of entities are known, as far as they are seen.
    """
    meant, mended = typed, 0
    for word in dict.fromkeys(_WORD.findall(typed)):
        if not _SHORTEST <= len(word) <= _LONGEST or mended >= _MOST_WORDS:
            continue
        lower = word.lower()
        if _commonest(connection, {lower: Words((), (lower,))}, sight):
            continue
        mended += 1
        found = _one_letter_off(connection, lower, sight) or _divided(connection, lower, sight)
        if found:
            meant = re.sub(rf"\b{re.escape(word)}\b", found, meant)
    return meant if meant != typed else ""


def _one_letter_off(connection: Connection, word: str, sight: Sight | None) -> str:
    tried = {other: Words((other,), ()) for other in _variants(word)}
    return _commonest(connection, tried, sight)


def _divided(connection: Connection, word: str, sight: Sight | None) -> str:
    halves = ((word[:at], word[at:]) for at in range(2, len(word) - 1))
    return _commonest(connection, {" ".join(pair): Words(pair, ()) for pair in halves}, sight)


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


def _commonest(connection: Connection, tried: dict[str, Words], sight: Sight | None) -> str:
    """Give which of the texts most names have, of those that any has; or nothing."""
    dialect = connection.dialect.name
    queries = {ENTITY_TEXT.query(dialect, words, "title"): name for name, words in tried.items()}
    matching = select(literal(1)).select_from(_INDEXED).where(text(_matches(dialect)))
    if sight is not None:
        matching = matching.where(sight.of_id(connection, _INDEXED.c.rowid))
    counted = select(func.count()).select_from(matching.limit(_MOST_COUNTED).subquery("counted"))
    given = text(_TRIED[dialect]).columns(column("tried")).subquery("given")
    statement = select(given.c.tried, counted.scalar_subquery().label("number"))
    rows = connection.execute(statement, {"tried": json.dumps(sorted(queries))})
    found: Iterable[tuple[int, str]] = ((-row.number, queries[row.tried]) for row in rows)
    number, best = min(found, default=(0, ""))
    return best if number else ""


def _matches(dialect: str) -> str:
    if dialect == "sqlite":
        return f"{ENTITY_TEXT.name} MATCH given.tried"
    return f"{ENTITY_TEXT.name}.words @@ CAST(given.tried AS tsquery)"
