"""The sources of the catalog, how they fare, and what was read of their files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from pyroaring import BitMap
from sqlalchemy import Connection, and_, func, not_, or_, select

from callboard.i18n import Text
from callboard_catalog import models
from callboard_catalog.problems import ProblemSight
from callboard_catalog.sight import Sight

ENTITY: Final = models.entity


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source and how it fares. `every` is the time between two looks at it.

    It is `partial` where some of its parts cannot be read; the page `details` lists those.
    """

    name: str
    type: str
    title: Text
    address: str
    state: Literal["ok", "partial", "failing", "new"]
    head: str
    last_read_at: datetime | None
    last_success_at: datetime | None
    failing_since: datetime | None
    error: Text
    hint: Text
    entities: int
    rejected: int
    files: int
    every: timedelta
    details: str = ""


def source_states(
    connection: Connection, sight: ProblemSight, counts: Mapping[tuple[str, int], int]
) -> Sequence[SourceState]:
    """Give the active sources by name: all of them, or those of what is seen."""
    statement = select(models.source).where(models.source.c.active)
    rows = connection.execute(statement.order_by(models.source.c.name))
    return [_state(row, counts) for row in rows if sight.of_none or ("entity", row.id) in counts]


def _state(row: Any, counts: Mapping[tuple[str, int], int]) -> SourceState:
    return SourceState(
        name=row.name,
        type=row.type,
        title=row.title,
        address=row.address,
        state="new" if row.last_read_at is None else _fares(row),
        head=row.head,
        last_read_at=row.last_read_at,
        last_success_at=row.last_success_at,
        failing_since=row.failing_since,
        error=row.error,
        hint=row.hint,
        entities=counts.get(("entity", row.id), 0),
        rejected=counts.get(("rejected", row.id), 0),
        files=counts.get(("source_file", row.id), 0),
        every=timedelta(seconds=row.every),
        details=row.details,
    )


def _fares(row: Any) -> Literal["ok", "partial", "failing"]:
    if not row.error:
        return "ok"
    return "partial" if row.partial else "failing"


def source_counts(connection: Connection, sight: ProblemSight) -> dict[tuple[str, int], int]:
    """Count what each source has of what is seen, by the name of the table and the source's id."""
    counts = {}
    rejected, entity, file = models.rejected.c, models.entity, models.source_file
    faulty = select(rejected.source_id, rejected.file_id, rejected.position).where(
        rejected.severity == "error"
    )
    statements = {"entity": select(entity.c.source_id), "source_file": select(file.c.source_id)}
    if sight.entities is not None:
        del statements["entity"]
        # Of files, those that gave something that is seen.
        of = select(entity.c.source_id, entity.c.file_id).distinct()
        statements["source_file"] = of.where(sight.entities.condition(connection))
        sources = select(models.source.c.name, models.source.c.id)
        by_name = sight.entities.index.values["source"]
        for name, number in connection.execute(sources):
            if name in by_name:
                counts[("entity", number)] = len(by_name[name])
    if sight.entities is not None or not sight.of_none:
        there = entity.c.id.is_not(None)
        seen = there if sight.entities is None else sight.entities.condition(connection)
        mine = and_(there, seen)
        faulty = faulty.join(entity, entity.c.ref == rejected.ref, isouter=True)
        faulty = faulty.where(or_(mine, not_(there)) if sight.of_none else mine)
    if not sight.of_none:
        del statements["source_file"]
    statements["rejected"] = select(faulty.distinct().subquery("rejected").c.source_id)
    for name, statement in statements.items():
        grouped = statement.subquery()
        counted = select(grouped.c.source_id, func.count()).group_by(grouped.c.source_id)
        for source_id, number in connection.execute(counted):
            counts[(name, source_id)] = number
    return counts


def blob_of(connection: Connection, sight: ProblemSight, source: str, path: str) -> str:
    """Give the name of a file's content as it was last read; empty where that is not seen."""
    file = models.source_file
    statement = select(file.c.id, file.c.blob).join_from(file, models.source)
    named = statement.where(
        models.source.c.name == source.replace("\0", ""), file.c.path == path.replace("\0", "")
    )
    row = connection.execute(named).one_or_none()
    if row is None or (sight.entities is not None and _hides(connection, sight.entities, row.id)):
        return ""
    if not sight.of_none and not _has_entities(connection, row.id):
        return ""
    found: str = row.blob
    return found


def _hides(connection: Connection, sight: Sight, file: int) -> bool:
    """Say whether a file tells of an entity that is not seen, as the one served or a claim."""
    claimed = select(models.claim.c.ref).where(models.claim.c.file_id == file)
    told = or_(ENTITY.c.file_id == file, ENTITY.c.ref.in_(claimed))
    ids = BitMap(connection.scalars(select(ENTITY.c.id).where(told)))
    return not ids <= sight.rows


def _has_entities(connection: Connection, file: int) -> bool:
    statement = select(ENTITY.c.id).where(ENTITY.c.file_id == file).limit(1)
    return connection.scalar(statement) is not None
