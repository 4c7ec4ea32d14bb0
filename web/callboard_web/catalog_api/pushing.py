"""Handing entities in: `PUT /entities`, and the sources that come of it."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from callboard.errors import InputError
from callboard_catalog.pushing import (
    EntityResult,
    Push,
    PushError,
    PushResult,
    owner_of,
    read_entities,
    read_yaml,
)
from callboard_catalog.pushing.model import Mode, PushedDocument
from callboard_catalog.pushing.service import Asker, Pusher
from callboard_web.catalog_api.model import Answer, ApiRequest, Endpoint, Parameter
from callboard_web.catalog_api.schemas import (
    COUNT,
    NAME,
    TEXT,
    USUAL_ERROR,
    Schema,
    listed,
    shaped,
)

PUSH: Final = "catalog.entity.push"
ADMINISTER: Final = "catalog.source.write"
YAML: Final = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml")
MODES: Final = ("full", "delta")


def push(request: ApiRequest) -> Answer:
    """Take what is handed in, and say what came of each document."""
    asked = _asked(request)
    return Answer.of(_told(_pusher(request).push(asked, asker_of(request))))


def sources(request: ApiRequest) -> Answer:
    """Answer the sources that are pushed: whose they are, and who pushed last."""
    found = _pusher(request).sources()
    items = [
        {
            "name": item.name,
            "owner": item.owner,
            "pushedBy": item.pushed_by,
            "pushedAt": item.pushed_at.isoformat(),
            "mode": item.mode,
        }
        for item in sorted(found.values(), key=lambda item: item.name)
    ]
    return Answer.of({"items": items})


def remove(request: ApiRequest) -> Answer:
    """Take a pushed source out with all it gave: its entities leave in a moment."""
    runtime = request.portal.runtime
    asker = asker_of(request)
    with runtime.database.write() as connection:
        _pusher(request).remove_in(connection, request.parameters["name"], asker)
        runtime.jobs.submit(connection, "catalog", "forget")
    return Answer.empty(204)


def asker_of(request: ApiRequest) -> Asker:
    """Give who pushes, and whether the sources of others are theirs too."""
    subject = request.subject
    return Asker(
        by=str(subject.principal),
        owner=owner_of(subject),
        administers=request.portal.runtime.services.decide(ADMINISTER).allowed,
    )


def _pusher(request: ApiRequest) -> Pusher:
    return request.portal.runtime.engine.pusher


# The request


def _asked(request: ApiRequest) -> Push:
    content = request.content
    body: Mapping[str, Any] = content if isinstance(content, Mapping) else {}
    mode = cast("Mode", _one(request, body, "mode") or "full")
    documents = _documents(request, content, mode)
    dry = request.first("dryRun") == "true" or body.get("dryRun", False)
    return Push(
        source=_one(request, body, "source"),
        mode=mode,
        documents=documents,
        removed=[*request.all("removed"), *body.get("removed", ())],
        dry_run=bool(dry),
    )


def _one(request: ApiRequest, body: Mapping[str, Any], name: str) -> str:
    """Give a value that stands in the address or in the body; raises `InputError` for two."""
    given = {value for value in (request.first(name), body.get(name, "")) if value}
    if len(given) > 1:
        raise InputError(f"{name} is one thing in the address and another in the body.")
    return str(given.pop()) if given else ""


def _documents(request: ApiRequest, content: Any, mode: Mode) -> Sequence[PushedDocument]:
    if isinstance(content, list):
        return read_entities(content)
    if isinstance(content, Mapping):
        if "entities" not in content and mode == "full":
            raise InputError(
                "request/body must have required property 'entities'",
                hint="An empty list empties the source.",
            )
        return read_entities(content.get("entities", ()))
    limits = request.portal.runtime.engine.limits
    found = read_yaml(request.body, limits)
    if not found and mode == "full":
        raise InputError(
            "The body has no document.",
            hint='To empty the source, send {"entities": []} as application/json.',
        )
    return found


# The answer


def _told(result: PushResult) -> dict[str, Any]:
    return {
        "source": result.source,
        "mode": result.mode,
        "dryRun": result.dry_run,
        "newSource": result.new,
        "kept": result.kept,
        "counts": result.counts,
        "results": [_result(item) for item in result.results],
    }


def _result(item: EntityResult) -> dict[str, Any]:
    told: dict[str, Any] = {"ref": item.ref or None, "result": item.result}
    if item.index is not None:
        told["index"] = item.index
    if item.line:
        told["line"] = item.line
    if item.held_by:
        told["heldBy"] = item.held_by
    for name in ("errors", "warnings"):
        faults: Sequence[PushError] = getattr(item, name)
        if faults:
            told[name] = [_error(fault) for fault in faults]
    return told


def _error(fault: PushError) -> dict[str, str]:
    told = {"code": fault.code, "message": str(fault.message)}
    if fault.key:
        told["key"] = fault.key
    if fault.expected:
        told["expected"] = str(fault.expected)
    return told


_ENTITIES: Final = listed({})
_BODY: Final[Schema] = {
    "anyOf": [
        shaped(
            strict=True,
            source=NAME,
            mode={"type": "string", "enum": list(MODES)},
            entities=_ENTITIES,
            removed=listed(NAME),
            dryRun={"type": "boolean"},
        ),
        _ENTITIES,
    ]
}
_FAULTS: Final = listed(
    shaped(("code", "message"), code=NAME, message=NAME, key=NAME, expected=NAME)
)
_ANSWER: Final = shaped(
    ("source", "mode", "dryRun", "newSource", "kept", "counts", "results"),
    source=NAME,
    mode={"type": "string", "enum": list(MODES)},
    dryRun={"type": "boolean"},
    newSource={"type": "boolean"},
    kept={"type": "boolean"},
    counts={"type": "object", "additionalProperties": COUNT},
    results=listed(
        shaped(
            ("ref", "result"),
            ref={"type": ["string", "null"]}, result=NAME, index=COUNT, line=COUNT, heldBy=TEXT,
            errors=_FAULTS, warnings=_FAULTS,
        )
    ),
)  # fmt: skip

ENDPOINTS: Final = (
    Endpoint(
        method="PUT",
        path="/entities",
        view=push,
        about="Hands in the entities of a named source: all of them, or what changed.",
        permission=PUSH,
        on="portal",
        parameters=(
            Parameter(name="source", schema=NAME, about="The name of the source they belong to."),
            Parameter(
                name="mode",
                schema={"type": "string", "enum": list(MODES)},
                about="`full` (usual): what is not named leaves. `delta`: the rest stays.",
            ),
            Parameter(
                name="removed",
                schema=NAME,
                about="With mode=delta, the reference of an entity to take out.",
                repeated=True,
            ),
            Parameter(
                name="dryRun",
                schema={"type": "boolean"},
                about="Say what would be done, and do nothing.",
            ),
        ),
        body=_BODY,
        also=YAML,
        answers={200: _ANSWER, 409: USUAL_ERROR},
    ),
    Endpoint(
        method="GET",
        path="/push-sources",
        view=sources,
        about="The sources that are pushed.",
        permission="catalog.source.read",
        on="portal",
        answers={
            200: shaped(
                ("items",),
                items=listed(
                    shaped(
                        ("name", "owner", "pushedBy", "pushedAt", "mode"),
                        name=NAME, owner=NAME, pushedBy=NAME, pushedAt=NAME, mode=NAME,
                    )
                ),
            )
        },
    ),
    Endpoint(
        method="DELETE",
        path="/push-sources/{name}",
        view=remove,
        about="Takes a pushed source out, with all it gave.",
        permission=PUSH,
        on="portal",
        answers={204: None, 404: USUAL_ERROR, 409: USUAL_ERROR},
    ),
)  # fmt: skip
