"""Reads YAML and JSON that anybody may have written: bounded in size, depth and number."""

import json
import re
from typing import Any, Final

import orjson
import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from callboard.i18n import Text, Translator

_ = Translator("apis")

LARGEST: Final = 12 * 2**20
"""Characters of a definition that is read; a larger one is shown as text only."""

DEEPEST: Final = 200
MOST_VALUES: Final = 2_000_000
MOST_ALIASES: Final = 1_000

# YAML 1.2 core schema (yaml.org/spec/1.2.2, section 10.3.2).
_WORDS: Final[dict[str, Any]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_NUMBER: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,40}")


class DocumentFaultError(Exception):
    """A text that cannot be read; `line` counts from 1, 0 where it is not known."""

    def __init__(self, message: Text, line: int = 0) -> None:
        super().__init__(str(message))
        self.message = message
        self.line = line


def read_document(text: str) -> Any:
    """Give the value of a YAML or JSON text; raises `DocumentFaultError`."""
    if len(text) > LARGEST:
        raise DocumentFaultError(_("It is larger than %(limit)s MiB.", limit=LARGEST // 2**20))
    stripped = text.lstrip("\ufeff \t\r\n")
    if stripped.startswith(("{", "[")):
        try:
            value = orjson.loads(stripped)
        except orjson.JSONDecodeError as error:
            return _flow_yaml(text, error)
        _check(value)
        return value
    return _read_yaml(text)


def _flow_yaml(text: str, error: orjson.JSONDecodeError) -> Any:
    """Read what is no JSON as YAML, such as `{a: 1}`; where it is neither, JSON was meant."""
    try:
        return _read_yaml(text)
    except DocumentFaultError as fault:
        if fault.line == 0:
            raise
        line = text[: len(text) - len(text.lstrip("\ufeff \t\r\n"))].count("\n") + error.lineno
        message = _("The JSON cannot be read: %(reason)s.", reason=error.msg.rstrip("."))
        raise DocumentFaultError(message, line) from error


def _check(value: Any) -> None:
    """Refuse what is too deep or too much; without recursion, since depth is what is asked."""
    waiting = [(value, 1)]
    count = 0
    while waiting:
        item, depth = waiting.pop()
        children = item.values() if isinstance(item, dict) else item
        count += len(children) if isinstance(item, dict | list) else 0
        if depth > DEEPEST:
            raise _too_deep(0)
        if count > MOST_VALUES:
            raise _too_many(0)
        if isinstance(item, dict | list):
            waiting += [(child, depth + 1) for child in children if isinstance(child, dict | list)]


def _too_deep(line: int) -> DocumentFaultError:
    return DocumentFaultError(_("It has more than %(limit)s levels.", limit=DEEPEST), line)


def _too_many(line: int) -> DocumentFaultError:
    message = _("It has more than %(limit)s values once aliases are expanded.", limit=MOST_VALUES)
    return DocumentFaultError(message, line)


def _read_yaml(text: str) -> Any:
    try:
        return _Builder(text).document()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        reason = error.problem or error.context or "?"
        message = _("The YAML cannot be read: %(reason)s.", reason=reason)
        raise DocumentFaultError(message, line) from error
    except yaml.YAMLError as error:
        message = _("The YAML cannot be read: %(reason)s.", reason="control character")
        raise DocumentFaultError(message) from error


class _Builder:
    """Builds values from libyaml's events, counting as it goes."""

    def __init__(self, text: str) -> None:
        self.events = yaml.parse(text, Loader=yaml.CSafeLoader)
        self.count = 0
        self.aliases = 0
        # Value, number of values within, levels within; None while it is being built.
        self.anchors: dict[str, tuple[Any, int, int] | None] = {}
        self.height = 0

    def document(self) -> Any:
        event = self._next()
        while not isinstance(event, ScalarEvent | MappingStartEvent | yaml.SequenceStartEvent):
            if isinstance(event, StreamEndEvent | DocumentEndEvent):
                raise DocumentFaultError(_("There is nothing in it."))
            event = self._next()
        return self._value(event, 0)

    def _next(self) -> Any:
        return next(self.events)

    def _value(self, event: Any, depth: int) -> Any:
        if isinstance(event, AliasEvent):
            return self._alias(event, depth)
        anchor, before, height = event.anchor, self.count, self.height
        if anchor is not None:
            self.anchors[anchor] = None
            self.height = depth
        value = self._plain(event, depth)
        if anchor is not None:
            self.anchors[anchor] = (value, self.count - before, self.height - depth)
            self.height = max(height, self.height)
        return value

    def _plain(self, event: Any, depth: int) -> Any:
        if isinstance(event, ScalarEvent):
            return _scalar(event)
        if depth >= DEEPEST:
            raise _too_deep(event.start_mark.line + 1)
        self.height = max(self.height, depth + 1)
        if isinstance(event, MappingStartEvent):
            return self._mapping(depth + 1)
        return self._sequence(depth + 1)

    def _sequence(self, depth: int) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := self._next(), SequenceEndEvent):
            self._add(1, event)
            found.append(self._value(event, depth))
        return found

    def _mapping(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[Any] = []
        while not isinstance(event := self._next(), MappingEndEvent):
            self._add(1, event)
            if isinstance(event, ScalarEvent):
                key = event.value
                self.anchors |= {event.anchor: (key, 0, 0)} if event.anchor else {}
            else:
                key = json.dumps(self._value(event, depth), ensure_ascii=False)[:200]
            value = self._value(self._next(), depth)
            if key == "<<":
                merged += value if isinstance(value, list) else [value]
                continue
            if key in found:
                message = _("The key %(key)s is there twice; keep one of them.", key=key[:60])
                raise DocumentFaultError(message, event.start_mark.line + 1)
            found[key] = value
        for source in merged:
            if isinstance(source, dict):
                self._add(len(source), event)
                found = {**source, **found}
        return found

    def _alias(self, event: Any, depth: int) -> Any:
        line = event.start_mark.line + 1
        known = self.anchors.get(event.anchor)
        if known is None:
            message = _("The alias %(name)s names nothing above it.", name=f"*{event.anchor[:60]}")
            raise DocumentFaultError(message, line)
        self.aliases += 1
        if self.aliases > MOST_ALIASES:
            raise DocumentFaultError(
                _("It has more than %(limit)s aliases.", limit=MOST_ALIASES), line
            )
        value, count, height = known
        self._add(count, event)
        if depth + height > DEEPEST:
            raise _too_deep(line)
        self.height = max(self.height, depth + height)
        return value

    def _add(self, count: int, event: Any) -> None:
        self.count += count
        if self.count > MOST_VALUES:
            raise _too_many(event.start_mark.line + 1)


def _scalar(event: ScalarEvent) -> Any:
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if len(text) < 60 and _NUMBER.fullmatch(text):
        return float(text)
    return text
