"""Path patterns: `*` and `?` within a folder, `**` across folders, `[a-z]` for a character."""

import fnmatch
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from callboard.errors import InputError
from callboard.i18n import Translator

_ = Translator("callboard")

MAXIMUM_PATTERN_LENGTH: Final = 500
_ANY_FOLDERS: Final = None


@lru_cache(maxsize=1000)
def compile_pattern(pattern: str) -> Callable[[str], bool]:
    """Give a test for paths; its time grows with pattern times path, whatever the pattern.

    Names that begin with a dot are matched like others. Raises `InputError` for a pattern that is
    empty or longer than 500 characters.
    """
    text = pattern.removeprefix("./").strip("/")
    if not text or len(text) > MAXIMUM_PATTERN_LENGTH or "\0" in text:
        raise InputError(
            _(
                "%(pattern)s is not a path pattern; expected one such as **/catalog-info.yaml.",
                pattern=repr(pattern[:80]),
            )
        )
    if not re.search(r"[*?\[]", text):
        return text.__eq__
    segments = [
        _ANY_FOLDERS if part == "**" else re.compile(fnmatch.translate(part))
        for part in text.split("/")
    ]
    last = segments[-1]

    def matches(path: str) -> bool:
        if last is not None and not last.match(path[path.rfind("/") + 1 :]):
            return False
        return _matches(segments, path.split("/"))

    return matches


def _matches(pattern: Sequence[re.Pattern[str] | None], parts: Sequence[str]) -> bool:
    """Match as fnmatch does, folder by folder: only the last `**` ever needs to take one more."""
    at, part, star, resume = 0, 0, -1, 0
    while part < len(parts):
        segment = pattern[at] if at < len(pattern) else None
        if at < len(pattern) and segment is None:
            star, resume, at = at, part, at + 1
        elif segment is not None and segment.match(parts[part]):
            at, part = at + 1, part + 1
        elif star >= 0:
            resume += 1
            at, part = star + 1, resume
        else:
            return False
    return all(segment is None for segment in pattern[at:])
