"""What is asked of the past of the catalog, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from callboard.entities import Entity, EntityRef

Difference = Literal["came", "changed", "left"]
DIFFERENCES: Final[tuple[Difference, ...]] = ("came", "changed", "left")


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRequest:
    """Which entities of a past time, by reference from behind `after` on, at most `upto` one.

    `kind`, `namespace` and `owner` (a whole reference) narrow to those that had it then; for
    a list of differences, to those that have it now or had it when they left.
    """

    at: datetime
    kind: str = ""
    namespace: str = ""
    owner: str = ""
    after: str = ""
    upto: str = ""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class PastEntity:
    """An entity as it was, without relations.

    `since` says what became of it: it is the same, has changed, or is gone. `exact` is False where
    changes of it that are not kept any more may lie between.
    """

    entity: Entity
    since: Literal["same", "changed", "gone"]
    exact: bool = True


@dataclass(frozen=True, slots=True)
class PastPage:
    """A page of entities. `following` is the reference behind which the next one begins."""

    entities: Sequence[PastEntity]
    following: str


@dataclass(frozen=True, slots=True)
class PastCounts:
    """How many entities there were, and how many came, changed or left since.

    None where so many are gone that it would be too much to look who may see each.
    """

    was: int | None
    came: int
    changed: int
    left: int | None


@dataclass(frozen=True, slots=True)
class Differing:
    """An entity that is not what it was: `before` and `now` are its documents, None for none."""

    ref: EntityRef
    difference: Difference
    before: Entity | None
    now: Entity | None


@dataclass(frozen=True, slots=True)
class DifferencePage:
    """A page of differences. `following` is the reference behind which the next one begins."""

    items: Sequence[Differing]
    following: str
