"""The page "Problems I own", and the same for clients."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from callboard.errors import InputError
from callboard.i18n import Translator
from callboard_catalog.problems import Problem
from callboard_web.entities.places import problem_lines
from callboard_web.me import digest
from callboard_web.me.digest import Digest, Mended
from callboard_web.portal import Crumb, Portal, portal_of, wants_fragment
from callboard_web.routing import reading
from callboard_web.usage.looking import is_ahead, number_in
from callboard_web.words import PROBLEM_KINDS, PROBLEM_STATUS, problem_advice

_: Final = Translator("callboard")

LIMIT: Final = 30
"""Entities on a page."""

USUAL: Final = 100
MOST_OFFSET: Final = 10_000


def problems(request: Request) -> Response:
    """List them by entity, what is new first, and what was mended."""
    portal = portal_of(request)
    key = portal.person(request).key
    found = _digest(portal, request)
    start = request.query_params.get("from", "0")
    offset = int(start) if start.isdecimal() and len(start) < 5 else 0
    groups = found.groups[offset : offset + LIMIT]
    shown = [item for group in groups for item in group.problems]
    catalog = portal.runtime.catalog
    context = {
        "digest": found,
        "groups": groups,
        "offset": offset,
        "limit": LIMIT,
        "known": bool(portal.person(request).mine),
        "most": digest.MOST,
        "is_new": digest.is_new,
        "owners": catalog.titles({item.owner for item in shown if item.owner}),
        "problem_lines": problem_lines(catalog, shown),
        "problem_kinds": PROBLEM_KINDS,
        "problem_status": PROBLEM_STATUS,
        "problem_advice": problem_advice,
        "crumbs": (Crumb(_("You"), "/me"), Crumb(_("Problems I own"))),
    }
    response = portal.page(request, "me_problems.html", context)
    if not is_ahead(request) and not wants_fragment(request):
        digest.looked(portal.runtime.database, key, portal.runtime.now())
    return response


def api(request: Request) -> Response:
    """Answer the same as JSON; asking is no look: what is new stays new for the page."""
    portal = portal_of(request)
    given = request.query_params
    unknown = sorted(given.keys() - {"limit", "offset"})
    if unknown:
        raise InputError(f"Unknown query parameter {unknown[0]!r}.")
    limit = number_in(given.get("limit"), "limit", USUAL, 1, digest.MOST)
    offset = number_in(given.get("offset"), "offset", 0, 0, MOST_OFFSET)
    found = _digest(portal, request)
    every = [item for group in found.groups for item in group.problems]
    return JSONResponse(
        {
            "lastLook": found.since.isoformat() if found.since else None,
            "totalItems": found.total,
            "new": found.new,
            "items": [_problem(item, found) for item in every[offset : offset + limit]],
            "mended": [_mended(item) for item in found.mended],
        }
    )


def _digest(portal: Portal, request: Request) -> Digest:
    runtime, person = portal.runtime, portal.person(request)
    since = digest.last_look(runtime.database, person.key, runtime.now())
    return digest.digest(runtime.database, runtime.catalog, person.mine, since)


def _problem(item: Problem, found: Digest) -> dict[str, Any]:
    return {
        "id": item.id,
        "kind": item.kind,
        "ref": str(item.ref) if item.ref else None,
        "title": item.title,
        "owner": str(item.owner) if item.owner else None,
        "source": item.source,
        "path": item.path,
        "line": item.line,
        "code": item.code,
        "message": str(item.message),
        "other": item.other,
        "served": item.served,
        "since": item.since.isoformat(),
        "new": digest.is_new(item, found.since),
    }


def _mended(item: Mended) -> dict[str, Any]:
    return {
        "kind": item.kind,
        "ref": str(item.ref),
        "title": item.title,
        "source": item.source,
        "path": item.path,
        "line": item.line,
        "code": item.code,
        "target": item.target,
        "at": item.at.isoformat(),
    }


ROUTES = [
    reading("/me/problems", problems),
    reading("/api/me/problems", api),
]
