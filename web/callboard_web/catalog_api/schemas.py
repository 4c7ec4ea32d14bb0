"""What bodies and answers of the API look like, as JSON Schema."""

from collections.abc import Mapping
from typing import Any, Final

from callboard_web.catalog_api.model import Parameter

Schema = Mapping[str, Any]

MOST_LISTED: Final = 10_000
"""Entities in one page: who asks for more is given so many, and where to go on."""

MOST_REFERENCES: Final = 10_000
MOST_FACETS: Final = 100
HIGHEST: Final = 2**53 - 1

TEXT: Final[Schema] = {"type": "string"}
NAME: Final[Schema] = {"type": "string", "minLength": 1}
COUNT: Final[Schema] = {"type": "integer", "minimum": 0, "maximum": HIGHEST}
POSITIVE: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": HIGHEST}
TOTAL_ITEMS: Final[Schema] = {"type": "string", "enum": ["include", "exclude"]}
PREDICATE: Final[Schema] = {"type": "object"}
ENTITY: Final[Schema] = {"$ref": "#/components/schemas/Entity"}
PAGE: Final[Schema] = {"$ref": "#/components/schemas/EntityPage"}
FACETS: Final[Schema] = {"$ref": "#/components/schemas/Facets"}
USUAL_ERROR: Final[Schema] = {}


def listed(items: Schema, **more: Any) -> Schema:
    """Give the schema of a list; what bounds it is looked at before each item is."""
    return {"type": "array", **more, "items": items}


def shaped(required: tuple[str, ...] = (), *, strict: bool = False, **properties: Schema) -> Schema:
    """Give the schema of an object; other keys are allowed in it unless it is strict."""
    told: dict[str, Any] = {"type": "object"}
    if strict:
        told["additionalProperties"] = False
    if required:
        told["required"] = list(required)
    return {**told, "properties": properties}


def components() -> Mapping[str, Schema]:
    """Give the schemas that have a name."""
    return {
        "Entity": shaped(
            ("apiVersion", "kind", "metadata"),
            apiVersion=NAME,
            kind=NAME,
            metadata=shaped(
                ("name",), name=NAME, namespace=NAME, uid=NAME, etag=TEXT, title=TEXT,
                description=TEXT, labels=_texts(), annotations=_texts(), tags=listed(TEXT),
                links=listed(shaped(("url",), url=TEXT, title=TEXT, icon=TEXT, type=TEXT)),
            ),
            spec={"type": "object"},
            relations=listed(shaped(("type", "targetRef"), type=NAME, targetRef=NAME)),
            status=shaped(items=listed(shaped(("type", "level", "message"), type=NAME,
                                              level=NAME, message=TEXT))),
        ),
        "PartialEntity": {
            "type": "object",
            "description": "An entity, or the part of it that `fields` names.",
        },
        "EntityPage": shaped(
            ("items", "totalItems", "pageInfo"),
            items=listed({"$ref": "#/components/schemas/PartialEntity"}),
            totalItems=COUNT,
            pageInfo=shaped(nextCursor=NAME, prevCursor=NAME),
        ),
        "Facets": shaped(
            ("facets",),
            facets={
                "type": "object",
                "additionalProperties": listed(
                    shaped(("value", "count"), value=TEXT, count=POSITIVE)
                ),
            },
        ),
        "Error": shaped(
            ("error", "request", "response"),
            error=shaped(("name", "message"), name=NAME, message=TEXT,
                         cause=shaped(("name", "message"), name=NAME, message=TEXT)),
            request=shaped(("method", "url"), method=NAME, url=NAME),
            response=shaped(("statusCode",), statusCode={"type": "integer"}),
        ),
    }  # fmt: skip


def _texts() -> Schema:
    return {"type": "object", "additionalProperties": TEXT}


FILTER: Final = Parameter(
    name="filter",
    schema=TEXT,
    about="Conditions `key`, `key=value` or `key=`, joined by commas, that all hold; a key that "
    "is there several times may have any of its values. Of several filters any may hold.",
    repeated=True,
)
FIELDS: Final = Parameter(
    name="fields",
    schema=TEXT,
    about="Dotted paths to keep of each entity, joined by commas; the rest is left out.",
    repeated=True,
)
LIMIT: Final = Parameter(
    name="limit",
    schema=COUNT,
    about=f"Entities in one page, at most {MOST_LISTED:,}: who asks for more is given so many.",
)
OFFSET: Final = Parameter(
    name="offset", schema=COUNT, about="Entities to pass over; a cursor is better."
)
