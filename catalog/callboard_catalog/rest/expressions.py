"""What entities are asked for by: one small language under filters and predicates.

Keys are dotted paths over the whole entity, lower-case, as `metadata.annotations.example.com/id`;
those of relations are `relations.<type>`. Values are lower-case. Expressions are immutable and
can be keys of a cache. Source of the rules: the Backstage catalog API, "Filtering".
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; without parts it is always true."""

    parts: tuple["Expression", ...] = ()


@dataclass(frozen=True, slots=True)
class Any:
    """Some part holds; without parts it is never true."""

    parts: tuple["Expression", ...] = ()


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Expression"


@dataclass(frozen=True, slots=True)
class Exists:
    """The entity has something at the key, if only null."""

    key: str


@dataclass(frozen=True, slots=True)
class In:
    """One of the values at the key is among these; empty text is a value like any other."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Prefix:
    """One of the values at the key begins with this text."""

    key: str
    text: str


Expression = All | Any | Not | Exists | In | Prefix

EVERYTHING: Final[Expression] = All()
