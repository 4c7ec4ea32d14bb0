"""Roles, subjects and selectors as people read them."""

from collections.abc import Mapping, Sequence
from typing import Final

from callboard.access import FIELD_NAMES, Binding, Considered, Role
from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard.identity import EVERYTHING, Permission, Selector

_: Final = Translator("callboard")

AREAS: Final[Mapping[str, Text]] = {
    "access": _("Access"),
    "audit": _("Audit log"),
    "catalog": _("Catalog"),
    "portal": _("Portal"),
}
"""What the first part of a permission's name stands for; that of a plugin is its name."""

ORIGINS: Final[Mapping[str, Text]] = {
    "built-in": _("Built in"),
    "settings": _("Settings file"),
    "repository": _("Policy files"),
    "pages": _("These pages"),
    "session": _("Signing in"),
}

CHANGED_IN: Final[Mapping[str, Text]] = {
    "built-in": _("It is built in. Setting access.defaults or access.anonymous changes it."),
    "settings": _("It is written in the settings file. Change it there and start the portal anew."),
    "repository": _("It is written in a policy file. Change it there; it is read by itself."),
    "session": _("It comes with the way of signing in."),
}
"""Where something is changed that these pages cannot change."""

MOST_VALUES: Final = 6
"""Values that are told of one field of a selector; the rest are counted."""

_FIELDS: Final = (
    ("kinds", ""), ("types", ""), ("namespaces", ""), ("owners", "group"), ("systems", "system"),
    ("domains", "domain"), ("tags", ""), ("environments", ""), ("refs", "component"),
)  # fmt: skip


def area_of(permission: str) -> str:
    """Give the first part of a permission's name: the host's part or the plugin that has it."""
    return permission.partition(".")[0]


def listed(texts: Sequence[Text]) -> Text:
    """Put texts one after the other, with commas as the language writes them."""
    if not texts:
        return ""
    told = texts[0]
    for text in texts[1:]:
        told = _("%(first)s, %(next)s", first=told, next=text)
    return told


def selector_words(selector: Selector, *, yours: bool = False) -> tuple[Text, ...]:
    """Give what a selector asks for, part by part; all of it must fit."""
    if selector == EVERYTHING:
        return (_("everything"),)
    words: list[Text] = []
    if selector.owned:
        words.append(
            _("what you or your teams own") if yours else _("what they or their teams own")
        )
    for name, kind in _FIELDS:
        values = sorted(getattr(selector, name))
        if values:
            words.append(_values(FIELD_NAMES[name], [_short(value, kind) for value in values]))
    return tuple(words)


def _values(what: Text, values: list[str]) -> Text:
    shown = " / ".join(values[:MOST_VALUES])
    rest = len(values) - MOST_VALUES
    if rest > 0:
        return _("%(what)s %(values)s and %(rest)s more", what=what, values=shown, rest=rest)
    return _("%(what)s %(values)s", what=what, values=shown)


def _short(value: str, kind: str) -> str:
    """Give a reference as short as it reads back; other values as they are."""
    if not kind:
        return value
    try:
        return EntityRef.parse(value).relative(kind=kind)
    except InputError:
        return value


def why(seen: Considered, *, yours: bool) -> Text:
    """Say what came of a binding that was looked at, in a few words."""
    if seen.outcome == "entity":
        fields = [FIELD_NAMES[name] for name in seen.fields]
        return _("Meant are other entities: %(fields)s", fields=listed(fields))
    if seen.outcome == "role":
        return _("Its role does not have this permission")
    if seen.outcome == "no role":
        return _("There is no such role")
    if seen.outcome == "set aside":
        return _("Nothing made in pages takes from administrators of the settings")
    if seen.outcome == "subject":
        return _("It is for others")
    if seen.effect == "deny":
        return _("It forbids it, whatever else gives it")
    return _("It gives it to you") if yours else _("It gives it to them")


def title_of(role: Role | None, name: str) -> Text:
    """Give what people call a role."""
    return (role.title or role.name) if role else name


def title_of_permission(permission: Permission | None, name: str) -> Text:
    """Give what a permission lets one do, in words."""
    return permission.title if permission else name


def source_words(thing: Role | Binding) -> Text:
    """Say where a role or binding is written."""
    if thing.origin in ("built-in", "pages", "session"):
        return ORIGINS[thing.origin]
    return thing.source or ORIGINS[thing.origin]
