"""`$ref` within a document. Others are never followed: nothing is fetched to draw a page."""

from typing import Any, Final
from urllib.parse import unquote

MOST_STEPS: Final = 50


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
