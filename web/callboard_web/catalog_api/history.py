"""What changed in the catalog."""

from typing import Any, Final

from callboard.errors import NotFoundError
from callboard_catalog.history import Version
from callboard_catalog.history.asking import ChangeRequest
from callboard_catalog.history.patch import json_patch
from callboard_web.catalog_api.history_parts import (
    CURSOR,
    INFO,
    KIND,
    LIMIT,
    NAMED,
    PATCH,
    TIME,
    get,
    history_of,
    limit_of,
    moment,
    paged,
    position_of,
    ref_of,
    written,
)
from callboard_web.catalog_api.model import Answer, ApiRequest, Parameter
from callboard_web.catalog_api.schemas import NAME, TEXT, USUAL_ERROR, Schema, listed, shaped

ACTIONS: Final = ("updated", "removed", "returned")
FORMS: Final = ("paths", "documents", "patch")


def of_entity(request: ApiRequest) -> Answer:
    """Answer the changes of an entity, newest first, also of one that is gone."""
    catalog, ref = request.portal.runtime.catalog, ref_of(request)
    limit, form = limit_of(request), request.first("form", "paths")
    asked = [str(ref)]
    upto = position_of(request, "history", asked)
    found = catalog.history(ref, limit=limit + 1, upto=upto)
    if not found and catalog.get(ref) is None:
        raise NotFoundError(f"No entity named {ref} is or was in the catalog.")
    items = [_change(item, form) for item in found[:limit]]
    following = found[limit].id if len(found) > limit else None
    place = catalog.provenance(ref)
    since = {"firstSeen": written(place.created_at)} if place else {}
    return paged(request, "history", asked, following, items=items, **since)


def changes(request: ApiRequest) -> Answer:
    """Answer all changes, newest first."""
    begin, end = request.first("since"), request.first("until")
    asked = [request.first(name) for name in ("since", "until", "kind", "source", "action")]
    page = history_of(request).changes(
        ChangeRequest(
            begin=moment(begin) if begin else None,
            end=moment(end) if end else None,
            kind=request.first("kind").lower(),
            source=request.first("source"),
            action=request.first("action"),
            below=position_of(request, "changes", asked),
            limit=limit_of(request),
        )
    )
    items = [{"entityRef": str(item.ref), **_change(item.version, "paths")} for item in page.items]
    return paged(request, "changes", asked, page.following, items=items)


def _change(version: Version, form: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": str(version.id),
        "at": written(version.at),
        "action": version.action,
        "source": version.source,
        "path": version.path,
        "head": version.head,
        "changed": list(version.changed),
    }
    if version.commit is not None:
        told["commit"] = version.commit.to_data()
    if form == "documents":
        told |= {"before": version.before, "after": version.after}
    elif form == "patch":
        told["patch"] = json_patch(version.before, version.after)
    return told


_COMMIT: Final = shaped(("hash",), hash=NAME, author=TEXT, subject=TEXT)
_DOCUMENT: Final[Schema] = {"type": ["object", "null"]}
_CHANGE: Final[dict[str, Any]] = {
    "id": NAME, "at": TIME, "action": {"enum": list(ACTIONS)}, "source": TEXT, "path": TEXT,
    "head": TEXT, "changed": listed(TEXT), "commit": _COMMIT,
}  # fmt: skip

ENDPOINTS: Final = (
    get(
        f"{NAMED}/history",
        of_entity,
        "The changes of an entity, newest first, also of one that is gone: what changed, when, in "
        "which source and file and by which commit. That it was first read is no change.",
        parameters=(
            Parameter(
                name="form",
                schema={"type": "string", "enum": list(FORMS)},
                about="`paths` (without it) names what changed, `documents` adds the document "
                "`before` and `after`, `patch` a JSON Patch (RFC 6902) from one to the other.",
            ),
            LIMIT,
            CURSOR,
        ),
        answers={
            200: shaped(
                ("items", "pageInfo"),
                items=listed(
                    shaped(("id", "at", "action", "changed"), **_CHANGE, before=_DOCUMENT,
                           after=_DOCUMENT, patch=PATCH)
                ),
                firstSeen=TIME,
                pageInfo=INFO,
            ),
            404: USUAL_ERROR,
        },
    ),
    get(
        "/history",
        changes,
        "All changes of entities, newest first. A page may have fewer than asked for, as long as "
        "there is a `nextCursor`.",
        parameters=(
            Parameter(name="since", schema=TEXT, about="Changes from this time on (ISO 8601)."),
            Parameter(name="until", schema=TEXT, about="Changes before this time (ISO 8601)."),
            KIND,
            Parameter(name="source", schema=TEXT, about="Changes that this source brought."),
            Parameter(
                name="action",
                schema={"type": "string", "enum": list(ACTIONS)},
                about="`updated`, `removed` or `returned` (after it had been removed).",
            ),
            LIMIT,
            CURSOR,
        ),
        answers={
            200: shaped(
                ("items", "pageInfo"),
                items=listed(shaped(("entityRef", "id", "at", "action"), entityRef=NAME,
                                    **_CHANGE)),
                pageInfo=INFO,
            )
        },
    ),
)  # fmt: skip
