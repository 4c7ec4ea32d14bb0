"""Times and numbers as people write them, and the small marks that are on every page."""

import re
from datetime import UTC, datetime
from datetime import date as calendar_date
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from callboard.entities import EntityRef
from callboard_web.preferences import Reader

if TYPE_CHECKING:
    from babel import Locale

STATUS_MARKS: Final = {
    "ok": ("ok", "s-ok"),
    "run": ("run", "s-run"),
    "wait": ("wait", "s-wait"),
    "pause": ("wait", "s-pause"),
    "warn": ("warn", "s-warn"),
    "bad": ("bad", "s-bad"),
    "block": ("bad", "s-block"),
    "unknown": ("idle", "s-unk"),
    "skip": ("idle", "s-skip"),
    "todo": ("idle", "s-todo"),
}
"""The one status vocabulary: the colour class and the mark's shape of each state."""

KIND_ICONS: Final = {
    "component": "box",
    "api": "api",
    "resource": "db",
    "system": "env",
    "domain": "net",
    "group": "users",
    "user": "user",
    "location": "link",
    "template": "tmpl",
}

_EXACT: Final = {"en": "d MMM yyyy, HH:mm", "zh": "yyyy-MM-dd HH:mm"}
_SECONDS: Final = {"en": "d MMM yyyy, HH:mm:ss", "zh": "yyyy-MM-dd HH:mm:ss"}
_DATE: Final = {"en": "d MMM yyyy", "zh": "yyyy-MM-dd"}
_DAY: Final = {"en": "EEEE d MMMM yyyy", "zh": "y年M月d日 EEEE"}
_UNSAFE: Final = re.compile(r"[\\\x00-\x1f\x7f-\x9f]")
LONGEST_ADDRESS: Final = 4000
_MINUTE: Final = 60
_HOUR: Final = 3600
_DAY_SECONDS: Final = 86400
_RELATIVE_DAYS: Final = 7


@lru_cache(maxsize=16)
def babel_locale(locale: str) -> "Locale":
    from babel import Locale

    return Locale.parse(locale)


def exact(at: datetime, reader: Reader, *, seconds: bool = False) -> str:
    """Give date and time in the reader's zone, such as `20 Nov 2026, 14:30`."""
    return _written(at, reader.zone, reader.locale, seconds)


@lru_cache(maxsize=4096)
def _written(at: datetime, zone: ZoneInfo, locale: str, seconds: bool) -> str:
    from babel.dates import format_datetime

    patterns = _SECONDS if seconds else _EXACT
    pattern = patterns["zh" if locale.startswith("zh") else "en"]
    return str(format_datetime(at.astimezone(zone), pattern, locale=babel_locale(locale)))


def date(at: datetime, reader: Reader) -> str:
    """Give the date in the reader's zone, such as `20 Nov 2026`."""
    return _date(at.astimezone(reader.zone).date(), reader.locale)


@lru_cache(maxsize=1024)
def _date(at: calendar_date, locale: str) -> str:
    from babel.dates import format_date

    pattern = _DATE["zh" if locale.startswith("zh") else "en"]
    return str(format_date(at, pattern, locale=babel_locale(locale)))


def day(at: datetime, reader: Reader) -> str:
    """Give the day in words, such as `Friday 20 November 2026`."""
    from babel.dates import format_date

    pattern = _DAY["zh" if reader.locale.startswith("zh") else "en"]
    return str(format_date(at.astimezone(reader.zone), pattern, locale=babel_locale(reader.locale)))


def age_parts(at: datetime, now: datetime) -> tuple[str, int] | None:
    """Give an age as unit and number, such as `("min", 42)`; None beyond a week."""
    seconds = (now - at).total_seconds()
    if seconds < _MINUTE:
        return ("now", 0)
    if seconds < _HOUR:
        return ("min", int(seconds // _MINUTE))
    if seconds < 2 * _DAY_SECONDS:
        return ("h", int(seconds // _HOUR))
    if seconds < _RELATIVE_DAYS * _DAY_SECONDS:
        return ("d", int(seconds // _DAY_SECONDS))
    return None


def time_tag(at: datetime, reader: Reader, text: str) -> Markup:
    """Give a `time` element that shows `text` and has the exact time, for all to see, in it."""
    full = escape(f"{exact(at, reader, seconds=True)} {reader.time_zone}")
    machine = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    # Written by hand: a list has a hundred of them, and `Markup.format` reads its text each time.
    return Markup(f'<time datetime="{machine}" title="{full}">{escape(text)}</time>')  # noqa: S704


def number(value: float, reader: Reader) -> str:
    """Give a number with the separators of the reader's language."""
    if isinstance(value, int) and -1000 < value < 1000:
        return str(value)
    return _number(value, reader.locale)


@lru_cache(maxsize=1024)
def _number(value: float, locale: str) -> str:
    from babel.numbers import format_decimal

    return str(format_decimal(value, locale=babel_locale(locale)))


def safe_url(url: Any) -> str:
    """Give a URL from outside that a link may lead to, or `#`: http, https, mailto or a path."""
    text = str(url or "").strip()
    if text.startswith("/") and not text.startswith(("//", "/\\")):
        return text
    try:
        scheme = urlsplit(text).scheme.lower()
    except ValueError:
        return "#"
    return text if scheme in ("http", "https", "mailto") else "#"


def entity_url(ref: EntityRef, tab: str = "") -> str:
    """Give the address of an entity's page, or of one of its tabs."""
    return ref.path(tab)


def marked(text: str) -> Markup:
    """Turn U+E000 and U+E001 around what a search matched into `mark` elements."""
    escaped = str(escape(text))
    return Markup(escaped.replace("\ue000", "<mark>").replace("\ue001", "</mark>"))  # noqa: S704


def address(text: str) -> str:
    """Give a path only if it leads back into this portal, else the home page.

    Browsers read a backslash as a slash and leave out tabs and line ends (WHATWG URL Standard,
    section 4.4), and proxies may decode the path: `//` is looked for after both.
    """
    path = unquote(text.partition("?")[0].partition("#")[0])
    inside = text.startswith("/") and not path.startswith("//") and len(text) <= LONGEST_ADDRESS
    return text if inside and not _UNSAFE.search(text) and not _UNSAFE.search(path) else "/"


def initials(name: str) -> str:
    """Give what stands for a person in a small disc.

    Of a Chinese name it is the given name, one or two characters; else the first letters of the
    first two words.
    """
    chinese = re.match(r"[\u4e00-\u9fff]+", name)
    if chinese:
        whole = chinese[0]
        return whole[-2:] if len(whole) > 2 else whole[-1:]
    return "".join(word[0] for word in name.split()[:2]).upper() or "?"
