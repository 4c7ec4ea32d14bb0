"""Checking a document before it is handed in."""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from callboard.errors import InputError
from callboard_catalog.descriptors import Origin, parse_location
from callboard_catalog.ingest.parse import Parser, Rejection
from callboard_web.catalog_api.model import Answer, ApiRequest, Endpoint
from callboard_web.catalog_api.schemas import NAME, TEXT, listed, shaped

_MISSING: Final = "missing-"


def validate(request: ApiRequest) -> Answer:
    """Answer nothing for a good entity, and 400 with all that is wrong with a bad one."""
    asked = request.json()
    errors = _location_errors(asked["location"]) or _entity_errors(
        request, asked["entity"], asked["location"]
    )
    return Answer.of({"errors": errors}, 400) if errors else Answer.empty()


def _location_errors(text: str) -> list[Mapping[str, Any]]:
    try:
        if parse_location(text).type == "url":
            return []
        said = f"Invalid location {text[:200]!r}: expected one of type url, such as url:https://…"
    except InputError as error:
        said = f"Invalid location: {error}"
    return [{"name": "InputError", "message": said}]


def _entity_errors(
    request: ApiRequest, entity: Mapping[str, Any], location: str
) -> list[Mapping[str, Any]]:
    engine = request.portal.runtime.engine
    parser = Parser(
        registry=engine.registry,
        limits=engine.limits,
        origin_of=lambda path: Origin(location=location),
        # Files that placeholders name are not fetched for this: an object takes their place.
        read=lambda path, base: b"{}",
        blob_of=lambda path: "",
    )
    parsed = parser.parse("catalog-info.yaml", "", orjson.dumps(entity))
    return [_told(item) for item in parsed.rejections if item.severity == "error"]


def _told(item: Rejection) -> Mapping[str, Any]:
    said = str(item.message)
    if item.code.startswith(_MISSING):
        name = item.code.removeprefix(_MISSING).rpartition(".")[2]
        said = f"{said} - missingProperty: {name}"
    cause = {"name": "TypeError", "message": said}
    place = f" of {item.ref}" if item.ref else ""
    return {"name": "InputError", "message": f"Validation{place} failed: {said}", "cause": cause}


_CAUSE: Final = shaped(("name", "message"), name=NAME, message=TEXT)
_ERRORS: Final = shaped(
    ("errors",),
    errors=listed(shaped(("name", "message"), name=NAME, message=TEXT, cause=_CAUSE)),
)

ENDPOINTS: Final = (
    Endpoint(
        method="POST",
        path="/validate-entity",
        view=validate,
        about="Says what is wrong with an entity that would be read from a location. Files that "
        "its placeholders name are not read.",
        lists=True,
        body=shaped(("entity", "location"), entity={"type": "object"}, location=TEXT),
        answers={
            200: None,
            400: {"anyOf": [_ERRORS, {"$ref": "#/components/schemas/Error"}]},
        },
    ),
)
