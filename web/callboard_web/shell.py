"""What surrounds every page: the sidebar, what is counted in it, and announcements."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request

from callboard.contributions import NavItem, PageNote
from callboard.errors import NotReadyError
from callboard.i18n import Text, Translator
from callboard.plugins import PluginState
from callboard_web import csrf
from callboard_web.announcements import Announcement
from callboard_web.sessions import break_glass

if TYPE_CHECKING:
    from callboard_web.portal import Portal
    from callboard_web.runtime import Runtime

_ = Translator("callboard")

SECTIONS: Final[Mapping[str, Text]] = {
    "main": "",
    "deliver": _("Deliver"),
    "assure": _("Assure"),
    "administer": _("Administer"),
}
LANGUAGE_NAMES: Final = {"en": "English", "zh-CN": "中文"}
_LETTERS: Final = frozenset("abcdefhijklmnopqrstuvwxyz")  # g begins the sequence


def shell_of(portal: "Portal", request: Request, token: str, *, counts: bool) -> dict[str, Any]:
    """Give what the templates around a page need; without `counts`, what no table has."""
    settings = portal.runtime.portal
    subject = portal.subject(request)
    return {
        "portal": settings,
        "navigation": _permitted(portal) if counts else _permitted_if_known(portal),
        "nav_letters": portal.letters,
        "nav_path": request.url.path,
        "nav_counts": _counts(portal) if counts else {},
        "csrf_field": csrf.FIELD,
        "csrf_token": token,
        "here": here_of(request),
        "you": portal.person(request) if counts else None,
        "signed_in": subject if subject.signed_in else None,
        "can_sign_in": portal.offers_sign_in(request),
        "session_idle": int(portal.sessions.settings.idle.total_seconds()),
        "alarm": _alarm(portal) if counts else None,
        "page_notes": portal.notes,
        "announced": _announced(portal, request) if counts else (),
        "crumbs": (),
        "live": True,
        "languages": [(tag, language_name(tag)) for tag in settings.languages],
    }


def _permitted(portal: "Portal") -> list[tuple[Text, list[NavItem]]]:
    """Give the links of the sidebar that lead somewhere for the one who asks."""
    permits = cache(portal.runtime.services.permits)
    found = [
        (title, [item for item in items if permits(item.permission)])
        for title, items in portal.navigation
    ]
    return [(title, items) for title, items in found if items]


def _permitted_if_known(portal: "Portal") -> list[tuple[Text, list[NavItem]]]:
    """Give the same, or none where the database is away: a page must still say so."""
    try:
        return _permitted(portal)
    except (NotReadyError, SQLAlchemyError):
        return []


def _alarm(portal: "Portal") -> datetime | None:
    """Give when the local administrator was used, for those who are to know it."""
    if not portal.runtime.services.permits("portal.session.read"):
        return None
    return break_glass.last_used(portal.sessions)


def _announced(portal: "Portal", request: Request) -> Sequence[Announcement]:
    """Give the announcements of now that the reader has not put away, the gravest first."""
    current = portal.announcements.current()
    if not current:
        return ()
    away = portal.announcements.dismissed(portal.person(request).key)
    return [item for item in current if item.id not in away]


def _counts(portal: "Portal") -> dict[str, int]:
    permits = portal.runtime.services.permits
    records = portal.runtime.plugins.records.values()
    bad = (PluginState.FAILED, PluginState.INCOMPATIBLE)
    counts = {}
    if permits("catalog.source.read"):
        counts["/problems"] = portal.problems()
    if permits("portal.plugin.read"):
        counts["/plugins"] = sum(record.state in bad for record in records)
    return counts


def here_of(request: Request) -> str:
    """Give the path of a request with its query, for coming back to it."""
    query = request.url.query
    return f"{request.url.path}?{query}" if query else request.url.path


def navigation_of(runtime: "Runtime") -> list[tuple[Text, list[NavItem]]]:
    """Give the links of the sidebar by section, in the order of both."""
    items = [item.value for item in runtime.plugins.contributions.navigation]
    grouped = [
        (title, [item for item in items if item.section == section])
        for section, title in SECTIONS.items()
    ]
    return [(title, members) for title, members in grouped if members]


def notes_of(runtime: "Runtime") -> list[PageNote]:
    """Give what plugins say at the top of every page; asked for once, by the settings."""
    found = []
    for item in runtime.plugins.contributions.page_notes:
        applies = item.value.applies
        if applies is not None:
            asked = partial(applies, runtime.host(item.plugin))
            if runtime.plugins.call(item, "note", asked, expected=bool) is not True:
                continue
        found.append(item.value)
    return found


def letters_of(items: Sequence[NavItem]) -> dict[str, str]:
    """Give each link a letter of its own, as far as they go: those asked for come first."""
    letters: dict[str, str] = {}
    for wishes in ([item.letter for item in items], [item.name for item in items]):
        for item, wish in zip(items, wishes, strict=True):
            free = [letter for letter in wish.lower() if letter in _LETTERS - {*letters.values()}]
            if item.path not in letters and free:
                letters[item.path] = free[0]
    return letters


@lru_cache(maxsize=100)
def language_name(tag: str) -> str:
    """Give what a language calls itself, such as `Deutsch`; its tag where nobody knows."""
    if tag in LANGUAGE_NAMES:
        return LANGUAGE_NAMES[tag]
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(tag, sep="-").get_display_name() or tag
    except (ValueError, UnknownLocaleError):
        return tag
