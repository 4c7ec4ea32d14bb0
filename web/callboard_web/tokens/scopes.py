"""What tokens may be made for, and what they are narrowed to when they are used."""

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from callboard.access.model import covers
from callboard.i18n import Text
from callboard.identity import EVERYTHING, Limit, Permission, Selector

FOR_PEOPLE: Final = (
    "portal.token.*", "portal.service_account.*", "portal.session.*", "portal.account.*",
    "portal.sign_in.*", "portal.access.*", "access.*", "portal.maintenance.*",
)  # fmt: skip
"""Permissions that no token has, whatever it is made for: with them one who finds a token could
give themselves more, or keep what they found."""


def is_for_tokens(permission: str) -> bool:
    """Say whether a token may have a permission at all."""
    return not covers(FOR_PEOPLE, permission)


def limits_of(
    patterns: Iterable[str], on: Selector, declared: Mapping[str, Permission]
) -> tuple[Limit, ...]:
    """Give what a token is narrowed to, by the names of permissions as they are declared now.

    Entities narrow what is about entities; what is about the portal as a whole is asked without
    one, and is in force as it was chosen.
    """
    wanted = tuple(patterns)
    names = [name for name in declared if covers(wanted, name) and is_for_tokens(name)]
    portal = tuple(name for name in names if declared[name].about == "portal")
    entity = tuple(name for name in names if declared[name].about == "entity")
    return (Limit(permissions=portal, on=EVERYTHING), Limit(permissions=entity, on=on))


def unknown(patterns: Iterable[str], declared: Mapping[str, Permission]) -> list[str]:
    """Give the patterns that name nothing a token may have."""
    names = [name for name in declared if is_for_tokens(name)]
    return [item for item in patterns if not any(fnmatchcase(name, item) for name in names)]


def by_area(declared: Iterable[Permission]) -> list[tuple[str, list[tuple[str, Text]]]]:
    """Give names and titles of the permissions, by the first word of their names."""
    areas: dict[str, list[tuple[str, Text]]] = {}
    for item in sorted(declared, key=lambda item: item.name):
        areas.setdefault(item.name.partition(".")[0], []).append((item.name, item.title))
    return list(areas.items())
