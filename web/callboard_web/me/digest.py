"""The problems of what a person owns: which are new since they looked, and what was mended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite

from callboard.database import Database
from callboard.entities import Entity, EntityRef
from callboard.errors import InputError
from callboard.events.models import event
from callboard_catalog.problems import Problem, ProblemKind
from callboard_catalog.service import CatalogService
from callboard_web.usage.models import problem_look

MOST: Final = 500
"""Problems that are read; who owns more sees the gravest of them."""

MOST_EVENTS: Final = 1_000
MOST_MENDED: Final = 50
ONE_LOOK: Final = timedelta(minutes=30)
"""What is opened again within this time is still the same look: what was new stays new."""

MENDED: Final[Mapping[str, ProblemKind]] = {
    "catalog.document.mended": "rejected",
    "catalog.conflict.ended": "conflict",
    "catalog.relation.resolved": "dangling",
}


@dataclass(frozen=True, slots=True)
class Group:
    """The problems of one entity, or of documents that name none, the new ones first."""

    ref: EntityRef | None
    title: str
    served: bool
    owner: EntityRef | None
    problems: Sequence[Problem]
    new: int


@dataclass(frozen=True, slots=True)
class Mended:
    """A problem that is no more. `code` and `target` are those of a relation."""

    kind: ProblemKind
    ref: EntityRef
    title: str
    source: str
    path: str
    line: int
    code: str
    target: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Digest:
    """What a person should know. `since` is when they looked before; None for never."""

    since: datetime | None
    groups: Sequence[Group]
    total: int
    new: int
    mended: Sequence[Mended]


def last_look(database: Database, key: str, now: datetime) -> datetime | None:
    """Give when somebody looked before this look; None where they never did."""
    table = problem_look
    with database.read() as connection:
        row = connection.execute(select(table).where(table.c.key == key)).one_or_none()
    if row is None:
        return None
    before: datetime | None = row.before
    at: datetime = row.at
    return before if now - at < ONE_LOOK else at


def looked(database: Database, key: str, now: datetime) -> None:
    """Keep that somebody looks now; the same look is kept once."""
    table = problem_look
    with database.read() as connection:
        at = connection.scalar(select(table.c.at).where(table.c.key == key))
    if not key or (at is not None and now - at < ONE_LOOK):
        return
    with database.write() as connection:
        dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(table).values(key=key, at=now, before=at)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["key"], set_={"at": now, "before": at}, where=table.c.at == at
            )
        )


def digest(
    database: Database,
    catalog: CatalogService,
    mine: Sequence[EntityRef],
    since: datetime | None,
) -> Digest:
    """Put together what concerns these owners, as the asker may see it."""
    if not mine:
        return Digest(since, (), 0, 0, ())
    with catalog.snapshot():
        found = catalog.problems(owners=mine, limit=MOST)
        groups = _groups(found, since)
        mended = _mended(database, catalog, mine, since, found) if since else []
    new = sum(group.new for group in groups)
    return Digest(since, groups, len(found), new, mended)


def is_new(problem: Problem, since: datetime | None) -> bool:
    """Say whether a problem came after somebody looked."""
    return since is not None and problem.since > since


def _groups(found: Sequence[Problem], since: datetime | None) -> list[Group]:
    by_entity: dict[tuple[EntityRef | None, EntityRef | None], list[Problem]] = {}
    for problem in found:
        by_entity.setdefault((problem.ref, None if problem.ref else problem.owner), []).append(
            problem
        )
    groups = []
    for (ref, _owner), problems in by_entity.items():
        problems.sort(key=lambda item: not is_new(item, since))
        first = problems[0]
        served = any(item.served for item in problems)
        new = sum(is_new(item, since) for item in problems)
        groups.append(Group(ref, first.title, served, first.owner, problems, new))
    # Those with something new first; among them, the order of the list stays.
    return sorted(groups, key=lambda group: not group.new)


def _mended(
    database: Database,
    catalog: CatalogService,
    mine: Sequence[EntityRef],
    since: datetime,
    there: Sequence[Problem],
) -> list[Mended]:
    with database.read() as connection:
        rows = connection.execute(
            select(event)
            .where(event.c.kind.in_(list(MENDED)), event.c.at > since)
            .order_by(event.c.id.desc())
            .limit(MOST_EVENTS)
        ).all()
    named = [(row, _ref(row)) for row in rows]
    entities = catalog.get_many({ref for _row, ref in named if ref})
    owners = {str(ref) for ref in mine}
    # What is wrong again is not mended.
    wrong = {(item.kind, item.ref, item.path) for item in there if item.kind != "dangling"}
    gone = {(item.ref, item.code, item.other) for item in there if item.kind == "dangling"}
    found: dict[tuple[Any, ...], Mended] = {}
    for row, ref in named:
        entity = entities.get(ref) if ref else None
        if entity is None or not _is_owned(entity, owners):
            continue
        for item in _of_event(row, entity):
            if item.kind == "dangling":
                back = (item.ref, item.code, item.target) in gone
            else:
                back = (item.kind, item.ref, item.path) in wrong
            key = (item.kind, item.ref, item.path, item.code, item.target)
            if not back and key not in found:
                found[key] = item
    return list(found.values())[:MOST_MENDED]


def _is_owned(entity: Entity, owners: set[str]) -> bool:
    return any(str(ref) in owners for ref in entity.related("ownedBy")) or (
        str(entity.ref) in owners
    )


def _ref(row: Any) -> EntityRef | None:
    text = row.data.get("ref", "") if row.kind == "catalog.document.mended" else row.subject
    try:
        return EntityRef.parse(text) if text else None
    except InputError:
        return None


def _of_event(row: Any, entity: Entity) -> list[Mended]:
    data, kind = row.data, MENDED[row.kind]
    if kind == "dangling":
        return [
            Mended(kind, entity.ref, entity.title, "", "", 0, item["type"], item["target"], row.at)
            for item in data.get("relations", ())
        ]
    source = data.get("source", row.subject if kind == "rejected" else "")
    place = (source, str(data.get("path", "")), int(data.get("line") or 0))
    return [Mended(kind, entity.ref, entity.title, *place, "", "", row.at)]
