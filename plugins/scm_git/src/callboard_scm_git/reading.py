"""Reads one repository: one `ls-remote` where nothing moved, a fetch and a few logs otherwise."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Final

from callboard.repositories import default_branch

if TYPE_CHECKING:
    from callboard.git import Commit, Contributor, GitRepository, Reference

COMMITS: Final = 30
WEEKS: Final = 53
YEAR: Final = timedelta(days=365)
RENEWAL: Final = timedelta(days=30)
"""Figures over the last year are counted again after so long, even where nothing moved."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the tables hold of a repository.

    `folders` maps paths to the state they were read at; `fault` is why it cannot be read,
    `next_try_at` until when a host that refused it is left alone.
    """

    state: str
    read_at: datetime | None
    folders: Mapping[str, str]
    fault: str | None = None
    failing_since: datetime | None = None
    next_try_at: datetime | None = None

    def is_current(self, state: str, now: datetime) -> bool:
        if self.read_at is None or now - self.read_at >= RENEWAL:
            return False
        return {self.state, *self.folders.values()} == {state}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A repository as it was read. `folders` has the last commits of each, the whole one as ''."""

    state: str
    head: str
    branch: str
    branches: "Sequence[Reference]"
    tags: "Sequence[Reference]"
    contributors: "Sequence[Contributor]"
    activity: Mapping[date, int]
    folders: "Mapping[str, Sequence[Commit]]"


def read_repository(git: "GitRepository", known: Known, now: datetime) -> Reading | None:
    """Give the repository as it is now, or None where nothing moved since it was read.

    Raises what `GitRepository` raises.
    """
    head = git.fetch(all_references=True)
    branches, tags = git.branches(), git.tags()
    state = _digest(head, (*branches, *tags))
    if known.is_current(state, now):
        return None
    first = first_day(now)
    activity = git.activity(head, since=now - timedelta(weeks=WEEKS))
    return Reading(
        state=state,
        head=head,
        branch=default_branch(head, branches),
        branches=branches,
        tags=tags,
        contributors=git.contributors(head, since=now - YEAR),
        activity={day: count for day, count in activity.items() if day >= first},
        folders={
            path: git.log(head, limit=COMMITS, paths=(path,) if path else ())
            for path in known.folders
        },
    )


def first_day(now: datetime) -> date:
    """Give the Monday that begins the 53 weeks which end with the week of `now`."""
    today = now.date()
    return today - timedelta(days=today.weekday(), weeks=WEEKS - 1)


def _digest(head: str, references: "Iterable[Reference]") -> str:
    lines = sorted(f"{reference.name} {reference.commit}" for reference in references)
    return hashlib.sha256("\n".join([head, *lines]).encode()).hexdigest()
