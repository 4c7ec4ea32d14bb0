"""Reads the predicates of the REST API's bodies. Source: the Backstage catalog API, "Predicates".

A predicate is an object: `{$all: […]}`, `{$any: […]}`, `{$not: …}`, or a map of keys to what their
values must be: a plain value, `{$exists: bool}`, `{$in: […]}`, `{$hasPrefix: text}`, `{$contains:
value}`; the last one on `relations` takes `{type, targetRef}`.
"""

from collections.abc import Mapping
from typing import Any as AnyValue
from typing import Final

from callboard.errors import InputError
from callboard_catalog.rest.expressions import All, Any, Exists, Expression, In, Not, Prefix
from callboard_catalog.store.fields import text_of

DEEPEST: Final = 32
MOST_CONDITIONS: Final = 500
MOST_VALUES: Final = 10_000
"""Values in all lists of `$in` together."""

RELATIONS: Final = "relations"
Json = AnyValue


def parse_predicate(given: Json) -> Expression:
    """Give the expression a predicate says. Raises `InputError` for what is none, or too large."""
    return _Reader().read(given, 0)


def _fault(said: str) -> InputError:
    return InputError(f"Invalid query: {said}.")


class _Reader:
    """Reads one predicate, and counts what is in it."""

    def __init__(self) -> None:
        self._conditions = 0
        self._values = 0

    def read(self, given: Json, depth: int) -> Expression:
        if not isinstance(given, Mapping):
            raise _fault(f"a predicate is an object, not {_kind(given)}")
        if depth > DEEPEST:
            raise _fault(f"it is nested more than {DEEPEST} deep")
        operators = [key for key in given if key.startswith("$")]
        if not operators:
            return _all([self._field(key, value) for key, value in given.items()])
        name = operators[0]
        if name not in ("$all", "$any", "$not"):
            raise _fault(f"unknown operator {name[:100]!r}")
        if len(given) > 1:
            raise _fault(f"{name} stands alone in its object")
        self._count(1)
        if name == "$not":
            return Not(self.read(given[name], depth + 1))
        if not isinstance(given[name], list):
            raise _fault(f"{name} has a list of predicates")
        parts = [self.read(part, depth + 1) for part in given[name]]
        return _all(parts) if name == "$all" else Any(tuple(dict.fromkeys(parts)))

    def _count(self, conditions: int, values: int = 0) -> None:
        self._conditions += conditions
        self._values += values
        if self._conditions > MOST_CONDITIONS or self._values > MOST_VALUES:
            raise _fault(f"more than {MOST_CONDITIONS} conditions or {MOST_VALUES} values")

    def _field(self, name: str, value: Json) -> Expression:
        self._count(1)
        key = name.strip().lower()
        if not key:
            raise _fault("a key is empty")
        if not isinstance(value, Mapping):
            return In(key, (_plain(value, name),))
        if len(value) != 1:
            raise _fault(f"the value of {name[:100]!r} is a plain value or has one operator")
        ((operator, operand),) = value.items()
        match operator:
            case "$exists":
                return self._exists(key, operand)
            case "$in":
                return In(key, self._in(operand, name))
            case "$hasPrefix":
                if not isinstance(operand, str):
                    raise _fault("$hasPrefix has a text")
                return Prefix(key, operand.lower())
            case "$contains":
                return self._contains(key, operand)
        raise _fault(f"unknown operator {operator[:100]!r}")

    def _exists(self, key: str, operand: Json) -> Expression:
        if not isinstance(operand, bool):
            raise _fault("$exists is true or false")
        return Exists(key) if operand else Not(Exists(key))

    def _in(self, operand: Json, name: str) -> tuple[str, ...]:
        if not isinstance(operand, list):
            raise _fault("$in has a list of values")
        self._count(0, len(operand))
        return tuple(dict.fromkeys(_plain(value, name) for value in operand))

    def _contains(self, key: str, operand: Json) -> Expression:
        if not isinstance(operand, Mapping):
            return In(key, (_plain(operand, key),))
        if key != RELATIONS:
            raise _fault("$contains has a plain value; only that of relations is an object")
        kind, target = operand.get("type"), operand.get("targetRef")
        if not isinstance(kind, str) or not kind or operand.keys() - {"type", "targetRef"}:
            raise _fault("$contains of relations has a type and a targetRef")
        wanted = f"{RELATIONS}.{kind.lower()}"
        if target is None:
            return Exists(wanted)
        if isinstance(target, str):
            return In(wanted, (target.lower(),))
        if isinstance(target, Mapping) and target.keys() == {"$in"}:
            return In(wanted, self._in(target["$in"], "targetRef"))
        raise _fault("targetRef is a text or has $in")


def _all(parts: list[Expression]) -> Expression:
    return parts[0] if len(parts) == 1 else All(tuple(dict.fromkeys(parts)))


def _plain(value: Json, name: str) -> str:
    if value is None or not isinstance(value, str | int | float):
        raise _fault(f"{name[:100]!r} is compared with {_kind(value)}")
    return text_of(value).lower()


def _kind(value: Json) -> str:
    return {dict: "an object", list: "a list", type(None): "null"}.get(type(value), "a plain value")
