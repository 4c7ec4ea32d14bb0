"""What is known of a deletion."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from callboard.entities import EntityRef


@dataclass(frozen=True, slots=True, kw_only=True)
class Deleted:
    """An entity that was deleted: when, by whom and why; from which source and file it came.

    `given_by` are the sources that give it now; without any, the deletion is forgotten at
    `forgotten_at`.
    """

    ref: EntityRef
    uid: str
    title: str
    source: str
    path: str
    at: datetime
    actor: str
    reason: str
    given_by: Sequence[str]
    forgotten_at: datetime


@dataclass(frozen=True, slots=True)
class Restored:
    """What undoing a deletion did. `served` says whether some source gives the entity now: then
    it is there again with its uid; else it comes, as a new one, when one does."""

    ref: EntityRef
    served: bool
