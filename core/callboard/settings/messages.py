"""Faults found by pydantic, told in people's words: what is there, what was expected."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal, get_args, get_origin

from pydantic_core import ErrorDetails

from callboard.redaction import redact
from callboard.settings.keys import KeyPath, key_text, nearest
from callboard.settings.schema import Layout, fields_of, members, words
from callboard.settings.types import format_duration

_LONGEST_SHOWN: Final = 60
_UNKNOWN: Final = frozenset({"extra_forbidden", "unexpected_keyword_argument"})
_MISSING: Final = frozenset({"missing", "missing_argument", "missing_keyword_only_argument"})
_TAGS: Final = frozenset({"union_tag_not_found", "union_tag_invalid"})
_PART: Final = re.compile(r"(days|seconds|microseconds)=(-?[0-9]+)")
_A_MAPPING: Final = "a mapping of keys to values"

_EXPECTED: Final[Mapping[str, str]] = {
    "string_type": "text",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "path_type": "a path",
    "list_type": "a list such as [a, b]",
    "tuple_type": "a list such as [a, b]",
    "set_type": "a list such as [a, b]",
    "dict_type": _A_MAPPING,
    "mapping_type": _A_MAPPING,
    "model_type": _A_MAPPING,
    "model_attributes_type": _A_MAPPING,
    "dataclass_type": _A_MAPPING,
    "literal_error": "{expected}",
    "enum": "{expected}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "too_short": "at least {min_length} entries",
    "too_long": "at most {max_length} entries",
    "string_pattern_mismatch": "text that matches {pattern}",
}


class Explainer:
    """Turns pydantic's errors into sentences that hold no secret.

    `data` is everything that was read, `is_secret` tells of a place whether its value may be shown.
    """

    def __init__(
        self,
        layout: Layout,
        data: Mapping[str, Any],
        *,
        secrets: Sequence[str],
        is_secret: Callable[[KeyPath], bool],
    ) -> None:
        self.layout = layout
        self.data = data
        self.secrets = secrets
        self.is_secret = is_secret

    def explain(self, errors: Sequence[ErrorDetails], base: KeyPath) -> dict[KeyPath, str]:
        """Give one sentence for each place; what different types expected there is joined."""
        grouped: dict[KeyPath, list[ErrorDetails]] = {}
        for error in errors:
            grouped.setdefault(self._place(error, base), []).append(error)
        return {path: self._sentence(path, group) for path, group in grouped.items()}

    def _place(self, error: ErrorDetails, base: KeyPath) -> KeyPath:
        """Leave out of pydantic's location what is no key: names of union members and the like."""
        path = base
        for part in error["loc"]:
            if self._exists((*path, part)):
                path = (*path, part)
        if error["type"] in _MISSING:
            return (*path, error["loc"][-1])
        if error["type"] in _TAGS:
            return (*path, str(error["ctx"]["discriminator"]).strip("'"))
        return path

    def _exists(self, path: KeyPath) -> bool:
        value = self._value(path[:-1])
        if isinstance(value, dict):
            return path[-1] in value
        part = path[-1]
        return isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value)

    def _value(self, path: KeyPath) -> Any:
        value: Any = self.data
        for part in path:
            try:
                value = value[part]
            except (LookupError, TypeError):
                return None
        return value

    def _sentence(self, path: KeyPath, errors: Sequence[ErrorDetails]) -> str:
        if errors[0]["type"] in _UNKNOWN:
            return unknown_key(path, self._siblings(path, errors[0]))
        expected = " or ".join(dict.fromkeys(self._expected(path, error) for error in errors))
        expected = expected.replace(" or expected ", " or ")
        found = self._found(path)
        return (
            f"{key_text(path)} {found}; {expected}." if found else f"{key_text(path)}: {expected}."
        )

    def _expected(self, path: KeyPath, error: ErrorDetails) -> str:
        kind = error["type"]
        if kind in _MISSING or kind in _TAGS:
            wanted = dict.fromkeys(words(annotation) for annotation in self.layout.at(path))
            return f"expected {' or '.join(wanted) or 'a value'}"
        if kind in _EXPECTED:
            limits = {name: _limit(value) for name, value in error.get("ctx", {}).items()}
            expected = _EXPECTED[kind].format_map(limits)
            if isinstance(self._value(path), str):
                expected = expected.replace("entries", "characters")
            return f"expected {expected}{_hint(error)}"
        # A message of a model's own validator, or a rare one of pydantic, may quote the value.
        if self.is_secret(path):
            return "it is not accepted"
        message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        message = message.replace("Input should be", "expected").rstrip(".")
        return redact(message, self.secrets)

    def _found(self, path: KeyPath) -> str:
        value = self._value(path)
        if not self._exists(path):
            return "is missing"
        if isinstance(value, dict):
            return "" if value else "is empty"
        if isinstance(value, list):
            return "is a list" if value else "is an empty list"
        if value is None:
            return "has no value"
        if self.is_secret(path):
            return "has a value that is not shown"
        text = redact(str(value), self.secrets)
        text = text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
        if isinstance(value, bool):
            return f"is {text.lower()}"
        return f"is {text!r}" if isinstance(value, str) else f"is {text}"

    def _siblings(self, path: KeyPath, error: ErrorDetails) -> list[str]:
        """Give the keys that can be set there; of a tagged union only its member's."""
        kinds = [kind for item in self.layout.at(path[:-1]) for kind in members(item)]
        location = set(error["loc"])
        chosen = [kind for kind in kinds if _tags_of(kind) & location] or kinds
        return list(dict.fromkeys(key for kind in chosen for key in fields_of(kind) or ()))


def unknown_key(path: KeyPath, known: Sequence[str], what: str = "a setting") -> str:
    """Say that a key is not known, with the one that was probably meant."""
    best = nearest(str(path[-1]), known)
    text = f"{key_text(path)} is not {what}"
    if best:
        return f"{text}; did you mean {key_text((*path[:-1], best))}?"
    if not known:
        return f"{text}; nothing can be set there."
    return f"{text}; known there: {', '.join(sorted(known))}."


def _tags_of(kind: Any) -> set[Any]:
    """Give the texts that a model's fields are bound to, such as the `git` of its type."""
    parts = [part for item in (fields_of(kind) or {}).values() for part in members(item)]
    return {tag for part in parts if get_origin(part) is Literal for tag in get_args(part)}


def _hint(error: ErrorDetails) -> str:
    unquoted = error["type"] == "string_type" and isinstance(error["input"], bool | int | float)
    return " (put it in quotes)" if unquoted else ""


def _limit(value: Any) -> Any:
    """Give a limit as people write it; pydantic gives durations as Python code."""
    if isinstance(value, str) and value.startswith("datetime.timedelta("):
        parts = {name: int(number) for name, number in _PART.findall(value)}
        return format_duration(timedelta(**parts))
    return value
