"""Deleting an entity so that it stays deleted, the list of those, and undo."""

from typing import Any, Final

from callboard_catalog.deletions import Deleted
from callboard_web.catalog_api.model import Answer, ApiRequest, Endpoint, Parameter
from callboard_web.catalog_api.schemas import NAME, TEXT, USUAL_ERROR, listed, shaped
from callboard_web.deletions.service import DELETE, deletions_of, restore, seen_deletions

CURSOR: Final = "deleted"
USUAL_PAGE: Final = 50
LONGEST_PAGE: Final = 500


def delete(request: ApiRequest) -> Answer:
    """Delete the entity with this uid. One that is not there, or not seen, is as if it was."""
    portal = request.portal
    deletions = deletions_of(portal)
    ref = deletions.ref_of(request.parameters["uid"])
    if ref is not None and portal.runtime.catalog.get(ref) is not None:
        portal.runtime.services.require(DELETE, ref)
        deletions.delete_entity(request.parameters["uid"], reason=request.first("reason"))
    return Answer.empty(204)


def deleted(request: ApiRequest) -> Answer:
    """Answer what was deleted and may have been seen, the newest first."""
    cursors, cursor = request.portal.cursors, request.first("cursor")
    before = int(cursors.read(CURSOR, cursor)) if cursor else 0
    limit = request.number("limit", USUAL_PAGE)
    page = seen_deletions(request.portal, before=before, limit=limit)
    more = {"nextCursor": cursors.make(CURSOR, page.following)} if page.following else {}
    return Answer.of({"items": [_told(item) for item in page.items], "pageInfo": more})


def _told(item: Deleted) -> dict[str, Any]:
    return {
        "ref": str(item.ref),
        "uid": item.uid,
        "title": item.title,
        "source": item.source,
        "path": item.path,
        "at": item.at.isoformat(),
        "by": item.actor,
        "reason": item.reason,
        "givenBy": list(item.given_by),
        "forgottenAt": item.forgotten_at.isoformat(),
    }


def undo(request: ApiRequest) -> Answer:
    """Undo a deletion: the entity is back, with its uid, where a source gives it."""
    restored = restore(request.portal, request.parameters["uid"])
    return Answer.of({"ref": str(restored.ref), "served": restored.served})


ENDPOINTS: Final = (
    Endpoint(
        method="DELETE",
        path="/entities/by-uid/{uid}",
        view=delete,
        about="Deletes an entity: it stays away, whatever source gives it, until that is undone.",
        permission=DELETE,
        parameters=(Parameter(name="reason", schema=TEXT, about="Why, for those who wonder."),),
        answers={204: None},
    ),
    Endpoint(
        method="GET",
        path="/deleted",
        view=deleted,
        about="What was deleted, the newest first.",
        lists=True,
        parameters=(
            Parameter(
                name="limit",
                schema={"type": "integer", "minimum": 1, "maximum": LONGEST_PAGE},
                about=f"Deletions in a page; {USUAL_PAGE} unless given.",
            ),
            Parameter(name="cursor", schema=NAME, about="Where a page before ended."),
        ),
        answers={
            200: shaped(
                ("items", "pageInfo"),
                items=listed(
                    shaped(
                        ("ref", "uid", "at", "by", "givenBy", "forgottenAt"),
                        ref=NAME, uid=NAME, title=TEXT, source=TEXT, path=TEXT, at=NAME, by=NAME,
                        reason=TEXT, givenBy=listed(NAME), forgottenAt=NAME,
                    )
                ),
                pageInfo=shaped(nextCursor=NAME),
            )
        },
    ),
    Endpoint(
        method="POST",
        path="/deleted/{uid}/restore",
        view=undo,
        about="Undoes a deletion.",
        permission=DELETE,
        answers={
            200: shaped(("ref", "served"), ref=NAME, served={"type": "boolean"}),
            404: USUAL_ERROR,
        },
    ),
)  # fmt: skip
