"""Checks `spec` against the declared fields of a kind."""

from collections.abc import Callable
from difflib import get_close_matches
from typing import Any, Final

from callboard.i18n import Message, Text, Translator
from callboard.kinds import FieldType, KindField
from callboard_catalog.descriptors.faults import (
    Fault,
    Path,
    any_of,
    is_but_expected,
    one_of,
    path_text,
    shown,
    type_name,
)

_ = Translator("callboard")

_MISSING: Final = object()
_FIELD_DEPTH: Final = 2

_IS: Final[dict[FieldType, Callable[[Any], bool]]] = {
    "text": lambda value: isinstance(value, str) and value != "",
    "string": lambda value: isinstance(value, str),
    "texts": lambda value: (
        isinstance(value, list) and all(isinstance(item, str) and item for item in value)
    ),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "objects": lambda value: (
        isinstance(value, list) and all(isinstance(item, dict) for item in value)
    ),
    "any": lambda value: value is not None,
}
_NAMES: Final[dict[FieldType, Message]] = {
    "text": _("a text"),
    "string": _("a text"),
    "texts": _("a list of texts"),
    "boolean": _("true or false"),
    "object": _("an object"),
    "objects": _("a list of objects"),
    "any": _("a value"),
}


def field_faults(fields: tuple[KindField, ...], values: dict[str, Any], path: Path) -> list[Fault]:
    """Give every fault of the object at `path`.

    Codes name the field of `spec`; a fault further below is a `bad-` one of that field.
    """
    faults: list[Fault] = []
    for field in fields:
        value = values.get(field.name, _MISSING)
        if value is _MISSING:
            if field.required:
                faults.append(_missing(field, fields, values, path))
        elif not any(_IS[kind](value) for kind in field.types):
            faults.extend(_wrong_type(field, value, (*path, field.name)))
        elif field.choices and value not in field.choices:
            faults.append(_bad((*path, field.name), shown(value), one_of(field.choices)))
        elif field.fields:
            faults.extend(_nested(field, value, (*path, field.name)))
    return faults


def _nested(field: KindField, value: Any, path: Path) -> list[Fault]:
    if isinstance(value, dict):
        return field_faults(field.fields, value, path)
    return [
        fault
        for position, item in enumerate(value)
        for fault in field_faults(field.fields, item, (*path, position))
    ]


def _missing(
    field: KindField, fields: tuple[KindField, ...], values: dict[str, Any], path: Path
) -> Fault:
    wanted = path_text((*path, field.name))
    expected = any_of(_NAMES[kind] for kind in field.types)
    message = _("%(path)s is missing; expected %(expected)s", path=wanted, expected=expected)
    known = {other.name for other in fields}
    strangers = [name for name in values if name not in known]
    nearest = get_close_matches(field.name, strangers, n=1, cutoff=0.75)
    if nearest:
        message = _("%(problem)s. Is it written %(name)s?", problem=message, name=repr(nearest[0]))
    return Fault(_code("missing", (*path, field.name)), path, message)


def _wrong_type(field: KindField, value: Any, path: Path) -> list[Fault]:
    expected = any_of(_NAMES[kind] for kind in field.types)
    if isinstance(value, list) and set(field.types) <= {"texts", "objects"}:
        inner: FieldType = "text" if "texts" in field.types else "object"
        return [
            _bad((*path, position), _described(item), _NAMES[inner])
            for position, item in enumerate(value)
            if not _IS[inner](item)
        ]
    return [_bad(path, _described(value), expected)]


def _described(value: Any) -> Text:
    return _("an empty text") if value == "" else type_name(value)


def _bad(path: Path, value: Text, expected: Text) -> Fault:
    return Fault(_code("bad", path), path, is_but_expected(path_text(path), value, expected))


def _code(word: str, path: Path) -> str:
    return f"{word if len(path) <= _FIELD_DEPTH else 'bad'}-{path_text(path[:_FIELD_DEPTH])}"
