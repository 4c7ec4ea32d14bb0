"""What the catalog was at a past time, and what differs from it now."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from callboard.entities import EntityRef
from callboard.errors import InputError, NotFoundError
from callboard_catalog.descriptors.relations import relations
from callboard_catalog.history.asking import History
from callboard_catalog.history.patch import json_patch
from callboard_catalog.history.values import (
    DIFFERENCES,
    Difference,
    Differing,
    PastEntity,
    PastRequest,
)
from callboard_catalog.reading import stored_form
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
from callboard_web.catalog_api.schemas import (
    ENTITY,
    NAME,
    TEXT,
    TOTAL_ITEMS,
    USUAL_ERROR,
    Schema,
    listed,
    shaped,
)


def _moment_of(request: ApiRequest) -> datetime:
    """Give the past time of the address; raises `InputError` for a future one."""
    at = moment(request.parameters["time"])
    if at > request.portal.runtime.now():
        raise InputError("The time has not come yet; expected one in the past.")
    return at


def _asked_of_past(request: ApiRequest) -> PastRequest:
    owner = request.first("owner")
    return PastRequest(
        at=_moment_of(request),
        kind=request.first("kind").lower(),
        namespace=request.first("namespace").lower(),
        owner=stored_form(EntityRef.parse(owner, default_kind="group")) if owner else "",
        limit=limit_of(request),
    )


def _begun(
    request: ApiRequest, asked: PastRequest, more: str = ""
) -> tuple[PastRequest, list[Any]]:
    key = [written(asked.at), asked.kind, asked.namespace, asked.owner, more]
    after = position_of(request, "past", key)
    begun = PastRequest(
        at=asked.at, kind=asked.kind, namespace=asked.namespace, owner=asked.owner,
        after=after or "", limit=asked.limit,
    )  # fmt: skip
    return begun, key


def past_entities(request: ApiRequest) -> Answer:
    """Answer a page of the entities of a time, by reference."""
    history = history_of(request)
    asked, key = _begun(request, _asked_of_past(request))
    page = history.page(asked)
    total = (
        history.counts(asked).was if request.first("totalItems", "include") == "include" else None
    )
    inexact = [str(item.entity.ref) for item in page.entities if not item.exact]
    return paged(
        request,
        "past",
        key,
        page.following,
        items=[_as_it_was(request, item) for item in page.entities],
        totalItems=total,
        **_exactness(history, asked.at, inexact),
    )


def past_entity(request: ApiRequest) -> Answer:
    """Answer an entity as it was at a time."""
    history, at, ref = history_of(request), _moment_of(request), ref_of(request)
    found = history.entity(ref, at)
    if found is None:
        raise NotFoundError(f"No entity named {ref} was in the catalog at {written(at)}.")
    inexact = [] if found.exact else [str(ref)]
    told = {"entity": _as_it_was(request, found), "since": found.since}
    return Answer.of({**told, **_exactness(history, at, inexact)})


def past_differences(request: ApiRequest) -> Answer:
    """Answer what came, changed or left between a time and now, and how much of each."""
    history = history_of(request)
    chosen: Difference = request.first("difference", "changed")  # type: ignore[assignment]
    asked, key = _begun(request, _asked_of_past(request), chosen)
    page = history.differences(chosen, asked)
    counted = history.counts(asked)
    counts = {name: getattr(counted, name) for name in DIFFERENCES}
    items = [_difference(item) for item in page.items]
    exactness = _exactness(history, asked.at, [])
    return paged(request, "past", key, page.following, items=items, counts=counts, **exactness)


def _difference(item: Differing) -> dict[str, Any]:
    told: dict[str, Any] = {"entityRef": str(item.ref), "difference": item.difference}
    if item.before is not None and item.now is not None:
        told["patch"] = json_patch(item.before.document, item.now.document)
    return told


def _as_it_was(request: ApiRequest, item: PastEntity) -> dict[str, Any]:
    """Give an entity with the relations that it declared; those that others did are not known."""
    document = item.entity.document
    declared = relations(document, request.portal.runtime.engine.registry).pairs
    told = sorted({(pair.type, str(pair.target)) for pair in declared})
    return {**document, "relations": [{"type": name, "targetRef": ref} for name, ref in told]}


def _exactness(history: History, at: datetime, inexact: Sequence[str]) -> Mapping[str, Any]:
    begin = history.exact_from()
    return {
        "at": written(at),
        "exact": (begin is None or at >= begin) and not inexact,
        "exactFrom": None if begin is None else written(begin),
        "inexact": list(inexact),
    }


_TIMES: Final = {"type": ["string", "null"], "format": "date-time"}
_NUMBER: Final[Schema] = {"type": ["integer", "null"], "minimum": 0}
_EXACTNESS: Final[dict[str, Any]] = {
    "at": TIME, "exact": {"type": "boolean"}, "exactFrom": _TIMES, "inexact": listed(NAME),
}  # fmt: skip
_OF_PAST: Final = (
    KIND,
    Parameter(name="namespace", schema=TEXT, about="Only entities of this namespace."),
    Parameter(
        name="owner", schema=TEXT, about="Only entities of this owner, a group without a kind."
    ),
    LIMIT,
    CURSOR,
)

ENDPOINTS: Final = (
    get(
        "/at/{time}/entities",
        past_entities,
        "The entities of a past time (ISO 8601), by reference, with the relations they declared "
        "themselves. `exactFrom` is the time from which on the past is known exactly, null where "
        "that is all of it; `inexact` names those of which changes are no longer kept. "
        "`totalItems` is null where it would cost too much to count.",
        parameters=(
            *_OF_PAST,
            Parameter(
                name="totalItems", schema=TOTAL_ITEMS, about="`exclude` leaves the number out."
            ),
        ),
        answers={
            200: shaped(
                ("items", "pageInfo", "at", "exact"),
                items=listed(ENTITY),
                totalItems=_NUMBER,
                pageInfo=INFO,
                **_EXACTNESS,
            )
        },
    ),
    get(
        f"/at/{{time}}{NAMED}",
        past_entity,
        "An entity as it was at a past time, and what became of it since: it is the same, has "
        "changed, or is gone.",
        answers={
            200: shaped(
                ("entity", "since", "at", "exact"),
                entity=ENTITY,
                since={"enum": ["same", "changed", "gone"]},
                **_EXACTNESS,
            ),
            404: USUAL_ERROR,
        },
    ),
    get(
        "/at/{time}/differences",
        past_differences,
        "What came, changed or left between a past time and now, by reference, with the number of "
        "each (null where it would cost too much to count) and a JSON Patch for what changed.",
        parameters=(
            Parameter(
                name="difference",
                schema={"type": "string", "enum": list(DIFFERENCES)},
                about="Which of them: `changed` without it.",
            ),
            *_OF_PAST,
        ),
        answers={
            200: shaped(
                ("items", "counts", "pageInfo"),
                items=listed(
                    shaped(("entityRef", "difference"), entityRef=NAME,
                           difference={"enum": list(DIFFERENCES)}, patch=PATCH)
                ),
                counts=shaped(
                    DIFFERENCES, came=_NUMBER, changed=_NUMBER, left=_NUMBER
                ),
                pageInfo=INFO,
                **_EXACTNESS,
            )
        },
    ),
)  # fmt: skip
