"""What a policy would have decided otherwise, over requests that were recorded."""

from dataclasses import dataclass
from datetime import datetime

from callboard.access.compiled import Compiled
from callboard.access.model import Reason
from callboard.access.requests import Recorded, recorded
from callboard.database import Database
from callboard.identity import EntityFacts, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A request that would be decided otherwise, and why. `count` is how often it was recorded."""

    subject: Subject
    permission: str
    facts: EntityFacts | None
    environment: str
    allowed: bool
    reasons: tuple[Reason, ...]
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What would change. `compared` is the number of different requests that were looked at.

    `gained` would be allowed from then on, `lost` refused, the most frequent first. `since` is
    when the one that was seen longest ago was seen last; None where there is none. Requests of
    tokens, and what plugins decide, are not part of it.
    """

    compared: int
    since: datetime | None
    gained: tuple[Difference, ...]
    lost: tuple[Difference, ...]


def compare(database: Database, present: Compiled, other: Compiled) -> Differences:
    """Ask two policies for all requests that were recorded."""
    found: list[Difference] = []
    compared, since = 0, None
    for item in recorded(database):
        compared += 1
        since = item.last_at if since is None else min(since, item.last_at)
        difference = _difference(item, present, other)
        if difference is not None:
            found.append(difference)
    found.sort(key=lambda item: (-item.count, item.permission, str(item.subject.principal)))
    return Differences(
        compared=compared,
        since=since,
        gained=tuple(item for item in found if item.allowed),
        lost=tuple(item for item in found if not item.allowed),
    )


def _difference(item: Recorded, present: Compiled, other: Compiled) -> Difference | None:
    request = item.request
    asked = (request.subject, request.permission, request.facts, request.environment)
    before, after = present.answer(*asked), other.answer(*asked)
    if before.allowed == after.allowed:
        return None
    return Difference(
        subject=request.subject,
        permission=request.permission,
        facts=request.facts,
        environment=request.environment,
        allowed=after.allowed,
        reasons=after.reasons,
        count=item.count,
        last_at=item.last_at,
    )
