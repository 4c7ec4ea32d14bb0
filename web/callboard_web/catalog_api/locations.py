"""Registered locations: to list, add, change and remove them, and to look before one does."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from callboard.entities import EntityRef
from callboard.errors import CallboardError, ConflictError, InputError, NotFoundError
from callboard_catalog.locations.analysis import Described, analyse
from callboard_catalog.locations.model import Location
from callboard_catalog.locations.preview import Preview, preview
from callboard_catalog.locations.service import RegisteredLocations
from callboard_catalog.rest.expressions import All, Exists, Expression, In, Not
from callboard_catalog.rest.expressions import Any as Some
from callboard_catalog.rest.predicates import parse_predicate
from callboard_web.catalog_api.model import Answer, ApiRequest, Endpoint, Parameter
from callboard_web.catalog_api.schemas import (
    COUNT,
    ENTITY,
    NAME,
    PREDICATE,
    TEXT,
    USUAL_ERROR,
    Schema,
    listed,
    shaped,
)
from callboard_web.entities.hidden import hidden_among

READ: Final = "catalog.location.read"
CREATE: Final = "catalog.location.create"
DELETE: Final = "catalog.location.delete"
CURSOR: Final = "locations"
USUAL_PAGE: Final = 1_000
MOST_LISTED: Final = 10_000


def _locations(request: ApiRequest) -> RegisteredLocations:
    return request.portal.runtime.locations


def _seen(request: ApiRequest) -> list[Location]:
    """Give the locations without those whose own entity is hidden from the one who asks."""
    found = _locations(request).all()
    refs = {item.ref: EntityRef.parse(item.ref) for item in found}
    hidden = hidden_among(request.portal.runtime.catalog, refs.values())
    return [item for item in found if refs[item.ref] not in hidden]


def every(request: ApiRequest) -> Answer:
    """Answer every location, each within `data`."""
    return Answer.of([{"data": item.to_data()} for item in _seen(request)])


def one(request: ApiRequest) -> Answer:
    """Answer one location."""
    found = _locations(request).get(request.parameters["id"])
    if hidden_among(request.portal.runtime.catalog, [EntityRef.parse(found.ref)]):
        raise NotFoundError(f"There is no location {request.parameters['id'][:80]}.")
    return Answer.of(found.to_data())


def create(request: ApiRequest) -> Answer:
    """Register a location, or only say what it would bring."""
    locations, body = _locations(request), request.json()
    if request.first("dryRun") == "true":
        return _tried(request, *locations.check(body["type"], body["target"]))
    try:
        made = locations.add(body["type"], body["target"])
    except ConflictError:
        if request.first("onConflict") != "refresh":
            raise
        known = locations.find(*locations.check(body["type"], body["target"]))
        if known is None:  # removed at this moment
            raise
        locations.refresh(known)
        made = known
    return Answer.of({"location": made.to_data(), "entities": []}, 201)


def _tried(request: ApiRequest, kind: str, target: str) -> Answer:
    """Read a location as it would be, and answer what is there."""
    known = _locations(request).find(kind, target)
    found = _previewed(request, kind, target)
    if found.errors:
        fault = found.errors[0]
        place = f" ({fault.path}, line {fault.line})" if fault.line > 1 else ""
        raise InputError(f"{fault.message}{place}")
    made = known or Location.of(kind, target, request.portal.runtime.now())
    return Answer.of(
        {
            "location": made.to_data(),
            "entities": [item.document for item in found.entities],
            "exists": known is not None,
        },
        201,
    )


def _previewed(request: ApiRequest, kind: str, target: str) -> Preview:
    try:
        return preview(request.portal.runtime.engine, kind, target)
    except CallboardError as error:
        raise InputError(error.message, hint=error.hint) from error


def change(request: ApiRequest) -> Answer:
    """Let a location lead elsewhere, under the name it has."""
    body = request.json()
    changed = _locations(request).change(request.parameters["id"], body["type"], body["target"])
    return Answer.of(changed.to_data())


def remove(request: ApiRequest) -> Answer:
    """Remove a location, with what it gave."""
    _locations(request).remove(request.parameters["id"])
    return Answer.empty(204)


def by_entity(request: ApiRequest) -> Answer:
    """Answer the location an entity comes from."""
    parameters = request.parameters
    ref = EntityRef.of(parameters["kind"], parameters["namespace"], parameters["name"])
    seen = request.portal.runtime.catalog.visible([ref])
    found = _locations(request).of_entity(ref) if ref in seen else None
    if found is None:
        raise NotFoundError(f"{ref} comes from no registered location.")
    return Answer.of(found.to_data())


# By query


def by_query(request: ApiRequest) -> Answer:
    """Answer a page of the locations that fit a predicate."""
    body = request.json() or {}
    if "cursor" in body:
        limit, after, query = request.portal.cursors.read(CURSOR, body["cursor"])
    else:
        limit, after, query = body.get("limit", USUAL_PAGE), "", body.get("query")
    # The limit of a cursor may be changed from page to page.
    limit = min(body.get("limit", limit), MOST_LISTED)
    where = parse_predicate(query) if query is not None else All()
    fitting = sorted(
        (item for item in _seen(request) if _fits(item.to_data(), where)),
        key=lambda item: item.id,
    )
    following = [item for item in fitting if item.id > after]
    page = following[:limit]
    info = {}
    if page and len(following) > len(page):
        info["nextCursor"] = request.portal.cursors.make(CURSOR, [limit, page[-1].id, query])
    return Answer.of(
        {
            "items": [item.to_data() for item in page],
            "totalItems": len(fitting),
            "pageInfo": info,
        }
    )


def _fits(location: Mapping[str, str], where: Expression) -> bool:
    """Say whether a predicate holds for a location; its keys and values have no case."""
    fields = {key.lower(): value.lower() for key, value in location.items()}

    def holds(part: Expression) -> bool:
        if isinstance(part, All):
            return all(map(holds, part.parts))
        if isinstance(part, Some):
            return any(map(holds, part.parts))
        if isinstance(part, Not):
            return not holds(part.part)
        value = fields.get(part.key)
        if value is None or isinstance(part, Exists):
            return value is not None
        return value in part.values if isinstance(part, In) else value.startswith(part.text)

    return holds(where)


# Looking first


def analyze(request: ApiRequest) -> Answer:
    """Answer which descriptors an address has, or one to begin with."""
    body = request.json()
    location, runtime = body["location"], request.portal.runtime
    if location["type"] != "url":
        raise InputError("Only locations of type url can be analyzed.")
    try:
        found = analyse(
            runtime.engine, runtime.catalog, location["target"], body.get("catalogFilename", "")
        )
    except CallboardError as error:
        raise InputError(error.message, hint=error.hint) from error
    generated = []
    if found.suggested is not None:
        generated.append({"entity": found.suggested, "fields": [_OWNER]})
    existing = [_existing(item) for item in found.existing]
    return Answer.of({"existingEntityFiles": existing, "generateEntities": generated})


def _existing(item: Described) -> Mapping[str, Any]:
    return {
        "location": {"type": "url", "target": item.target},
        "isRegistered": item.registered,
        "entity": item.document,
    }


_OWNER: Final = {
    "field": "spec.owner",
    "state": "needsUserInput",
    "value": None,
    "description": "The team that owns it, such as group:default/payments.",
}

LOCATION: Final[Schema] = shaped(
    ("id", "type", "target", "entityRef"), id=NAME, type=NAME, target=NAME, entityRef=NAME
)
_ASKED: Final[Schema] = shaped(("type", "target"), strict=True, type=TEXT, target=TEXT)
_BY_ID: Final = "/locations/{id}"


def _endpoint(
    method: Any, path: str, view: Callable[[ApiRequest], Answer], about: str, **more: Any
) -> Endpoint:
    return Endpoint(
        method=method, path=path, view=view, about=about,
        **{"permission": READ, "on": "portal", **more},
    )  # fmt: skip


ENDPOINTS: Final = (
    _endpoint(
        "GET", "/locations", every, "Every registered location.",
        lists=True, answers={200: listed(shaped(("data",), data=LOCATION))},
    ),
    _endpoint(
        "POST", "/locations", create,
        "Registers the address of a descriptor. `dryRun` reads it and says what would come of it.",
        permission=CREATE,
        parameters=(
            Parameter(name="dryRun", schema={"type": "boolean"}, about="Registers nothing."),
            Parameter(
                name="onConflict",
                schema={"type": "string", "enum": ["refresh", "reject"]},
                about="What to do where it is registered already: `reject` it, which is usual, "
                "or `refresh` what is there.",
            ),
        ),
        body=_ASKED,
        answers={
            201: shaped(
                ("location", "entities"),
                location=LOCATION, entities=listed(ENTITY), exists={"type": "boolean"},
            ),
            409: USUAL_ERROR,
        },
    ),
    _endpoint(
        "POST", "/locations/by-query", by_query,
        "Registered locations that fit a predicate over id, type, target and entityRef.",
        body=shaped(
            cursor=NAME, limit={**COUNT, "minimum": 1}, query=PREDICATE,
        ),
        answers={
            200: shaped(
                ("items", "totalItems", "pageInfo"),
                items=listed(LOCATION), totalItems=COUNT, pageInfo=shaped(nextCursor=NAME),
            ),
        },
    ),
    _endpoint(
        "GET", "/locations/by-entity/{kind}/{namespace}/{name}", by_entity,
        "The registered location an entity comes from.",
        answers={200: LOCATION, 404: USUAL_ERROR},
    ),
    _endpoint(
        "GET", _BY_ID, one, "A registered location.",
        answers={200: LOCATION, 404: USUAL_ERROR},
    ),
    _endpoint(
        "PUT", _BY_ID, change,
        "Lets a registered location lead to another address; its entity keeps its name.",
        permission=CREATE, body=_ASKED,
        answers={200: LOCATION, 404: USUAL_ERROR, 409: USUAL_ERROR},
    ),
    _endpoint(
        "DELETE", _BY_ID, remove, "Removes a registered location, with what it gave.",
        permission=DELETE, answers={204: None, 404: USUAL_ERROR},
    ),
    _endpoint(
        "POST", "/analyze-location", analyze,
        "Which descriptors a file or repository has, or one to begin with where it has none.",
        permission=CREATE,
        body=shaped(
            ("location",),
            location=shaped(("type", "target"), type=NAME, target=NAME),
            catalogFilename=NAME,
        ),
        answers={
            200: shaped(
                ("existingEntityFiles", "generateEntities"),
                existingEntityFiles=listed({"type": "object"}),
                generateEntities=listed({"type": "object"}),
            ),
        },
    ),
)  # fmt: skip
