"""The language of search: words, "phrases", and operators such as `owner:trade-core`.

Everything a person types is a query: what is no operator is text.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

OPERATORS: Final = (
    "owner", "kind", "type", "tag", "lifecycle", "system", "domain", "source", "is", "in",
)  # fmt: skip
"""What may stand before a colon."""

IS_VALUES: Final = ("starred", "mine", "orphan", "deprecated")
"""What may stand after `is:`."""

LONGEST_QUERY: Final = 1_000
MOST_FILTERS: Final = 20
MOST_VALUES: Final = 20
LONGEST_VALUE: Final = 200

_ALL_OF: Final = frozenset({"tag", "is"})
"""Operators that an entity can satisfy several times over: given twice they mean both."""

_VALUES: Final = r'(?:"[^"]*(?:"|$)|[^\s",\uff0c]+|[,\uff0c])*'
_TOKEN: Final = re.compile(
    rf"(?P<negated>-?)(?P<operator>{'|'.join(OPERATORS)})[:\uff1a](?P<values>{_VALUES})"
    r'|"(?P<phrase>[^"]*)(?:"|$)|(?P<word>[^\s"]+)',
    re.IGNORECASE,
)
_VALUE: Final = re.compile(r'"([^"]*)"?|([^\s",\uff0c]+)')
_UNKNOWN: Final = re.compile(r"-?([a-z]{2,20})[:\uff1a](?!//)[^:/\uff1a]+", re.IGNORECASE)
_QUOTES: Final = str.maketrans({"\u201c": '"', "\u201d": '"', "\0": None})
_NEEDS_QUOTES: Final = re.compile(r"[\s,\uff0c]")


@dataclass(frozen=True, slots=True)
class Filter:
    """One operator: any of its values, or none of them where it is `negated`."""

    operator: str
    values: tuple[str, ...]
    negated: bool = False

    def __str__(self) -> str:
        written = (f'"{value}"' if _NEEDS_QUOTES.search(value) else value for value in self.values)
        return f"{'-' if self.negated else ''}{self.operator}:{','.join(written)}"


@dataclass(frozen=True, slots=True)
class Query:
    """A query taken apart. `words` holds those of the phrases too; the last may be half typed.

    `unknown` are names before a colon that are no operators; they are among the words.
    """

    filters: tuple[Filter, ...] = ()
    words: str = ""
    phrases: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.filters or self.words)

    def __str__(self) -> str:
        """Write it so that it is read as the same again."""
        rest = self.words.removeprefix(" ".join(self.phrases)).strip()
        phrases = (f'"{phrase}"' for phrase in self.phrases)
        return " ".join([*map(str, self.filters), *phrases, *([rest] if rest else [])])

    def without(self, operator: str) -> "Query":
        """Give the query without an operator."""
        kept = tuple(item for item in self.filters if item.operator != operator)
        return replace(self, filters=kept)


def parse(text: str) -> Query:
    """Take a query apart. Never raises; what exceeds the bounds is passed over.

    Values are separated by commas and may be quoted; a minus sign before an operator excludes. The
    colon, the comma and the quotation marks of Chinese are read as well. The same operator twice
    means any of the values, but for `tag` and `is`, which then must both hold.
    """
    plain = text[:LONGEST_QUERY].translate(_QUOTES).encode(errors="replace").decode()
    filters: list[Filter] = []
    phrases: list[str] = []
    words: list[str] = []
    for token in _TOKEN.finditer(plain):
        if token["operator"]:
            values = _values(token["values"])
            if values and len(filters) < MOST_FILTERS:
                filters.append(Filter(token["operator"].lower(), values, bool(token["negated"])))
        elif token["phrase"] is not None:
            phrase = " ".join(token["phrase"].split())
            if phrase:
                phrases.append(phrase)
        else:
            words.append(token["word"])
    unknown = (found[1].lower() for word in words if (found := _UNKNOWN.fullmatch(word)))
    return Query(
        tuple(_merged(filters)),
        " ".join([*phrases, *words]),
        tuple(phrases),
        tuple(dict.fromkeys(unknown)),
    )


def _values(written: str) -> tuple[str, ...]:
    given = (" ".join((quoted or bare).split()) for quoted, bare in _VALUE.findall(written))
    kept = (value[:LONGEST_VALUE].strip() for value in given if value)
    return tuple(dict.fromkeys(kept))[:MOST_VALUES]


def _merged(filters: Iterable[Filter]) -> Iterable[Filter]:
    found: dict[tuple[str, ...], Filter] = {}
    for item in filters:
        alone = item.operator in _ALL_OF and not item.negated
        key = (item.operator, str(item.negated), *(item.values if alone else ()))
        before = found.get(key)
        values = dict.fromkeys((*before.values, *item.values) if before else item.values)
        found[key] = replace(item, values=tuple(values)[:MOST_VALUES])
    return found.values()
