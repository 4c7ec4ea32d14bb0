"""What machines may ask now: sources and problems, as JSON."""

from dataclasses import asdict
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard_catalog.problems import KINDS, Problem
from callboard_catalog.service import SourceState
from callboard_web.portal import portal_of
from callboard_web.routing import guarded

LIMIT: Final = 100
MOST: Final = 500


def sources(request: Request) -> Response:
    """Answer the state of every source."""
    portal = portal_of(request)
    found = portal.runtime.catalog.sources()
    return JSONResponse({"items": [_source(portal.text(request, item.title), item)
                                   for item in found]})  # fmt: skip


def problems(request: Request) -> Response:
    """Answer problems, narrowed by `kind`, `source`, `owner`; `limit` and `offset` turn pages."""
    parameters = request.query_params
    kind = parameters.get("kind")
    if kind is not None and kind not in KINDS:
        raise InputError(f"There is no problem kind {kind!r}.", hint=f"One of {', '.join(KINDS)}.")
    owner = parameters.get("owner")
    catalog = portal_of(request).runtime.catalog
    found = catalog.problems(
        source=parameters.get("source", ""),
        owner=EntityRef.parse(owner, default_kind="group") if owner else None,
        kind=kind,
        limit=_number(parameters.get("limit"), "limit", LIMIT, MOST),
        offset=_number(parameters.get("offset"), "offset", 0, 1_000_000),
    )
    items = [_problem(item) for item in found]
    return JSONResponse({"items": items, "counts": catalog.problem_counts()})


def _number(text: str | None, name: str, default: int, most: int) -> int:
    if text is None:
        return default
    if not text.isdecimal() or len(text) > 9 or int(text) > most:
        raise InputError(f"{name} is not a number from 0 to {most}.")
    return int(text)


def _source(title: str, source: SourceState) -> dict[str, Any]:
    content = asdict(source)
    for name in ("last_read_at", "last_success_at", "failing_since"):
        value = content[name]
        content[name] = value.isoformat() if value else None
    told = {"title": title, "error": str(source.error), "hint": str(source.hint)}
    return {**content, **told, "every": source.every.total_seconds()}


def _problem(problem: Problem) -> dict[str, Any]:
    return {
        **asdict(problem),
        "message": str(problem.message),
        "ref": str(problem.ref) if problem.ref else None,
        "owner": str(problem.owner) if problem.owner else None,
        "since": problem.since.isoformat(),
    }


ROUTES = [
    guarded("/api/catalog/sources", sources, "catalog.source.read"),
    guarded("/api/catalog/problems", problems, "catalog.source.read"),
]
