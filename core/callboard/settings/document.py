"""The settings file: YAML by the core schema of 1.2, with the line of every key.

There `on`, `yes` and dates are text, unlike in YAML 1.1 (yaml.org/spec/1.2.2, section 10.3.2).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import yaml

from callboard.errors import SettingsFault
from callboard.settings.keys import KeyPath, key_text

MAXIMUM_BYTES: Final = 1024**2
MAXIMUM_DEPTH: Final = 32
MAXIMUM_VALUES: Final = 100_000

_TAG: Final = "tag:yaml.org,2002:"
_NUMBER: Final = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
_BASES: Final = {"0o": 8, "0x": 16}


class _Loader(yaml.CSafeLoader):
    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012


for _name, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        _NUMBER + r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"^(?:{_pattern})\Z"), _first)


@dataclass(frozen=True, slots=True)
class Document:
    """What a settings file says.

    `lines` count from 1 and know each key and each list item. `unread` are the places whose value
    could not be read: None stands there.
    """

    value: Any = None
    lines: Mapping[KeyPath, int] = field(default_factory=dict)
    unread: frozenset[KeyPath] = frozenset()
    faults: tuple[SettingsFault, ...] = ()


def read_document(data: bytes, file: str) -> Document:
    """Read one YAML document; what is wrong with it is told in `faults`, nothing is raised."""
    if len(data) > MAXIMUM_BYTES:
        message = f"The file is larger than {MAXIMUM_BYTES // 1024} KiB; expected a settings file."
        return _broken(file, 0, message)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return _broken(file, line, "The text is not UTF-8; save the file in that encoding.")
    try:
        deepest = _check_depth(text)
        if deepest:
            return _broken(file, deepest, f"More than {MAXIMUM_DEPTH} levels of nesting.")
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        return _broken(file, *_explain(error, text))
    if root is None:
        return Document()
    reader = _Reader(file)
    value = reader.value(root, ())
    return Document(value, reader.lines, frozenset(reader.unread), tuple(reader.faults))


def _broken(file: str, line: int, message: str) -> Document:
    return Document(faults=(SettingsFault(file, line, "", message),))


def _check_depth(text: str) -> int:
    """Give the line where nesting passes the limit, or 0: compose() has none and would crash."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAXIMUM_DEPTH:
                return _line(event)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return 0


def _explain(error: yaml.YAMLError, text: str) -> tuple[int, str]:
    """Give line and message. The text itself is not quoted: it may be a secret."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        position = int(getattr(error, "position", 0) or 0)
        reason = getattr(error, "reason", "it cannot be parsed")
        return text.count("\n", 0, position) + 1, f"The file is not YAML: {reason}."
    problem = getattr(error, "problem", "") or "it cannot be parsed"
    context = getattr(error, "context", "") or ""
    if "single document" in context:
        return mark.line + 1, "A second document begins here; expected one document in the file."
    if "duplicate anchor" in context:
        problem = "an anchor is there twice"
    hint = " Put text with special characters in quotes." if "character" in problem else ""
    return mark.line + 1, f"The file is not YAML: {problem}.{hint}"


def _line(place: Any) -> int:
    return int(place.start_mark.line) + 1


class _Reader:
    """Turns nodes into plain values."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[KeyPath, int] = {}
        self.unread: list[KeyPath] = []
        self.faults: list[SettingsFault] = []
        self.values = 0

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.values += 1
        if self.values == MAXIMUM_VALUES:
            self._unreadable(node, path, f"the file has more than {MAXIMUM_VALUES} values.")
        if self.values >= MAXIMUM_VALUES:
            return None
        if len(path) > MAXIMUM_DEPTH:  # an alias may lead deeper than the text is nested
            return self._unreadable(node, path, f"more than {MAXIMUM_DEPTH} levels of nesting.")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return self._sequence(node, path)
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(key_node, path, "a key is a list or a mapping; expected text.")
                continue
            key = key_node.value
            inner = (*path, key)
            if key in result:
                first = self.lines[inner]
                self._fault(
                    key_node, inner, f"is set twice, first in line {first}; keep one of them."
                )
                continue
            self.lines[inner] = _line(key_node)
            result[key] = self.value(value_node, inner)
        return result

    def _sequence(self, node: yaml.SequenceNode, path: KeyPath) -> list[Any]:
        result = []
        for index, item in enumerate(node.value):
            inner = (*path, index)
            self.lines[inner] = _line(item)
            result.append(self.value(item, inner))
        return result

    def _scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        text = str(node.value)
        try:
            return _scalar_value(node.tag, text)
        except LookupError:
            return self._unreadable(
                node, path, "has a YAML tag that settings do not use; remove it."
            )
        except ValueError:
            name = node.tag.removeprefix(_TAG)
            return self._unreadable(node, path, f"cannot be read as a YAML {name}.")

    def _unreadable(self, node: yaml.Node, path: KeyPath, message: str) -> None:
        self.unread.append(path)
        self._fault(node, path, message)

    def _fault(self, node: yaml.Node, path: KeyPath, message: str) -> None:
        key = key_text(path)
        self.faults.append(SettingsFault(self.file, _line(node), key, f"{key} {message}".strip()))


def _scalar_value(tag: str, text: str) -> Any:
    """Give a scalar's value; raises `LookupError` for other tags than those of the core schema."""
    match tag.removeprefix(_TAG):
        case "str":
            return text
        case "null":
            return None
        case "bool":
            return {"true": True, "false": False}[text.lower()]
        case "int":
            base = _BASES.get(text[:2], 10)
            return int(text, base)
        case "float":
            return float(text.replace(".inf", "inf").replace(".nan", "nan").lower())
    raise LookupError(tag)
