"""Plain scalars by the core schema of YAML 1.2 (yaml.org/spec/1.2.2, section 10.3.2).

`on`, `yes`, dates and `12:30` are strings there, unlike in the YAML 1.1 of most libraries.
"""

import re
from typing import Final

WORDS: Final[dict[str, object]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
FIRST_CHARACTERS: Final = frozenset("~nNtTfF+-.0123456789")
"""A plain scalar that begins with any other character is a string."""

_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_BASES: Final = {"0o": 8, "0x": 16}
_LARGEST_INTEGER: Final = 2**63 - 1
# Longer digits can only be a number beyond 64 bits, and int() is quadratic in their count.
_MAXIMUM_DIGITS: Final = 40


def plain_value(text: str) -> object:
    """Give the value of a plain (unquoted) scalar: null, boolean, number or the text itself.

    Integers beyond 64 bits become floats, since JSON readers take them so.
    """
    if text in WORDS:
        return WORDS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if _SPECIAL.fullmatch(text):
        return float(text.replace(".", ""))
    return text


def _integer(text: str) -> int | float:
    base = _BASES.get(text[:2], 10)
    digits = text if base == 10 else text[2:]
    if len(digits) > _MAXIMUM_DIGITS:
        return float(digits) if base == 10 else float("inf")
    number = int(digits, base)
    return number if abs(number) <= _LARGEST_INTEGER else float(number)
