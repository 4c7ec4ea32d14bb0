"""Roles, subjects and selectors as people read them."""

from collections.abc import Mapping, Sequence
from typing import Final

from callboard.access import FIELD_NAMES, Binding, Considered, Role
from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard.identity import EVERYTHING, Selector

_: Final = Translator("callboard")

AREAS: Final[Mapping[str, Text]] = {
    "catalog": _("Catalog"),
    "portal": _("Portal"),
    "access": _("Access"),
    "audit": _("Audit log"),
}
"""What the first part of a permission's name stands for, where it is no plugin's name."""

ORIGINS: Final[Mapping[str, Text]] = {
    "built-in": _("Built in"),
    "settings": _("Settings file"),
    "repository": _("Policy files"),
    "pages": _("Portal pages"),
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


def why(seen: Considered, *, yours: bool, about: bool) -> Text:
    """Say what came of a binding that was looked at; `about` tells whether it was an entity."""
    if seen.outcome == "entity":
        return _why_not_there(seen, yours=yours, about=about)
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


def _why_not_there(seen: Considered, *, yours: bool, about: bool) -> Text:
    if not about:
        return _("It is for some entities only")
    if seen.fields == ("owned",):
        if yours:
            return _("Neither you nor your teams own it")
        return _("Neither they nor their teams own it")
    fields = [FIELD_NAMES[name] for name in seen.fields]
    return _("It is for other entities: %(fields)s", fields=listed(fields))


def title_of(role: Role | None, name: str) -> Text:
    """Give what people call a role."""
    return (role.title or role.name) if role else name


def source_words(thing: Role | Binding) -> Text:
    """Say where a role or binding is written, with the line; of the settings' path the file."""
    if thing.origin == "settings":
        return str(thing.source).replace("\\", "/").rpartition("/")[2] or ORIGINS["settings"]
    if thing.origin == "repository":
        return thing.source or ORIGINS["repository"]
    return ORIGINS[thing.origin]


def origin_words(thing: Role | Binding) -> Text:
    """Say where a role or binding is written to those who may not read policies."""
    return ORIGINS[thing.origin]
