"""What is wrong with a descriptor, and where."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce
from typing import Final

from callboard.i18n import Message, Text, Translator

_ = Translator("callboard")

MOST_CHOICES: Final = 20
Path = tuple[str | int, ...]
"""Keys and list positions from the root of a document, such as `("metadata", "tags", 0)`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with a document.

    `code` is a stable word such as `missing-spec.owner`. `line` counts from 1 within the file;
    0 where only `path` is known, for `Lines.line` to find.
    """

    code: str
    path: Path
    message: Text
    line: int = 0


def path_text(path: Path) -> str:
    """Give a path as people write it: `metadata.tags[0]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += f".{part}" if text else part
    return text


TYPE_NAMES: Final = {
    dict: _("an object"),
    list: _("a list"),
    str: _("a string"),
    bool: _("true or false"),
}


def type_name(value: object) -> Text:
    """Give the JSON name of a value's type."""
    if value is None:
        return "null"
    return TYPE_NAMES.get(type(value), _("a number"))


def shown(value: object) -> Text:
    """Give a value shortened for a message."""
    if not isinstance(value, str):
        return type_name(value)
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…'"


def one_of(names: Iterable[str]) -> Text:
    """Give names to choose from: `a or b or c`."""
    listed: list[Text] = [*names]
    chosen = listed if len(listed) <= MOST_CHOICES else [*listed[:MOST_CHOICES], "…"]
    return reduce(lambda first, last: _("%(first)s or %(last)s", first=first, last=last), chosen)


def any_of(parts: Iterable[Text]) -> Text:
    """Give texts to choose from, such as names of types."""
    return reduce(
        lambda first, last: _.context("types", "%(first)s or %(last)s", first=first, last=last),
        parts,
    )


def is_but_expected(path: str, value: Text, expected: Text) -> Message:
    """Say what stands somewhere, and what was expected."""
    return _(
        "%(path)s is %(value)s; expected %(expected)s", path=path, value=value, expected=expected
    )
