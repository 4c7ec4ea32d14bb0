"""The lines around a problem, read when someone asks for them: they are in no table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from callboard.errors import InputError, NotFoundError
from callboard.i18n import Translator
from callboard.redaction import redact
from callboard_catalog.sources.base import PUSHED
from callboard_web.entities.places import source_line
from callboard_web.portal import Crumb, portal_of, wants_fragment
from callboard_web.routing import guarded
from callboard_web.words import PROBLEM_KINDS, PROBLEM_STATUS, problem_advice

_: Final = Translator("callboard")

AROUND: Final = 3
MOST: Final = 100
"""Problems of a file that are looked through for those at a line."""
LONGEST: Final = 300


@dataclass(frozen=True, slots=True)
class FileLine:
    """A line; `named` says that it is the one the problem is at."""

    number: int
    text: str
    named: bool


def excerpt(content: bytes, line: int) -> Sequence[FileLine]:
    """Give the lines around one, counted from 1, with what looks like a secret hidden."""
    lines = redact(content.decode("utf-8", "replace")).splitlines()
    first = max(line - 1 - AROUND, 0)
    return [
        FileLine(first + index + 1, text[:LONGEST], first + index + 1 == line)
        for index, text in enumerate(lines[first : line + AROUND])
    ]


def lines(request: Request) -> Response:
    """Show the lines around `line` of the file `path` of the source `source`."""
    portal = portal_of(request)
    query = request.query_params
    source, path, number = query.get("source", ""), query.get("path", ""), query.get("line", "")
    if not number.isdecimal() or len(number) > 8:
        raise InputError(_("Say at which line to begin, by ?line=."))
    # Only files that were read as descriptors: a path from an address opens nothing else.
    blob = portal.runtime.catalog.blob(source, path)
    if not blob:
        raise NotFoundError(
            _("There is no such file in this source."), hint=_("It may have been mended already.")
        )
    content = portal.runtime.engine.kept(source, path, blob)
    found = portal.runtime.catalog.source(source)
    at_line = [
        problem
        for problem in portal.runtime.catalog.problems(source=source, path=path, limit=MOST)
        if problem.line == int(number)
    ]
    context = {
        "source": source,
        "path": path,
        "line": int(number),
        "lines": excerpt(content, int(number)) if content is not None else (),
        "pushed": found is not None and found.type == PUSHED,
        "address": source_line(found, path, int(number)),
        "problems": at_line,
        "problem_kinds": PROBLEM_KINDS,
        "problem_status": PROBLEM_STATUS,
        "problem_advice": problem_advice,
        "crumbs": (Crumb(_("Problems"), "/problems"), Crumb(path)),
    }
    if wants_fragment(request):
        return portal.fragment(request, "_excerpt.html", context)
    return portal.page(request, "excerpt.html", context)


ROUTES = [guarded("/problems/lines", lines, "catalog.source.read")]
