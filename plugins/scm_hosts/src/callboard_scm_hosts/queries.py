"""Reads for the pages and figures: a fixed number of queries, whatever was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, select

from callboard_scm_hosts.ledger import State
from callboard_scm_hosts.models import discovery, host, repository
from callboard_scm_hosts.people.models import answer, identity, reading

STATES: Final = ("read", "none", "empty", "skipped", "failed", "new")

_SHOWN: Final = (
    repository.c.id, repository.c.path, repository.c.branch, repository.c.state,
    repository.c.reason, repository.c.descriptors, repository.c.read_at, repository.c.archived,
    repository.c.remote_id,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which repositories a page shows; `after` is the last path of the page before."""

    discovery: str
    state: str = ""
    asked: str = ""
    after: str = ""


def load_states(connection: Connection) -> dict[str, State]:
    """Give what is known of each host that was asked."""
    names = [item.name for item in fields(State)]
    return {
        row.name: State(**{name: getattr(row, name) for name in names})
        for row in connection.execute(select(host))
    }


def load_discoveries(connection: Connection) -> dict[str, Any]:
    """Give the rows of all discoveries that were scanned."""
    return {row.name: row for row in connection.execute(select(discovery))}


def load_counts(connection: Connection) -> dict[str, dict[str, int]]:
    """Give how many repositories of each discovery are in each state."""
    query = select(
        repository.c.discovery, repository.c.state, func.count().label("number")
    ).group_by(repository.c.discovery, repository.c.state)
    found: dict[str, dict[str, int]] = {}
    for row in connection.execute(query):
        found.setdefault(row.discovery, {})[row.state] = row.number
    return found


@dataclass(frozen=True, slots=True)
class Failures:
    """Of the repositories that a discovery is to read: how many could not be, were, and wait."""

    failed: int
    read: int
    waiting: int


def load_failures(connection: Connection, name: str) -> Failures:
    """Count the repositories of one discovery by whether they could be read."""
    query = select(repository.c.state, func.count()).where(repository.c.discovery == name)
    rows = connection.execute(query.group_by(repository.c.state))
    return failures_of({row[0]: row[1] for row in rows})


def failures_of(counts: Mapping[str, int]) -> Failures:
    """Give the same of counts by state."""
    read = sum(counts.get(state, 0) for state in ("read", "none", "empty"))
    return Failures(counts.get("failed", 0), read, counts.get("new", 0))


@dataclass(frozen=True, slots=True)
class PeopleRead:
    """What is known of an entry of `people`: how many of its last good reading, when the host last
    answered with something new, and since when a reading waits to be taken up."""

    users: int = 0
    groups: int = 0
    answered_at: datetime | None = None
    began_at: datetime | None = None


def load_people(connection: Connection) -> dict[str, PeopleRead]:
    """Give what is known of each entry of `people` that was read, by its name."""
    counted = select(identity.c.source, identity.c.kind, func.count().label("number")).group_by(
        identity.c.source, identity.c.kind
    )
    numbers = {(row.source, row.kind): row.number for row in connection.execute(counted)}
    asked = select(answer.c.people, func.max(answer.c.asked_at)).group_by(answer.c.people)
    answered = {row.people: row[1] for row in connection.execute(asked)}
    began = {row.people: row.began_at for row in connection.execute(select(reading))}
    names = {name for name, _kind in numbers} | answered.keys() | began.keys()
    return {
        name: PeopleRead(
            numbers.get((name, "user"), 0),
            numbers.get((name, "group"), 0),
            answered.get(name),
            began.get(name),
        )
        for name in names
    }


def load_repositories(connection: Connection, chosen: Chosen, limit: int) -> Sequence[Any]:
    """Give the repositories of a page, by their paths, and one more if there is another page."""
    query = select(*_SHOWN).where(repository.c.discovery == chosen.discovery)
    if chosen.state:
        query = query.where(repository.c.state == chosen.state)
    if chosen.asked:
        query = query.where(
            func.lower(repository.c.path).contains(chosen.asked.lower(), autoescape=True)
        )
    if chosen.after:
        query = query.where(repository.c.path > chosen.after)
    return connection.execute(query.order_by(repository.c.path).limit(limit + 1)).all()


def total(counts: Mapping[str, int]) -> int:
    """Give how many repositories there are in all states together."""
    return sum(counts.values())
