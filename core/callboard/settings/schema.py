"""What the settings' models say about a place: its keys, its types, whether it is secret."""

import dataclasses
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, SecretBytes, SecretStr

from callboard.i18n import Message
from callboard.settings.keys import KeyPath
from callboard.settings.types import DURATION_WORDS, SIZE_WORDS, parse_size

_WORDS: Final[Mapping[Any, str]] = {
    str: "text",
    SecretStr: "text (secret)",
    SecretBytes: "text (secret)",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    timedelta: DURATION_WORDS,
    Message: "a mapping of languages to texts such as {en: Scan, zh-CN: 扫描}",
    Any: "any value",
}
_PLURALS: Final = {
    "text": "texts",
    "a path": "paths",
    "a mapping": "mappings",
    "a whole number": "whole numbers",
}


@lru_cache(maxsize=512)
def fields_of(kind: Any) -> Mapping[str, Any] | None:
    """Give the keys of a model or dataclass with their annotations; None for other types."""
    if kind is Message:
        return None
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {
            field.alias or name: field.rebuild_annotation()
            for name, field in kind.model_fields.items()
        }
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return typing.get_type_hints(kind, include_extras=True)
    return None


def members(annotation: Any) -> list[Any]:
    """Give the types an annotation allows, without their constraints."""
    origin = get_origin(annotation)
    if origin is typing.Annotated:
        return members(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [member for part in get_args(annotation) for member in members(part)]
    return [annotation]


def at(annotations: Iterable[Any], path: KeyPath) -> list[Any]:
    """Follow a path; give the annotations possible there, none when it leads nowhere."""
    current = list(annotations)
    for part in path:
        kinds = [kind for annotation in current for kind in members(annotation)]
        current = [found for kind in kinds for found in _step(kind, part)]
    return current


def _step(kind: Any, part: str | int) -> list[Any]:
    fields = fields_of(kind)
    if fields is not None:
        return [fields[str(part)]] if part in fields else []
    arguments = get_args(kind)
    origin = get_origin(kind) or kind
    if not isinstance(origin, type):
        return [Any] if kind is Any else []
    if isinstance(part, int) and issubclass(origin, Sequence | set | frozenset):
        return [arguments[0] if arguments else Any] if origin is not str else []
    if isinstance(part, str) and issubclass(origin, Mapping):
        return [arguments[1] if len(arguments) == 2 else Any]
    return []


def is_secret(annotations: Iterable[Any]) -> bool:
    """Tell whether a value there is secret by its type."""
    kinds = [kind for annotation in annotations for kind in members(annotation)]
    return SecretStr in kinds or SecretBytes in kinds


def words(annotation: Any) -> str:
    """Say in people's words what a setting takes."""
    if get_origin(annotation) is typing.Annotated:
        inner, *metadata = get_args(annotation)
        validators = (item.func for item in metadata if isinstance(item, BeforeValidator))
        return SIZE_WORDS if parse_size in validators else words(inner)
    kinds = [kind for kind in _parts(annotation) if kind is not types.NoneType]
    if len(kinds) > 1:
        return " or ".join(dict.fromkeys(words(kind) for kind in kinds))
    kind = kinds[0] if kinds else Any
    return _words_of(kind) if kind == annotation else words(kind)


def _parts(annotation: Any) -> tuple[Any, ...]:
    union = get_origin(annotation) in (Union, types.UnionType)
    return get_args(annotation) if union else (annotation,)


def _words_of(kind: Any) -> str:
    arguments = get_args(kind)
    origin = get_origin(kind) or kind
    if origin is Literal:
        choices = [str(choice) for choice in arguments]
        return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    if kind in _WORDS:
        return _WORDS[kind]
    if isinstance(origin, type) and issubclass(origin, list | tuple | set | frozenset | Sequence):
        item = words(arguments[0]) if arguments else ""
        return f"a list of {_PLURALS[item]}" if item in _PLURALS else "a list"
    if fields_of(kind) is not None or (isinstance(origin, type) and issubclass(origin, Mapping)):
        return "a mapping"
    return "a value"


class Layout:
    """Every section and plugin section of the settings, as one tree.

    A plugin whose section is None is known, and its settings are not looked at.
    """

    def __init__(
        self,
        sections: Mapping[str, type[BaseModel]],
        plugin_sections: Mapping[str, type[BaseModel] | None],
    ) -> None:
        self.sections = sections
        self.plugin_sections = plugin_sections

    def at(self, path: KeyPath) -> list[Any]:
        """Give the annotations possible at a path, none when it leads nowhere."""
        if not path:
            return []
        if path[:2] == ("plugins", "settings") and len(path) > 2:
            model = self.plugin_sections.get(str(path[2]))
            return at([model if model is not None else dict[str, Any]], path[3:])
        section = self.sections.get(str(path[0]))
        return at([section], path[1:]) if section is not None else []

    def keys(self, path: KeyPath) -> list[str]:
        """Give the keys known below a path; none where there are none or any may stand."""
        if not path:
            return list(self.sections)
        if path == ("plugins", "settings"):
            return list(self.plugin_sections)
        kinds = [kind for annotation in self.at(path) for kind in members(annotation)]
        return [key for kind in kinds for key in fields_of(kind) or ()]

    def leaves(self, path: KeyPath = ()) -> Iterator[KeyPath]:
        """Yield the path of every setting outside of lists."""
        for key in self.keys(path):
            inner = (*path, key)
            if self.keys(inner):
                yield from self.leaves(inner)
            else:
                yield inner

    def is_secret(self, path: KeyPath) -> bool:
        """Tell whether a value there is secret by its type, or may be for all that is known."""
        of_plugin = path[:2] == ("plugins", "settings") and len(path) > 2
        if of_plugin and self.plugin_sections.get(str(path[2])) is None:
            return True
        return is_secret(self.at(path))

    def secrets(self, value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
        """Yield place and text of each value that is secret by its type."""
        if isinstance(value, dict):
            for key, item in value.items():
                yield from self.secrets(item, (*path, key))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self.secrets(item, (*path, index))
        elif value is not None and is_secret(self.at(path)):
            yield path, str(value)
