"""What is wrong with the catalog's input, where, whose it is, and how to mend it."""

from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard_catalog.problems import KINDS, ProblemKind
from callboard_web.portal import portal_of
from callboard_web.routing import guarded
from callboard_web.words import PROBLEM_KINDS, PROBLEM_STATUS, problem_advice

LIMIT: Final = 50
MOST_OFFSET: Final = 100_000


@dataclass(frozen=True, slots=True)
class ProblemFilter:
    """What the address narrows the list to."""

    kind: str = ""
    source: str = ""
    owner: str = ""

    def url(self, **changes: str) -> str:
        """Give the address with some of it changed."""
        values = {"kind": self.kind, "source": self.source, "owner": self.owner, **changes}
        query = urlencode({name: value for name, value in values.items() if value})
        return f"/problems?{query}" if query else "/problems"


def problems(request: Request) -> Response:
    """List problems, those that hide something first."""
    portal = portal_of(request)
    catalog = portal.runtime.catalog
    parameters = request.query_params
    kind = parameters.get("kind", "")
    chosen = ProblemFilter(
        kind if kind in KINDS else "",
        parameters.get("source", "")[:120],
        _reference(parameters.get("owner", "")),
    )
    start = parameters.get("from", "0")
    offset = min(int(start), MOST_OFFSET) if start.isdecimal() and len(start) < 8 else 0
    found = catalog.problems(
        source=chosen.source,
        owner=EntityRef.parse(chosen.owner) if chosen.owner else None,
        kind=cast(ProblemKind, chosen.kind) if chosen.kind else None,
        limit=LIMIT + 1,
        offset=offset,
    )
    counts = catalog.problem_counts()
    asked = {EntityRef.parse(chosen.owner)} if chosen.owner else set()
    owners = catalog.titles(asked | {item.owner for item in found if item.owner})
    context = {
        "chosen": chosen,
        "problems": found[:LIMIT],
        "offset": offset,
        "limit": LIMIT,
        "more": len(found) > LIMIT,
        "counts": counts,
        "owners": owners,
        "owner_title": next((owners[ref] for ref in asked if ref in owners), ""),
        "total": sum(counts.values()),
        "sources": [item.name for item in catalog.sources()],
        "kinds": KINDS,
        "problem_kinds": PROBLEM_KINDS,
        "problem_status": PROBLEM_STATUS,
        "problem_advice": problem_advice,
    }
    return portal.page(request, "problems.html", context)


def _reference(text: str) -> str:
    if not text:
        return ""
    try:
        return str(EntityRef.parse(text, default_kind="group"))
    except InputError:
        return ""


ROUTES = [guarded("/problems", problems, "catalog.source.read")]
