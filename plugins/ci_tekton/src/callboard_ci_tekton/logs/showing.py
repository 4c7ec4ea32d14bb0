"""Lines of a log as they are read: what a terminal would show of them, without its colours.

`static/ci_tekton/log/lines.js` does the same in the browser, with colours; a test compares the two.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

STYLES: Final = ("ci_tekton/log.css",)
SCRIPTS: Final = ("ci_tekton/log.js",)

LONGEST: Final = 4000
"""Characters of a line that are shown; the rest is in the file to download."""

# ECMA-48: CSI (with its parameters and its last letter), OSC, other strings, other escapes; then
# what moves to the start of the line, and control characters that mean nothing here.
_CONTROL: Final = re.compile(
    r"(?:\x1b\[|\x9b)([0-?]*)[ -/]*([@-~])?"
    r"|(?:\x1b\]|\x9d)[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|(?:\x1b[PX^_]|[\x90\x98\x9e\x9f])[^\x1b\x9c]*(?:\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]?"
    r"|\r"
    r"|[\x00-\x08\x0a-\x1f\x7f-\x9f]"
)

# A level that is counted is not one: `ERROR: 0`, `(HIGH: 9, CRITICAL: 1)`.
_UNCOUNTED: Final = r"(?!\s*[:=]\s*\d+\s*(?:[,;)|]|$))"
_ERROR: Final = (
    rf"\b(?:ERROR|ERR!|FATAL|CRITICAL|SEVERE|PANIC)(?![\w-]){_UNCOUNTED}"
    rf"|^(?:npm )?(?:[Ee]rror|[Ff]atal|[Pp]anic|[Ff]ailed|Traceback)(?=[:\s]){_UNCOUNTED}"
    r"|^[\w.]*(?:Error|Exception): "
    r"|\[(?:error|fatal)\]|\blevel=\"?(?:error|fatal|panic)\b"
    r"|\"(?:level|severity)\":\s?\"(?:error|fatal|panic|critical)\""
    r"|^[EF]\d{4} \d\d:"
)
_WARNING: Final = (
    rf"\bWARN(?:ING)?(?![\w-]){_UNCOUNTED}"
    rf"|^(?:npm )?[Ww]arn(?:ing)?(?=[:\s]){_UNCOUNTED}"
    r"|\[warn(?:ing)?\]|\blevel=\"?warn(?:ing)?\b"
    r"|\"(?:level|severity)\":\s?\"warn(?:ing)?\""
    r"|^W\d{4} \d\d:"
)
_FIRST: Final = 120
_LEVELS: Final = (
    ("m", re.compile(r"^(?:\+{1,3}|\$) ")),
    ("e", re.compile(_ERROR, re.ASCII)),
    ("w", re.compile(_WARNING, re.ASCII)),
)
"""What the beginning of a line says of it; the first that fits."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A line: `clock` is its time in the reader's zone, `level` "e", "w", "m" (muted) or ""."""

    number: int
    at: str
    clock: str
    text: str
    level: str


def plain(text: str) -> str:
    """Give what a terminal shows of a line in the end: of a progress bar, what it said last."""
    if text.isprintable():
        return text
    kept, parts, end = "", [], 0
    for found in _CONTROL.finditer(text):
        parts.append(text[end : found.start()])
        end = found.end()
        if _begins_again(found):
            kept = "".join(parts) or kept
            parts = []
    return "".join([*parts, text[end:]]) or kept


def _begins_again(found: re.Match[str]) -> bool:
    """Whether what follows is written over the line: CR, to the first column, erase the line."""
    if found[2]:
        return (found[2] == "G" and found[1] in ("", "1")) or (found[2] == "K" and found[1] == "2")
    return found[0] == "\r"


def level(text: str) -> str:
    """Give what a line, as it is shown, says of how bad it is: "e", "w", "m" or ""."""
    begin = text[:_FIRST]
    return next((name for name, pattern in _LEVELS if pattern.search(begin)), "")


def show(lines: Iterable[tuple[int, datetime | None, str]], zone: str) -> list[Shown]:
    """Give lines, by number, time and text, for a reader in a time zone."""
    place = ZoneInfo(zone)
    return [_shown(number, at, text, place) for number, at, text in lines]


def _shown(number: int, at: datetime | None, text: str, zone: ZoneInfo) -> Shown:
    read = plain(text)
    begun = read if len(read) <= LONGEST else f"{read[:LONGEST]}…"
    if at is None:
        return Shown(number, "", "", begun, level(read))
    machine = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Shown(number, machine, f"{at.astimezone(zone):%H:%M:%S}", begun, level(read))
