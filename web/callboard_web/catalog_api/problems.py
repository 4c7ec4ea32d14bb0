"""Sources, and what is wrong with what they give: where, since when, and who holds the name."""

from dataclasses import asdict
from typing import Any, Final

from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard_catalog.problems import KINDS, Place, Problem
from callboard_catalog.source_states import SourceState
from callboard_web.catalog_api.model import Answer, ApiRequest, Endpoint, Parameter
from callboard_web.catalog_api.schemas import COUNT, NAME, TEXT, Schema, listed, shaped

READ: Final = "catalog.source.read"
CURSOR: Final = "problems"
USUAL_PAGE: Final = 100
LONGEST_PAGE: Final = 500


def sources(request: ApiRequest) -> Answer:
    """Answer the state of every source."""
    pushed = request.portal.runtime.engine.pusher.sources()
    items = [_source(item) for item in request.portal.runtime.catalog.sources()]
    for item in items:
        if item["name"] in pushed:
            known = pushed[item["name"]]
            item["pushed"] = {
                "owner": known.owner,
                "by": known.pushed_by,
                "at": known.pushed_at.isoformat(),
                "mode": known.mode,
            }
    return Answer.of({"items": items})


def _source(source: SourceState) -> dict[str, Any]:
    content = asdict(source)
    for name in ("last_read_at", "last_success_at", "failing_since"):
        value = content[name]
        content[name] = value.isoformat() if value else None
    told = {name: str(getattr(source, name)) for name in ("title", "error", "hint")}
    return {**content, **told, "every": source.every.total_seconds()}


def problems(request: ApiRequest) -> Answer:
    """Answer a page of problems, in an order that stays, and how many there are of each kind."""
    narrowed = {name: request.first(name) for name in ("kind", "source", "owner", "entity")}
    limit = request.number("limit", USUAL_PAGE)
    cursor = request.first("cursor")
    after = _went_on(request, cursor, narrowed) if cursor else None
    catalog = request.portal.runtime.catalog
    found = catalog.problems(
        _ref(narrowed["entity"]),
        source=narrowed["source"],
        owner=_ref(narrowed["owner"], "group"),
        kind=narrowed["kind"] or None,  # type: ignore[arg-type]  # one of KINDS, as is declared
        limit=limit + 1,
        offset=request.number("offset", 0),
        after=after,
    )
    page = {}
    if len(found) > limit and limit:
        content = [narrowed, found[limit - 1].place]
        page = {"nextCursor": request.portal.cursors.make(CURSOR, content)}
    return Answer.of(
        {
            "items": [_problem(item) for item in found[:limit]],
            "counts": dict(catalog.problem_counts()),
            "pageInfo": page,
        }
    )


def _went_on(request: ApiRequest, cursor: str, narrowed: dict[str, str]) -> Place:
    of_which, place = request.portal.cursors.read(CURSOR, cursor)
    if of_which != narrowed:
        raise InputError("The cursor is of another query.", hint="Start from the first page.")
    rank, source, path, line, number, code, other = place
    return (rank, source, path, line, number, code, other)


def _ref(text: str, kind: str = "") -> EntityRef | None:
    return EntityRef.parse(text, default_kind=kind or None) if text else None


def _problem(problem: Problem) -> dict[str, Any]:
    content = asdict(problem)
    del content["place"]
    return {
        **content,
        "message": str(problem.message),
        "ref": str(problem.ref) if problem.ref else None,
        "owner": str(problem.owner) if problem.owner else None,
        "since": problem.since.isoformat(),
    }


_NULLABLE: Final[Schema] = {"type": ["string", "null"]}
_PROBLEM: Final = shaped(
    ("id", "kind", "source", "path", "line", "code", "message", "since", "served"),
    id=NAME, kind={"type": "string", "enum": list(KINDS)}, ref=_NULLABLE, title=TEXT, source=NAME,
    path=TEXT, line=COUNT, code=NAME, message=TEXT, since=NAME, served={"type": "boolean"},
    owner=_NULLABLE, other=TEXT, pushed={"type": "boolean"},
)  # fmt: skip
_TIME: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/sources",
        view=sources,
        about="Where entities come from, and how each source fares.",
        permission=READ,
        on="portal",
        answers={
            200: shaped(
                ("items",),
                items=listed(
                    shaped(
                        ("name", "type", "state", "entities", "rejected"),
                        name=NAME, type=NAME, title=TEXT, address=TEXT, head=TEXT,
                        state={"type": "string", "enum": ["ok", "partial", "failing", "new"]},
                        last_read_at=_TIME, last_success_at=_TIME, failing_since=_TIME,
                        error=TEXT, hint=TEXT, details=TEXT, entities=COUNT, rejected=COUNT,
                        files=COUNT, every={"type": "number"},
                        pushed=shaped(owner=NAME, by=NAME, at=NAME, mode=NAME),
                    )
                ),
            )
        },
    ),
    Endpoint(
        method="GET",
        path="/problems",
        view=problems,
        about=(
            "What is wrong with what sources give: rejected documents, conflicts, relations that "
            "lead nowhere, entities of which the last good version is served, warnings."
        ),
        permission=READ,
        on="portal",
        parameters=(
            Parameter(
                name="kind",
                schema={"type": "string", "enum": list(KINDS)},
                about="Only problems of this kind.",
            ),
            Parameter(name="source", schema=NAME, about="Only those of this source."),
            Parameter(name="owner", schema=NAME, about="Only those of entities of this owner."),
            Parameter(name="entity", schema=NAME, about="Only those of this entity."),
            Parameter(
                name="limit",
                schema={"type": "integer", "minimum": 0, "maximum": LONGEST_PAGE},
                about=f"Problems in a page; {USUAL_PAGE} unless given.",
            ),
            Parameter(
                name="offset",
                schema={"type": "integer", "minimum": 0, "maximum": 1_000_000},
                about="Problems to pass over. A cursor is quicker, and misses none.",
            ),
            Parameter(name="cursor", schema=NAME, about="Where a page before ended."),
        ),
        answers={
            200: shaped(
                ("items", "counts", "pageInfo"),
                items=listed(_PROBLEM),
                counts={"type": "object", "additionalProperties": COUNT},
                pageInfo=shaped(nextCursor=NAME),
            )
        },
    ),
)  # fmt: skip
