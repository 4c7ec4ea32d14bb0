"""`$ref` within a document. Others are never followed: nothing is fetched to draw a page."""

from collections.abc import Collection
from typing import Any, Final
from urllib.parse import unquote

MOST_STEPS: Final = 50
MOST_PARTS: Final = 200
"""Parts of one `allOf`, those within its parts included, that are put together."""


class References:
    """Follows JSON pointers (RFC 6901) of one document; notes those that lead nowhere."""

    def __init__(self, document: Any) -> None:
        self.document = document
        self.missing: dict[str, None] = {}
        self.remote: dict[str, None] = {}
        self._known: dict[str, Any] = {}

    def target(self, reference: str) -> Any:
        """Give what a local reference names, None where there is none; references are noted."""
        if reference in self._known:
            return self._known[reference]
        value = self._find(reference)
        self._known[reference] = value
        return value

    def _find(self, reference: str) -> Any:
        if not reference.startswith("#"):
            self.remote[reference] = None
            return None
        value = self.document
        for part in reference[1:].split("/")[1:]:
            name = unquote(part).replace("~1", "/").replace("~0", "~")
            if isinstance(value, dict) and name in value:
                value = value[name]
            elif isinstance(value, list) and name.isdecimal() and int(name[:9]) < len(value):
                value = value[int(name[:9])]
            else:
                self.missing[reference] = None
                return None
        return value

    def follow(self, value: Any) -> dict[str, Any]:
        """Give the object a value is or refers to, through several references; empty if none."""
        for _step in range(MOST_STEPS):
            if not isinstance(value, dict):
                return {}
            reference = value.get("$ref")
            if not isinstance(reference, str):
                return value
            value = self.target(reference)
        return {}

    def name(self, value: Any) -> str:
        """Give the last part of the reference a value is, empty where it is none."""
        reference = value.get("$ref") if isinstance(value, dict) else None
        if not isinstance(reference, str):
            return ""
        return unquote(reference.rsplit("/", 1)[-1]).replace("~1", "/").replace("~0", "~")


def put_together(
    references: References, schema: dict[str, Any], within: Collection[str] = ()
) -> dict[str, Any]:
    """Give a schema with the parts of its `allOf` in it: properties and required ones of all.

    Each reference is followed once, and none of those `within` which the schema is looked at: so
    the work is bounded, however the parts refer to one another.
    """
    if not isinstance(schema.get("allOf"), list):
        return schema
    seen = set(within)
    merged: dict[str, Any] = {}
    properties: dict[str, Any] = {}
    required: list[Any] = []
    # The last one taken is the schema itself: what it says of itself outdoes its parts.
    waiting: list[Any] = [schema]
    parts: list[dict[str, Any]] = []
    while waiting and len(parts) < MOST_PARTS:
        part = waiting.pop()
        reference = part.get("$ref") if isinstance(part, dict) else None
        if isinstance(reference, str):
            if reference in seen:
                continue
            seen.add(reference)
        followed = references.follow(part)
        parts.append(followed)
        if isinstance(followed.get("allOf"), list):
            waiting += followed["allOf"][:MOST_PARTS]
    for part in reversed(parts):
        inner = part.get("properties")
        properties |= inner if isinstance(inner, dict) else {}
        needed = part.get("required")
        required += needed if isinstance(needed, list) else []
        merged |= {key: value for key, value in part.items() if key != "allOf"}
    return {**merged, "properties": properties, "required": required} if properties else merged
