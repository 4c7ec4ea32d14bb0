"""The page of what happened, by day."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final
from urllib.parse import urlencode

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from callboard_web import formats
from callboard_web.activity.runs import Question
from callboard_web.activity.service import ActivityLog, Line
from callboard_web.portal import portal_of
from callboard_web.preferences import Reader
from callboard_web.routing import reading

LIMIT: Final = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for. `before` and `alike` are numbers of events, 0 for none.

    `mine` narrows to what the reader owns, `what` to one contribution's events, by its key.
    `alike` is one event of a run that is told in one line: all of them are listed.
    """

    mine: bool = False
    what: str = ""
    before: int = 0
    alike: int = 0

    def url(self, *, mine: bool | None = None, what: str | None = None, before: int = 0) -> str:
        """Give the address with some of it changed, of the first page if none is given."""
        values = {
            "mine": "1" if (self.mine if mine is None else mine) else "",
            "what": self.what if what is None else what,
            "before": str(before or ""),
            "alike": str(self.alike or "") if before else "",
        }
        query = urlencode({name: value for name, value in values.items() if value})
        return f"/activity?{query}" if query else "/activity"


def activity(request: Request) -> Response:
    """List what happened, the newest first."""
    portal = portal_of(request)
    person, reader = portal.person(request), portal.reader(request)
    told = portal.slots.permitted(portal.runtime.plugins.contributions.activity)
    what = request.query_params.get("what", "")
    asked = Asked(
        request.query_params.get("mine") == "1",
        what if any(item.key == what for item in told) else "",
        _number(request, "before"),
        _number(request, "alike"),
    )
    mine = person.mine if asked.mine else None
    question = Question((), asked.before, LIMIT, mine, asked.alike)
    log = ActivityLog(portal.runtime.database, portal.slots, portal.runtime.catalog)
    found = log.page(portal.asker(request), question, asked.what)
    context = {
        "asked": asked,
        "told": [(item.key, item.value.title) for item in told],
        "days": by_day(found.lines, reader),
        "following": found.next,
        "failed": found.failed,
        "person": person,
    }
    return portal.page(request, "activity.html", context)


def by_day(lines: Sequence[Line], reader: Reader) -> list[tuple[str, list[tuple[Line, Markup]]]]:
    """Put lines, each with its time, under the days they happened on, in the reader's zone."""
    days = groupby(lines, key=lambda line: formats.day(line.event.at, reader))
    return [(day, [(line, _clock(line, reader)) for line in members]) for day, members in days]


def _clock(line: Line, reader: Reader) -> Markup:
    at = line.event.at
    return formats.time_tag(at, reader, f"{at.astimezone(reader.zone):%H:%M}")


def _number(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0


ROUTES = [reading("/activity", activity)]
