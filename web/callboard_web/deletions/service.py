"""Who may delete an entity, undo that, and see what was deleted."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from callboard.entities import EntityRef
from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard.identity import asking, facts_of_reference
from callboard_catalog.deletions import Deleted, Deletions, Restored
from callboard_catalog.visibility import facts_of_removed
from callboard_web.portal import Portal

_: Final = Translator("callboard")

DELETE: Final = "catalog.entity.delete"
STEP: Final = 200


@dataclass(frozen=True, slots=True)
class DeletedPage:
    """Deletions, the newest first. `following` is where the next page begins; 0 on the last."""

    items: Sequence[Deleted]
    following: int


def deletions_of(portal: Portal) -> Deletions:
    """Give what keeps deletions."""
    return portal.runtime.engine.deletions


def seen_deletions(portal: Portal, *, before: int = 0, limit: int = 50) -> DeletedPage:
    """Give a page of the deletions of what the one who asks might see."""
    deletions, catalog = deletions_of(portal), portal.runtime.catalog
    found: list[tuple[int, Deleted]] = []
    while len(found) <= limit:
        rows = deletions.page(before=before, limit=STEP)
        seen = catalog.visible({item.ref for _number, item in rows})
        found += [(number, item) for number, item in rows if item.ref in seen]
        if len(rows) < STEP:
            break
        before = rows[-1][0]
    more = len(found) > limit
    kept = found[:limit]
    return DeletedPage([item for _number, item in kept], kept[-1][0] if more else 0)


def may_restore(portal: Portal, ref: EntityRef) -> bool:
    """Say whether the one who asks may undo a deletion: by what the entity was when it left."""
    subject, runtime = asking(), portal.runtime
    if subject is None:
        return True
    with runtime.database.read() as connection:
        facts = facts_of_removed(connection, [ref]).get(ref) or facts_of_reference(ref)
    return runtime.services.access.decide(subject, DELETE, facts).allowed


def restore(portal: Portal, uid: str) -> Restored:
    """Undo a deletion; raises `NotFoundError` for one that is not there or not seen, and
    `NotAllowedError`."""
    deletions = deletions_of(portal)
    found = deletions.by_uid(uid)
    if found is None or found.ref not in portal.runtime.catalog.visible({found.ref}):
        raise NotFoundError(
            _("There is no deletion of the entity %(uid)s.", uid=uid[:80]),
            hint=_("It may have been undone, or forgotten as no source gives it."),
        )
    if not may_restore(portal, found.ref):
        portal.runtime.services.require(DELETE, found.ref)
    return deletions.restore(uid)
