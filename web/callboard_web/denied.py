"""What is said where somebody lacks a permission: which it is, who can give it, and to the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from starlette.requests import Request

from callboard.access import Role
from callboard.entities import EntityRef
from callboard.errors import InputError, NotAllowedError, RefusedError
from callboard.i18n import Text
from callboard.identity import acting_for

if TYPE_CHECKING:
    from callboard_web.portal import Portal

FORBIDDEN: Final = 403
UNKNOWN: Final = 401
SAFE: Final = ("GET", "HEAD", "OPTIONS")
UNNAMED: Final = "portal.request.send"
"""What is refused for another reason than a permission, such as a form of another site."""

MOST_NAMED: Final = 8
"""Administrators that are named; more are not looked for by anyone."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A permission that somebody lacks. `entity` is what it was asked about, if it may be seen.

    `you` is what they are called, with the `groups` they are in.

    `roles` are those that have it, and `givers` the people and groups that can give one.
    """

    name: str
    title: Text
    you: str
    groups: Sequence[str]
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
    groups = subject.mine[1:][:MOST_NAMED]
    asked = [*administrators, *groups, *([entity] if entity else ())]
    known = portal.runtime.catalog.titles(asked)
    return Missing(
        name=declared.name,
        title=declared.title,
        you=subject.title or subject.principal.name,
        groups=[known[ref] for ref in groups if ref in known],
        entity=entity if entity and entity in known else None,
        entity_title=known.get(entity, "") if entity else "",
        roles=[item.role for item in access.who_may(declared.name)],
        givers=[(ref, known[ref]) for ref in administrators if ref in known][:MOST_NAMED],
    )


def note_refusal(portal: "Portal", request: Request, status: int, error: Exception) -> None:
    """Record that a page or an act was refused; who only has to sign in first is led there."""
    if status != FORBIDDEN and (status != UNKNOWN or request.method in SAFE):
        return
    permission, entity = "", ""
    if isinstance(error, RefusedError):
        permission, entity = error.permission, error.entity
    why = {"method": request.method, "path": request.url.path, "message": str(error)}
    with acting_for(portal.subject(request)):
        portal.runtime.services.audit.denied(permission or UNNAMED, entity or request.url.path, why)


def _ref(name: str) -> EntityRef | None:
    try:
        return EntityRef.parse(name)
    except InputError:
        return None
