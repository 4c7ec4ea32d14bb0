"""What a page says where somebody lacks a permission: which it is, and who can give it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request

from callboard.access import Role
from callboard.entities import EntityRef
from callboard.errors import InputError, NotAllowedError
from callboard.i18n import Text

if TYPE_CHECKING:
    from callboard_web.portal import Portal

MOST_NAMED = 8
"""Administrators that are named; more are not looked for by anyone."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A permission that somebody lacks. `entity` is what it was asked about, if it may be seen.

    `roles` are those that have it, and `givers` the people and groups that can give one.
    """

    name: str
    title: Text
    you: str
    entity: EntityRef | None
    entity_title: str
    roles: Sequence[Role]
    givers: Sequence[tuple[EntityRef, str]]


def missing_of(portal: "Portal", request: Request, error: NotAllowedError) -> Missing | None:
    """Give what an error tells of; None where it is not a permission that is missing."""
    access = portal.runtime.services.access
    declared = access.permissions.get(error.permission)
    if declared is None:
        return None
    subject = portal.subject(request)
    entity = EntityRef.parse(error.entity) if error.entity else None
    administrators = [ref for name in access.settings.administrators if (ref := _ref(name))]
    known = portal.runtime.catalog.titles([*administrators, *([entity] if entity else ())])
    return Missing(
        name=declared.name,
        title=declared.title,
        you=subject.title or subject.principal.name,
        entity=entity if entity in known else None,
        entity_title=known[entity] if entity in known else "",
        roles=[item.role for item in access.who_may(declared.name)],
        givers=[(ref, known[ref]) for ref in administrators if ref in known][:MOST_NAMED],
    )


def _ref(name: str) -> EntityRef | None:
    try:
        return EntityRef.parse(name)
    except InputError:
        return None
