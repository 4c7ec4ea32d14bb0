"""Says in words what a JSON Schema has against a value."""

from collections.abc import Callable
from typing import Any, Final

import orjson
from jsonschema import ValidationError

from callboard.i18n import Message, Translator
from callboard_catalog.descriptors.faults import one_of, shown

_ = Translator("callboard")

_LONGEST: Final = 80


def problem_of(error: ValidationError) -> Message:
    """Say what one error of a validation is; `error.absolute_path` says where."""
    keyword = str(error.validator)
    rule: Any = error.validator_value
    if keyword in _LIMITS:
        return _LIMITS[keyword](_written(rule))
    if keyword in _PROBLEMS:
        return _PROBLEMS[keyword](rule, error.instance)
    if keyword == "required":
        return _missing(rule, error)
    if keyword == "additionalProperties":
        return _unknown(error)
    return _("it does not fit the rule %(rule)s of the schema", rule=keyword)


def _type(wanted: Any, value: Any) -> Message:
    names = [wanted] if isinstance(wanted, str) else wanted
    expected = one_of(str(shown(name)) for name in names)
    return _("%(value)s is not of type %(type)s", value=_written(value), type=expected)


def _enum(choices: Any, value: Any) -> Message:
    expected = one_of(map(_written, choices))
    return _("%(value)s is not %(expected)s", value=_written(value), expected=expected)


def _const(wanted: Any, value: Any) -> Message:
    expected = _written(wanted)
    return _("%(value)s is not %(expected)s", value=_written(value), expected=expected)


def _pattern(pattern: Any, value: Any) -> Message:
    return _("%(value)s does not match %(pattern)s", value=_written(value), pattern=pattern)


def _missing(wanted: Any, error: ValidationError) -> Message:
    # There is one error for each of them, told apart by its text only.
    missing = [name for name in wanted if error.message.startswith(repr(name))]
    return _("%(name)s is missing", name=shown((missing or wanted)[0]))


def _unknown(error: ValidationError) -> Message:
    schema: Any = error.schema
    known = schema.get("properties", {}) if isinstance(schema, dict) else {}
    given: Any = error.instance
    names = [str(shown(name)) for name in given if name not in known]
    return _("there may be no %(names)s here", names=one_of(names or ["…"]))


def _written(value: Any) -> str:
    """Give a value as it is written in JSON, a text in the quotes of all messages."""
    if isinstance(value, str):
        return str(shown(value))
    text = orjson.dumps(value, default=str).decode()
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


_LIMITS: Final[dict[str, Callable[[str], Message]]] = {
    "minimum": lambda limit: _("the number is below %(limit)s", limit=limit),
    "maximum": lambda limit: _("the number is above %(limit)s", limit=limit),
    "exclusiveMinimum": lambda limit: _("the number is not above %(limit)s", limit=limit),
    "exclusiveMaximum": lambda limit: _("the number is not below %(limit)s", limit=limit),
    "multipleOf": lambda limit: _("the number is no multiple of %(limit)s", limit=limit),
    "minLength": lambda limit: _("fewer than %(limit)s characters", limit=limit),
    "maxLength": lambda limit: _("more than %(limit)s characters", limit=limit),
    "minItems": lambda limit: _("fewer than %(limit)s items", limit=limit),
    "maxItems": lambda limit: _("more than %(limit)s items", limit=limit),
    "minProperties": lambda limit: _("fewer than %(limit)s keys", limit=limit),
    "maxProperties": lambda limit: _("more than %(limit)s keys", limit=limit),
}
_PROBLEMS: Final[dict[str, Callable[[Any, Any], Message]]] = {
    "type": _type,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    "uniqueItems": lambda rule, value: _("an item is there twice"),
}
