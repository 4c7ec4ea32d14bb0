"""How the one who reads wants to see pages: language, theme, density, time zone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from callboard_web.settings import PortalSettings

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

COOKIES: Final[Mapping[str, str]] = {
    "language": "callboard_language",
    "theme": "callboard_theme",
    "density": "callboard_density",
    "keys": "callboard_keys",
}
"""What a person can choose, and the cookie that keeps it."""

ZONE_COOKIE: Final = "callboard_zone"
"""Set by the page's script, from the browser's own time zone."""

CHOSEN_ZONE_COOKIE: Final = "callboard_time_zone"
"""The time zone a person chose, which outranks the browser's."""

ZERO: Final = timedelta(0)
MINUTE: Final = timedelta(minutes=1)

CHOICES: Final[Mapping[str, tuple[str, ...]]] = {
    "theme": ("auto", "light", "dark"),
    "density": ("normal", "compact", "roomy"),
    "keys": ("on", "off"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """For whom a page is drawn. `language` is a tag such as `zh-CN`; `now` is in UTC."""

    language: str
    zone: ZoneInfo
    now: datetime
    theme: str = "auto"
    density: str = "normal"
    keys: str = "on"
    chosen_zone: str = ""

    @property
    def locale(self) -> str:
        """The language as gettext and Babel name it, such as `zh_CN`."""
        return self.language.replace("-", "_")

    @property
    def time_zone(self) -> str:
        return self.zone.key

    @property
    def offsets(self) -> str:
        """Minutes east of UTC on 1 January and 1 July: a browser tells its zone where they differ.

        They are empty where a person has chosen a zone.
        """
        if self.chosen_zone:
            return ""
        noons = (datetime(self.now.year, month, 1, 12, tzinfo=self.zone) for month in (1, 7))
        return ",".join(f"{(at.utcoffset() or ZERO) // MINUTE}" for at in noons)


def reader_of(connection: "HTTPConnection", portal: PortalSettings, now: datetime) -> Reader:
    """Read the preferences out of a request; what is not a valid choice is passed over."""
    cookies = connection.cookies
    chosen = {
        name: value
        for name, values in CHOICES.items()
        if (value := cookies.get(COOKIES[name], "")) in values
    }
    asked = cookies.get(COOKIES["language"], "")
    if asked not in portal.languages:
        asked = _first_language(connection.headers.get("accept-language", ""), portal)
    picked = zone_named(cookies.get(CHOSEN_ZONE_COOKIE, ""))
    zone = picked or zone_named(cookies.get(ZONE_COOKIE, "")) or ZoneInfo(portal.time_zone)
    return Reader(
        language=asked, zone=zone, now=now, chosen_zone=picked.key if picked else "", **chosen
    )


def _first_language(header: str, portal: PortalSettings) -> str:
    if portal.default_language != "auto":
        return portal.default_language
    return best_language(header, portal.languages)


@lru_cache(maxsize=256)
def best_language(header: str, languages: Sequence[str]) -> str:
    """Give the language that an `Accept-Language` header (RFC 9110, 12.5.4) likes best."""
    wishes = []
    for index, part in enumerate(header.split(",")[:20]):
        tag, _, parameter = part.strip().partition(";")
        weight = parameter.strip().removeprefix("q=")
        try:
            wishes.append((-float(weight or 1), index, tag.strip().lower()))
        except ValueError:
            continue
    for _, _, tag in sorted(wishes):
        for language in languages:
            if tag and language.lower().partition("-")[0] == tag.partition("-")[0]:
                return language
    return languages[0]


@lru_cache(maxsize=1024)
def zone_named(name: str) -> ZoneInfo | None:
    """Give a time zone by its name, such as `Asia/Shanghai`, or None."""
    if not name or len(name) > 64:
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return None
