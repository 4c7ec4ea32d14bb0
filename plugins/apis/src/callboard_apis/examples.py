"""Examples: those that are given, or ones made from a schema."""

from typing import Any, Final

import orjson

from callboard_apis.references import References
from callboard_apis.shapes import as_dict, as_list
from callboard_apis.texts import plain

LONGEST_EXAMPLE: Final = 20_000
DEEPEST: Final = 6
MOST_VALUES: Final = 80

_BY_FORMAT: Final = {
    "date": "2026-03-02",
    "date-time": "2026-03-02T08:00:00Z",
    "time": "08:00:00Z",
    "duration": "PT5M",
    "email": "name@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com",
    "url": "https://example.com",
    "uuid": "3fa85f64-5717-4562-b3fc-2c963f66afa6",
    "byte": "Y2FsbGJvYXJk",
    "binary": "…",
    "password": "…",
}


def as_json(value: Any) -> str:
    """Give a value as JSON on several lines, bounded."""
    if isinstance(value, str):
        return plain(value, LONGEST_EXAMPLE)
    try:
        written = orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONEncodeError:  # a number beyond 64 bits, too deep, or half a character
        return ""
    return plain(written, LONGEST_EXAMPLE)


class Examples:
    """Makes values that fit schemas; the same ones each time."""

    def __init__(self, references: References, *, writing: bool) -> None:
        self.references = references
        self.skipped = "readOnly" if writing else "writeOnly"
        self.left = MOST_VALUES

    def of(self, schema: Any) -> Any:
        """Give a value for a schema; what is given as its example where there is one."""
        self.left = MOST_VALUES
        return self._value(schema, 0)

    def _value(self, schema: Any, depth: int) -> Any:
        schema = self.references.follow(schema)
        self.left -= 1
        given = self._given(schema)
        if given is not None:
            return given
        if depth > DEEPEST or self.left <= 0:
            return None
        for mark in ("oneOf", "anyOf"):
            if as_list(schema.get(mark)) and not schema.get("properties"):
                return self._value(schema[mark][0], depth + 1)
        if as_list(schema.get("allOf")):
            return self._all_of(schema, depth)
        return self._by_type(schema, depth)

    def _given(self, schema: dict[str, Any]) -> Any:
        for name in ("example", "const", "default"):
            if schema.get(name) is not None:
                return schema[name]
        for name in ("examples", "enum"):
            if as_list(schema.get(name)):
                return schema[name][0]
        return None

    def _all_of(self, schema: dict[str, Any], depth: int) -> Any:
        own = {key: value for key, value in schema.items() if key != "allOf"}
        merged: dict[str, Any] = {}
        last: Any = None
        for part in [*as_list(schema["allOf"])[:50], own]:
            last = self._value(part, depth + 1)
            if isinstance(last, dict):
                merged |= last
        return merged or last

    def _by_type(self, schema: dict[str, Any], depth: int) -> Any:
        kinds = schema.get("type")
        kind = next((k for k in kinds if k != "null"), None) if isinstance(kinds, list) else kinds
        if kind == "object" or "properties" in schema:
            return self._object(schema, depth)
        if kind == "array" or "items" in schema:
            inner = self._value(schema.get("items"), depth + 1)
            return [] if inner is None else [inner]
        if kind in ("integer", "number"):
            low = schema.get("minimum")
            return low if isinstance(low, int | float) else 0 if kind == "integer" else 0.5
        if kind == "boolean":
            return True
        if kind == "string" or "format" in schema:
            return _BY_FORMAT.get(str(schema.get("format")), "string")
        return None

    def _object(self, schema: dict[str, Any], depth: int) -> dict[str, Any]:
        made = {}
        for name, inner in as_dict(schema.get("properties")).items():
            if self.left <= 0:
                break
            followed = self.references.follow(inner)
            if followed.get(self.skipped) is True or followed.get("deprecated") is True:
                continue
            made[name] = self._value(inner, depth + 1)
        extra = as_dict(schema.get("additionalProperties"))
        if extra and not made:
            made["key"] = self._value(extra, depth + 1)
        return made
