"""Values of an app-config, whatever their form."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

_ISO: Final = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_WORDS: Final = re.compile(r"(\d+)\s*(d|h|m|s)[a-z]*")
_NOT_PLAIN: Final = re.compile(r"[\\()|+?{}^$\[\]]")
_UNITS: Final = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def mapping(value: Any) -> Mapping[str, Any]:
    """Give a mapping; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def listed(value: Any) -> list[Any]:
    """Give a list; a single value as a list of it."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def text_of(value: Any) -> str:
    """Give a plain value as text; nothing for others."""
    if isinstance(value, bool) or value is None or isinstance(value, Mapping | list):
        return ""
    return str(value).strip()


def duration(value: Any, least: int = 10) -> str:
    """Give a duration (`{minutes: 30}`, `PT30M`, `30m`) as it is written here.

    It is `least` seconds at least.
    Nothing for one that is none, such as a cron expression.
    """
    parts: dict[str, float] = {}
    if isinstance(value, Mapping):
        parts = {
            str(key): float(item)
            for key, item in value.items()
            if key in _UNITS.values() and isinstance(item, int | float)
        }
    elif isinstance(value, str) and (match := _ISO.fullmatch(value.strip())):
        parts = {name: float(match[at] or 0) for at, name in enumerate(_UNITS.values(), 1)}
    elif isinstance(value, str) and (match := _WORDS.fullmatch(value.strip())):
        parts = {_UNITS[match[2]]: float(match[1])}
    seconds = int(timedelta(**parts).total_seconds()) if parts else 0
    if not seconds:
        return ""
    seconds = max(least, seconds)
    return f"{seconds // 60}m" if seconds % 60 == 0 else f"{seconds}s"


def glob_of(regex: str) -> str | None:
    """Give the pattern that says the same as a simple regular expression; None for others.

    As for Backstage, it must fit the whole name, whether `^` and `$` are written or not.
    """
    text = regex.removeprefix("^").removesuffix("$").replace(r"\/", "/").replace(r"\-", "-")
    pattern = text.replace(".*", "*")
    return None if _NOT_PLAIN.search(pattern) or not pattern else pattern
