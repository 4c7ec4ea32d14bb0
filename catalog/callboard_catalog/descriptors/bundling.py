"""Makes one self-contained API description of one that refers to other files."""

import re
from collections import deque
from typing import Any, Final

import orjson

from callboard.i18n import Translator
from callboard_catalog.descriptors.sources import PlaceholderError, Sources, decoded, parse_one

_ = Translator("callboard")

_EXTENSION: Final = "x-bundled"
_MAXIMUM_FILES: Final = 50


def bundle(sources: Sources, location: str) -> str:
    """Give an OpenAPI or AsyncAPI description with every external `$ref` brought inside.

    Each other file goes whole under the root key `x-bundled`, and references point there, so that
    files which refer to each other need no expansion. The text is left as it is where there is
    nothing to bring in; else it is JSON, which is YAML too. Raises `PlaceholderError` for a file
    that is missing or unreadable and for more than 50 files.
    """
    data = sources.read(location)
    root = parse_one(data, location)
    if not isinstance(root, dict):
        message = _("%(file)s is no API description", file=location)
        raise PlaceholderError("placeholder-bad-content", message)
    bundler = _Bundler(sources, location)
    bundled = bundler.rewrite(root, location)
    files = bundler.files()
    if not files:
        return decoded(data, location)
    text = orjson.dumps({**bundled, _EXTENSION: files}, option=orjson.OPT_INDENT_2)
    return text.decode()


class _Bundler:
    def __init__(self, sources: Sources, root: str) -> None:
        self._sources = sources
        self._pointers = {root: ""}
        self._waiting: deque[str] = deque()

    def files(self) -> dict[str, Any]:
        """Give every file referred to, directly or through another, by its key."""
        found: dict[str, Any] = {}
        while self._waiting:
            location = self._waiting.popleft()
            content = parse_one(self._sources.read(location), location)
            key = self._pointers[location].rpartition("/")[2]
            found[key] = self.rewrite(content, location)
        return found

    def rewrite(self, value: Any, location: str) -> Any:
        """Give the value with its references made to point into the bundle."""
        if isinstance(value, list):
            return [self.rewrite(item, location) for item in value]
        if not isinstance(value, dict):
            return value
        return {
            key: self._reference(item, location)
            if key == "$ref" and isinstance(item, str)
            else self.rewrite(item, location)
            for key, item in value.items()
        }

    def _reference(self, reference: str, location: str) -> str:
        file, _, fragment = reference.partition("#")
        target = self._sources.resolve(file, location) if file else location
        return f"#{self._pointer(target)}{fragment}"

    def _pointer(self, location: str) -> str:
        if location not in self._pointers:
            if len(self._pointers) > _MAXIMUM_FILES:
                message = _(
                    "the API description refers to more than %(limit)s files", limit=_MAXIMUM_FILES
                )
                raise PlaceholderError("too-many-placeholders", message)
            name = re.sub(r"[^A-Za-z0-9._-]+", "-", location)
            self._pointers[location] = f"/{_EXTENSION}/{len(self._pointers)}-{name}"
            self._waiting.append(location)
        return self._pointers[location]
