"""Messages that are translated when they are shown, not when they are written."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

LONGEST_TEXT: Final = 2000
"""Characters of a text that is kept, and of each argument of a message that is."""

LONGEST_LANGUAGE: Final = 20
_LANGUAGE: Final = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"

_LARGEST_INTEGER: Final = 2**53
_DEEPEST: Final = 50


@dataclass(frozen=True, slots=True)
class Message:
    """A text for people with the gettext domain its translation is found in.

    `arguments` fill the named `%(name)s` places after translation; one that is a message itself is
    translated before. A text that is no program's brings its `translations` itself, by language
    such as `zh-CN`; see `in_languages`. `str()` gives English.
    """

    domain: str
    text: str
    context: str = ""
    plural: str = ""
    number: int = 1
    arguments: tuple[tuple[str, Any], ...] = field(default=())
    translations: tuple[tuple[str, str], ...] = field(default=())

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], Any]) -> Any:
        """Let settings give a text in several languages: `{en: Scan, zh-CN: 扫描}`."""
        from pydantic_core import core_schema

        texts = core_schema.dict_schema(
            core_schema.str_schema(pattern=_LANGUAGE, max_length=LONGEST_LANGUAGE),
            core_schema.str_schema(min_length=1, max_length=LONGEST_TEXT),
            min_length=1,
        )
        read = core_schema.no_info_after_validator_function(in_languages, texts)
        written = core_schema.plain_serializer_function_ser_schema(to_data)
        given = core_schema.is_instance_schema(cls)
        return core_schema.union_schema([given, read], serialization=written)

    def __str__(self) -> str:
        text = self.plural if self.plural and self.number != 1 else self.text
        return text % dict(self.arguments) if self.arguments else text


Text = str | Message
"""A text for people: a `Message`, or a plain string that is shown as it is in every language."""


def in_languages(texts: Mapping[str, str]) -> Message:
    """Give a text with its translations, by language such as `en` or `zh-CN`.

    A language that is not there is shown the English text, and without that the first one.
    """
    text = texts.get("en") or next(iter(texts.values()))
    return Message("", text, translations=tuple(sorted(texts.items())))


class Translator:
    """Marks the texts of one gettext domain: `_ = Translator("callboard_hello")`."""

    def __init__(self, domain: str) -> None:
        self.domain = domain

    def __call__(self, text: str, /, **arguments: Any) -> Message:
        """Mark one text; keyword arguments fill its `%(name)s` places."""
        return Message(self.domain, text, arguments=tuple(arguments.items()))

    def context(self, context: str, text: str, /, **arguments: Any) -> Message:
        """Mark a text that means different things in different places."""
        return Message(self.domain, text, context=context, arguments=tuple(arguments.items()))

    def plural(self, text: str, plural: str, number: int, /, **arguments: Any) -> Message:
        """Mark a text with a number; `%(number)s` is filled with it."""
        filled = (("number", number), *arguments.items())
        return Message(self.domain, text, plural=plural, number=number, arguments=filled)


def storable(text: Text, length: int = LONGEST_TEXT) -> Text:
    """Give a text as it can be kept and is read back: bounded, of characters databases take.

    Strings are cut at `length`, so are those among the arguments of a message; what is neither a
    string, a number nor a message becomes a string.
    """
    if isinstance(text, Message):
        filled = ((name, _argument(value, length)) for name, value in text.arguments)
        return replace(text, arguments=tuple(filled))
    cut = text if len(text) <= length else f"{text[: length - 1]}…"
    return cut.replace("\0", "\ufffd").encode(errors="replace").decode()


def _argument(value: Any, length: int) -> Any:
    if isinstance(value, int) and abs(value) <= _LARGEST_INTEGER:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return storable(value if isinstance(value, Message) else str(value), length)


def to_data(text: Text) -> Any:
    """Give a `storable` text as plain JSON values: a string, or an object for a message."""
    if isinstance(text, str):
        return text
    data: dict[str, Any] = {"d": text.domain, "t": text.text}
    if text.context:
        data["c"] = text.context
    if text.plural:
        data |= {"p": text.plural, "n": text.number}
    if text.translations:
        data["l"] = dict(text.translations)
    if text.arguments:
        data["a"] = {
            name: to_data(value) if isinstance(value, Message) else value
            for name, value in text.arguments
        }
    return data


def from_data(data: Any) -> Text:
    """Give the text that `to_data` was given; raises `ValueError` for any other value."""
    if isinstance(data, str):
        return data
    try:
        message = _message(data, 0)
        # One whose places are not all filled could not be shown.
        str(message)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("The value is no message.") from error
    return message


def _message(data: Any, depth: int) -> Message:
    if depth > _DEEPEST:
        raise ValueError("too deep")
    message = Message(
        domain=data["d"],
        text=data["t"],
        context=data.get("c", ""),
        plural=data.get("p", ""),
        number=data.get("n", 1),
        arguments=tuple(
            (name, _read_argument(value, depth)) for name, value in data.get("a", {}).items()
        ),
        translations=tuple(sorted(data.get("l", {}).items())),
    )
    words = (message.domain, message.text, message.context, message.plural,
             *(word for pair in message.translations for word in pair))  # fmt: skip
    if not all(isinstance(word, str) for word in words) or not isinstance(message.number, int):
        raise TypeError("no message")
    return message


def _read_argument(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        return _message(value, depth + 1)
    if not isinstance(value, str | int | float):
        raise TypeError("no argument of a message")
    return value
