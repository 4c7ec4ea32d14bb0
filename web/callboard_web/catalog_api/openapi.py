"""The published description of the API (OpenAPI 3.1), from what its endpoints declare."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from callboard import __version__
from callboard_web.catalog_api.model import MOUNT, Answer, ApiRequest, Endpoint, Parameter
from callboard_web.catalog_api.schemas import components

JSON: Final = "application/json"
ERROR: Final[Mapping[str, Any]] = {"$ref": "#/components/schemas/Error"}
_NAME: Final = re.compile(r"{(\w+)(?::\w+)?}")

COMMON: Final[Mapping[int, str]] = {
    400: "The request is not as described here",
    401: "It must be known who asks",
    403: "The one who asks may not do this",
    408: "The request did not come in time",
    413: "The body is too large",
    429: "The token asks too often",
    503: "The portal is closed, or a part of it does not answer",
}
"""What any endpoint may answer."""
LATE: Final = 408
OFTEN: Final = 429
RETRY_AFTER: Final[Mapping[str, Any]] = {
    "description": "Seconds until the next request is taken",
    "schema": {"type": "integer"},
}

OF_BODIES: Final[Mapping[int, str]] = {415: "The body is not JSON"}
OF_PATHS: Final[Mapping[int, str]] = {404: "There is no such thing"}
WORDS: Final[Mapping[int, str]] = {
    **COMMON, **OF_BODIES, **OF_PATHS,
    200: "Done", 201: "Made", 202: "Taken", 204: "Done", 304: "Not changed",
    409: "It does not fit the state of things", 422: "Not valid",
}  # fmt: skip


def endpoint(endpoints: Sequence[Endpoint]) -> Endpoint:
    """Give the endpoint that answers the description of these and of itself."""

    def view(request: ApiRequest) -> Answer:
        """Answer the description."""
        return Answer.of(described)

    own = Endpoint(
        method="GET",
        path="/openapi.json",
        view=view,
        about="This description.",
        permission="",
        why="It says how to ask, and nothing of what is there.",
        answers={200: {"type": "object"}},
    )
    described = document((*endpoints, own))
    return own


def document(endpoints: Sequence[Endpoint]) -> Mapping[str, Any]:
    """Give the description of endpoints."""
    paths: dict[str, dict[str, Any]] = {}
    for item in endpoints:
        paths.setdefault(path_of(item), {})[item.method.lower()] = _operation(item)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Callboard catalog", "version": __version__},
        "servers": [{"url": MOUNT}],
        "paths": paths,
        "components": {
            "schemas": components(),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{}, {"bearer": []}],
    }


def path_of(item: Endpoint) -> str:
    """Give the path of an endpoint as it is described: names without what they are read as."""
    return _NAME.sub(r"{\1}", item.path)


def _operation(item: Endpoint) -> Mapping[str, Any]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _NAME.findall(item.path)
    ]
    words = re.findall(r"\w+", f"{item.method.lower()} {item.path}")
    told: dict[str, Any] = {
        "operationId": "_".join(words),
        "summary": item.about,
        "parameters": [*in_path, *map(_parameter, item.parameters)],
        "responses": {str(status): answer for status, answer in _answers(item)},
    }
    if item.body is not None:
        required = bool(item.body.get("required"))
        content = {JSON: {"schema": item.body}}
        content |= {kind: {"schema": {"type": "string"}} for kind in item.also}
        told["requestBody"] = {"required": required, "content": content}
    return told


def _parameter(item: Parameter) -> Mapping[str, Any]:
    schema = {"type": "array", "items": item.schema} if item.repeated else item.schema
    return {
        "name": item.name,
        "in": "query",
        "required": item.required,
        "description": item.about,
        "schema": schema,
        **({"style": "form", "explode": True} if item.repeated else {}),
    }


def _answers(item: Endpoint) -> list[tuple[int, Mapping[str, Any]]]:
    usual = {**COMMON, **(OF_BODIES if item.body is not None else {})}
    if "{" in item.path:
        usual = {**usual, **OF_PATHS}
    unchanged = {304: None} if item.method == "GET" else {}
    declared = {**dict.fromkeys(usual, ERROR), **unchanged, **item.answers}
    return [(status, _answer(status, schema)) for status, schema in sorted(declared.items())]


def _answer(status: int, schema: Mapping[str, Any] | None) -> Mapping[str, Any]:
    told: dict[str, Any] = {"description": WORDS.get(status, "Answer")}
    if schema is not None:
        told["content"] = {JSON: {"schema": schema or ERROR}}
    if status == LATE:
        # The head of a request is waited for before anything knows what the request is.
        told["content"]["text/plain"] = {"schema": {"type": "string"}}
    if status == OFTEN:
        told["headers"] = {"Retry-After": RETRY_AFTER}
    return told
