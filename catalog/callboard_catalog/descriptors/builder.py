"""Plain Python values straight from libyaml's events: the one loop that every file goes through."""

import json
from collections.abc import Callable
from typing import Any, Final

from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from callboard.i18n import Text, Translator
from callboard_catalog.descriptors.limits import Limits
from callboard_catalog.descriptors.scalars import FIRST_CHARACTERS, plain_value

_ = Translator("callboard")

_CORE: Final = "tag:yaml.org,2002:"
_TYPED_TAGS: Final = {
    f"{_CORE}null": type(None),
    f"{_CORE}bool": bool,
    f"{_CORE}int": int,
    f"{_CORE}float": float,
}


class DocumentError(Exception):
    """A document that cannot be used; `line` counts from 0 within what was parsed."""

    def __init__(self, code: str, message: Text, line: int) -> None:
        super().__init__(str(message))
        self.code = code
        self.message = message
        self.line = line


def scalar_value(event: ScalarEvent) -> Any:
    """Give the value of a scalar event by the core schema; unknown tags count as strings."""
    text = event.value
    if event.tag is None:
        if event.implicit[0] and (not text or text[0] in FIRST_CHARACTERS):
            return plain_value(text)
        return text
    expected = _TYPED_TAGS.get(event.tag)
    if expected is None:
        return text
    value = plain_value(text)
    if isinstance(value, expected) or (expected is float and isinstance(value, int)):
        return value
    tag = event.tag.removeprefix(_CORE)
    message = _("%(value)s is not of type %(tag)s", value=repr(text[:40]), tag=f"!!{tag}")
    raise DocumentError("yaml-error", message, line_of(event))


def key_text(value: object) -> str:
    """Give the text of a key that is no scalar, as in `? [a, b]` or an unquoted `{{ x }}`."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


class Builder:
    """Builds the values of one document from a source of events."""

    __slots__ = ("aliases", "anchors", "deepest", "limits", "next_event", "nodes")

    def __init__(self, next_event: Callable[[], Any], limits: Limits) -> None:
        self.next_event = next_event
        self.limits = limits
        self.nodes = 0
        self.aliases = 0
        self.deepest = 0
        # What an anchor stands for: value, values within, depth within. None while being built.
        self.anchors: dict[str, tuple[Any, int, int] | None] = {}

    def value(self, event: Any, depth: int = 0) -> Any:
        """Give the value that begins with this event; raises `DocumentError`."""
        if type(event) is AliasEvent:
            return self._alias(event, depth)
        if event.anchor is not None:
            return self._anchored(event, depth)
        return self._plain(event, depth)

    def _plain(self, event: Any, depth: int) -> Any:
        kind = type(event)
        if kind is ScalarEvent:
            return scalar_value(event)
        if depth >= self.limits.depth:
            raise self._too_deep(event)
        if depth >= self.deepest:
            self.deepest = depth + 1
        if kind is MappingStartEvent:
            return self._mapping(depth + 1)
        return self._sequence(depth + 1)

    def _sequence(self, depth: int) -> list[Any]:
        next_event = self.next_event
        result: list[Any] = []
        append = result.append
        while True:
            event = next_event()
            kind = type(event)
            if kind is ScalarEvent and event.anchor is None:
                append(scalar_value(event))
            elif kind is SequenceEndEvent:
                self._count(len(result), event)
                return result
            else:
                append(self.value(event, depth))

    def _mapping(self, depth: int) -> dict[str, Any]:
        next_event = self.next_event
        result: dict[str, Any] = {}
        merges: list[Any] = []
        while True:
            event = next_event()
            kind = type(event)
            if kind is ScalarEvent and event.anchor is None:
                key = event.value
            elif kind is MappingEndEvent:
                break
            else:
                key = event.value if kind is ScalarEvent else None
                value = self.value(event, depth)
                key = key_text(value) if key is None else key
            if key == "<<" and kind is ScalarEvent and event.implicit[0]:
                self._merge(self.value(next_event(), depth), merges, event)
                continue
            if key in result:
                message = _("the key %(key)s is there twice; keep one of them", key=repr(key[:60]))
                raise DocumentError("yaml-duplicate-key", message, line_of(event))
            event = next_event()
            if type(event) is ScalarEvent and event.anchor is None:
                result[key] = scalar_value(event)
            else:
                result[key] = self.value(event, depth)
        for source in merges:
            for key, value in source.items():
                result.setdefault(key, value)
        self._count(len(result), event)
        return result

    def _merge(self, value: Any, merges: list[Any], event: Any) -> None:
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            message = _("the merge key << needs an object or a list of objects")
            raise DocumentError("yaml-error", message, line_of(event))
        self._count(sum(len(source) for source in sources), event)
        merges.extend(sources)

    def _anchored(self, event: Any, depth: int) -> Any:
        name, nodes, deepest = event.anchor, self.nodes, self.deepest
        self.anchors[name] = None
        self.deepest = depth
        value = self._plain(event, depth)
        self.anchors[name] = (value, self.nodes - nodes, self.deepest - depth)
        self.deepest = max(self.deepest, deepest)
        return value

    def _alias(self, event: Any, depth: int) -> Any:
        anchor = self.anchors.get(event.anchor)
        if anchor is None:
            name = f"*{event.anchor[:60]}"
            message = (
                _("the alias %(name)s lies within itself", name=name)
                if event.anchor in self.anchors
                else _("the alias %(name)s has no anchor", name=name)
            )
            raise DocumentError("yaml-error", message, line_of(event))
        value, nodes, height = anchor
        self.aliases += 1
        if self.aliases > self.limits.aliases:
            message = _("more than %(limit)s aliases", limit=self.limits.aliases)
            raise DocumentError("too-many-aliases", message, line_of(event))
        self._count(nodes, event)
        self.deepest = max(self.deepest, depth + height)
        if self.deepest > self.limits.depth:
            raise self._too_deep(event)
        return value

    def _too_deep(self, event: Any) -> DocumentError:
        message = _("more than %(limit)s levels of nesting", limit=self.limits.depth)
        return DocumentError("too-deep", message, line_of(event))

    def _count(self, nodes: int, event: Any) -> None:
        self.nodes += nodes
        if self.nodes > self.limits.nodes:
            message = _(
                "more than %(limit)s values once aliases are expanded", limit=self.limits.nodes
            )
            raise DocumentError("too-many-values", message, line_of(event))


def line_of(event: Any) -> int:
    """Give the line an event starts at, from 0."""
    return int(event.start_mark.line)
