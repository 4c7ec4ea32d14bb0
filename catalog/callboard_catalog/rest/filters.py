"""Reads the `filter` parameters of the REST API. Source: the Backstage catalog API, "Filtering"."""

from collections.abc import Iterable
from typing import Final

from callboard.errors import InputError
from callboard_catalog.rest.expressions import EVERYTHING, All, Any, Exists, Expression, In

MOST_CONDITIONS: Final = 500
"""Conditions of all filters of one request together."""


def parse_filters(texts: Iterable[str]) -> Expression:
    """Give what any of the filters lets through; without any filter that is everything.

    A filter is a list of `key`, `key=value` or `key=`, all of which hold; a key that stands there
    several times may have any of its values. Raises `InputError`.
    """
    left = MOST_CONDITIONS
    sets: list[Expression] = []
    for text in texts:
        statements = [part for piece in text.split(",") if (part := piece.strip())]
        left -= len(statements)
        if left < 0:
            raise InputError(f"Invalid filter: more than {MOST_CONDITIONS} conditions.")
        if statements:
            sets.append(_set(statements))
    if not sets:
        return EVERYTHING
    return sets[0] if len(sets) == 1 else Any(tuple(dict.fromkeys(sets)))


def _set(statements: Iterable[str]) -> Expression:
    wanted: dict[str, list[str]] = {}
    for statement in statements:
        key, equals, value = statement.partition("=")
        key = key.strip().lower()
        if not key:
            raise InputError(
                f"Invalid filter, {statement[:200]!r} is not a valid statement.",
                hint="Expected key=value, key= or key.",
            )
        values = wanted.setdefault(key, [])
        if equals:
            values.append(value.strip().lower())
    parts = [
        In(key, tuple(dict.fromkeys(values))) if values else Exists(key)
        for key, values in wanted.items()
    ]
    return parts[0] if len(parts) == 1 else All(tuple(parts))
