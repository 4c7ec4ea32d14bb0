"""Replaces `$text`, `$json`, `$yaml`, `$openapi` and `$asyncapi` by the files they name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from callboard.i18n import Translator
from callboard_catalog.descriptors.bundling import bundle
from callboard_catalog.descriptors.faults import Fault, Path, path_text, shown, type_name
from callboard_catalog.descriptors.sources import (
    PlaceholderError,
    Read,
    Sources,
    decoded,
    parse_one,
)

_ = Translator("callboard")

MAXIMUM_PLACEHOLDERS: Final = 100


@dataclass(frozen=True, slots=True)
class Resolved:
    """A document with its placeholders replaced, what was read for it, and what failed.

    `targets` are the paths and URLs as `read` was given them: a change of one changes the
    document. With `faults` the document is to be rejected.
    """

    document: dict[str, Any]
    targets: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


def has_placeholder(value: Any) -> bool:
    """Tell whether there is an object of one key that begins with `$` in this value."""
    if type(value) is dict:
        if len(value) == 1 and next(iter(value)).startswith("$"):
            return True
        value = value.values()
    for item in value:
        kind = type(item)
        if (kind is dict or kind is list) and has_placeholder(item):
            return True
    return False


def resolve(document: dict[str, Any], read: Read, *, path: str) -> Resolved:
    """Replace the placeholders of a document read from `path`; unknown `$x` stay as they are.

    Fault codes: `placeholder-target-missing`, `placeholder-unreadable`, `placeholder-bad-target`,
    `placeholder-bad-content`, `too-many-placeholders`.
    """
    if not has_placeholder(document):
        return Resolved(document)
    resolver = _Resolver(Sources(read), path)
    replaced = resolver.replace(document, ())
    return Resolved(replaced, tuple(resolver.sources.targets), tuple(resolver.faults))


class _Resolver:
    def __init__(self, sources: Sources, path: str) -> None:
        self.sources = sources
        self.path = path
        self.faults: list[Fault] = []
        self.count = 0

    def replace(self, value: Any, path: Path) -> Any:
        if isinstance(value, list):
            return [self.replace(item, (*path, at)) for at, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name in _RESOLVERS:
                return self._resolved(name, argument, path)
        return {key: self.replace(item, (*path, key)) for key, item in value.items()}

    def _resolved(self, name: str, argument: Any, path: Path) -> Any:
        self.count += 1
        try:
            if self.count > MAXIMUM_PLACEHOLDERS:
                message = _(
                    "the document has more than %(limit)s placeholders", limit=MAXIMUM_PLACEHOLDERS
                )
                raise PlaceholderError("too-many-placeholders", message)
            if not isinstance(argument, str):
                message = _("it is %(type)s; expected a path or URL", type=type_name(argument))
                raise PlaceholderError("placeholder-bad-target", message)
            location = self.sources.resolve(argument, self.path)
            return _RESOLVERS[name](self.sources, location)
        except PlaceholderError as error:
            if self.count <= MAXIMUM_PLACEHOLDERS + 1:
                message = _(
                    "%(name)s of %(path)s: %(reason)s",
                    name=name,
                    path=path_text(path),
                    reason=error.message,
                )
                self.faults.append(Fault(error.code, path, message))
            # A text in its place, so that the kind's rules find no second fault there.
            return f"{name}: {argument}"


def _text(sources: Sources, location: str) -> str:
    return decoded(sources.read(location), location)


def _json(sources: Sources, location: str) -> Any:
    data = sources.read(location)
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        message = _(
            "%(file)s is not JSON: %(reason)s: line %(line)s column %(column)s (char %(position)s)",
            file=shown(location),
            reason=error.msg,
            line=error.lineno,
            column=error.colno,
            position=error.pos,
        )
        raise PlaceholderError("placeholder-bad-content", message) from error
    # Once more as YAML, for the limits on depth and size; written anew first, since YAML does not
    # know the pairs of escapes that JSON has for characters such as emoji.
    return parse_one(orjson.dumps(value), location)


def _yaml(sources: Sources, location: str) -> Any:
    return parse_one(sources.read(location), location)


_RESOLVERS: Final[Mapping[str, Callable[[Sources, str], Any]]] = {
    "$text": _text,
    "$json": _json,
    "$yaml": _yaml,
    "$openapi": bundle,
    "$asyncapi": bundle,
}
