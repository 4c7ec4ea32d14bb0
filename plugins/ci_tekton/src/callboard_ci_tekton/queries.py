"""Reads for the pages: a fixed number of queries, however many runs are shown."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, exists, or_, select

from callboard_ci_tekton.models import approval, entity, key, latest, match, run
from callboard_ci_tekton.runs.states import FINISHED, UNFINISHED

PAGE: Final = 50
FAILING: Final = 8
TRIGGERS: Final = ("push", "tag", "merge_request", "person", "schedule", "other")
STATES: Final = (*sorted(UNFINISHED), *sorted(FINISHED))
# Whether a run that is at work waits for people: of each row that is shown, by an index.
_ASKED: Final = and_(
    run.c.state == "running",
    exists()
    .where(approval.c.cluster == run.c.cluster, approval.c.run_uid == run.c.uid,
           approval.c.state == "pending", approval.c.gone.is_(False))
    .correlate(run),
).label("asked")  # fmt: skip
_LISTED: Final = [_ASKED, *(run.c[name] for name in (
    "id", "source", "cluster", "namespace", "name", "pipeline", "title", "state", "created_at",
    "duration", "queued", "retries", "trigger", "actor", "repository", "branch", "change",
    "commit", "commit_title", "author", "gone",
))]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which runs a list shows; `after` is the key of the last run of the page before."""

    state: str = ""
    trigger: str = ""
    branch: str = ""
    pipeline: str = ""
    after: tuple[datetime, int] | None = None


def load_entities(
    connection: Connection, numbers: Collection[int], seen: ColumnElement[bool]
) -> dict[int, list[str]]:
    """Give the entities that runs belong to and that are `seen`, by the runs' numbers."""
    found: dict[int, list[str]] = {}
    query = select(match.c.run_id, match.c.entity).where(match.c.run_id.in_(numbers), seen)
    for row in connection.execute(query.order_by(match.c.run_id, match.c.entity)):
        found.setdefault(row.run_id, []).append(row.entity)
    return found


def load_of_entity(connection: Connection, ref: str, chosen: Chosen) -> Sequence[Row[Any]]:
    """Give the runs of an entity, newest first, and one more if there is another page."""
    query = select(*_LISTED).join(match, match.c.run_id == run.c.id).where(match.c.entity == ref)
    query = query.order_by(match.c.created_at.desc(), match.c.run_id.desc())
    return _page(connection, query, chosen, match.c.created_at, match.c.run_id)


def load_all(
    connection: Connection, seen: ColumnElement[bool], chosen: Chosen
) -> Sequence[Row[Any]]:
    """Give runs of all entities that are `seen`, newest first, and one more if there is one."""
    is_seen = exists().where(match.c.run_id == run.c.id, seen)
    query = select(*_LISTED).where(is_seen)
    query = query.order_by(run.c.created_at.desc(), run.c.id.desc())
    return _page(connection, query, chosen, run.c.created_at, run.c.id)


def load_unmatched(connection: Connection, chosen: Chosen) -> Sequence[Row[Any]]:
    """Give the runs that belong to no entity, newest first, and one more if there is one."""
    query = select(*_LISTED).where(run.c.matched.is_(False))
    query = query.order_by(run.c.created_at.desc(), run.c.id.desc())
    return _page(connection, query, chosen, run.c.created_at, run.c.id)


def _page(
    connection: Connection, query: Select[Any], chosen: Chosen, at: Any, number: Any
) -> Sequence[Row[Any]]:
    for column, value in (
        (run.c.state, chosen.state), (run.c.trigger, chosen.trigger),
        (run.c.branch, chosen.branch), (run.c.pipeline, chosen.pipeline),
    ):  # fmt: skip
        if value:
            query = query.where(column == value)
    if chosen.after:
        moment, last = chosen.after
        query = query.where(or_(at < moment, and_(at == moment, number < last)))
    return connection.execute(query.limit(PAGE + 1)).all()


def load_latest(connection: Connection, refs: Collection[str]) -> dict[str, list[Row[Any]]]:
    """Give the newest run of each pipeline of these entities, the newest first, by one query."""
    found: dict[str, list[Row[Any]]] = {}
    query: Select[Any] = (
        select(*_LISTED, latest.c.entity)
        .join(latest, latest.c.run_id == run.c.id)
        .where(latest.c.entity.in_(refs))
        .order_by(run.c.created_at.desc(), run.c.id.desc())
    )
    for row in connection.execute(query):
        found.setdefault(row.entity, []).append(row)
    return found


def load_failing(
    connection: Connection, owners: Collection[str], seen: ColumnElement[bool]
) -> Sequence[Row[Any]]:
    """Give the pipelines whose newest run failed, of entities that these own, newest first."""
    query: Select[Any] = (
        select(*_LISTED, latest.c.entity)
        .join(latest, latest.c.run_id == run.c.id)
        .join(entity, entity.c.ref == latest.c.entity)
        .where(entity.c.owner.in_(owners), run.c.state.in_(("failed", "timed_out")), seen)
        .order_by(latest.c.created_at.desc(), latest.c.run_id.desc())
        .limit(FAILING)
    )
    return connection.execute(query).all()


@dataclass(slots=True)
class Claimable:
    """By what keys a run can be claimed, and the entity that it names itself, if any."""

    keys: list[str] = field(default_factory=list)
    named: str = ""


def load_claimable(connection: Connection, numbers: Collection[int]) -> dict[int, Claimable]:
    """Give by what runs can be claimed: by their repository, then by their pipeline."""
    found: dict[int, Claimable] = {}
    wanted = or_(*(key.c.key.like(f"{way}:%") for way in ("repository", "pipeline", "entity")))
    query = select(key).where(key.c.run_id.in_(numbers), wanted).order_by(key.c.key.desc())
    for row in connection.execute(query):
        item = found.setdefault(row.run_id, Claimable())
        if row.key.startswith("entity:"):
            item.named = row.key.removeprefix("entity:")
        else:
            item.keys.append(row.key)
    return found
