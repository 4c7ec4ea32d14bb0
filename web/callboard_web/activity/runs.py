"""Read the event log backwards, events that are alike as one, at a bounded cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, Connection, exists, func, or_, select

from callboard.contributions import Event
from callboard.entities import EntityRef
from callboard.events.log import of_kinds
from callboard.events.models import event
from callboard_catalog import models
from callboard_catalog.reading import stored_form
from callboard_catalog.service import CatalogService
from callboard_catalog.sight import SEEN, Sight
from callboard_web.activity.hearing import about_seen

WINDOW: Final = 5_000
"""Numbers of events that one query looks through, whatever is among them."""

WINDOWS: Final = 2
"""Of these, for one page."""

ROWS: Final = 200
ALIKE: Final = 4
"""From so many events of one kind and moment on, they are told as one."""


@dataclass(frozen=True, slots=True)
class Run:
    """Events of one kind and one moment: the newest, how many, and the lowest number.

    Of one that is `open` there are more than were counted.
    """

    event: Event
    count: int
    lowest: int
    open: bool = False


@dataclass(frozen=True, slots=True)
class Question:
    """Which events: of these kinds, about what `mine` own if it is given, with numbers below.

    `alike` asks for the events of one run, each for itself.
    """

    kinds: Sequence[str]
    before: int = 0
    limit: int = 50
    mine: Sequence[EntityRef] | None = None
    alike: int = 0
    windows: int = WINDOWS


def read_runs(
    connection: Connection, question: Question, catalog: CatalogService
) -> tuple[list[Run], int]:
    """Give runs, the newest first, and the number to go on before; 0 where nothing is older.

    A log that holds nothing of the kind for long gives few runs, or none, and a number. What is
    about an entity that the one who asks may not see is passed over.
    """
    sight = catalog.sight()
    oldest, newest = _bounds(connection)
    upper = min(question.before or newest + 1, newest + 1)
    runs: list[Run] = []
    for _ in range(question.windows):
        if upper <= oldest or len(runs) > question.limit:
            break
        lower = max(upper - WINDOW, oldest)
        found, unknown = _rows(connection, question, lower, upper, sight)
        told = found
        if unknown:
            kept = {item.id for item in about_seen(catalog, unknown)}
            unknown_ids = {item.id for item in unknown}
            told = [item for item in found if item.id in kept or item.id not in unknown_ids]
        _gather(runs, told, apart=bool(question.alike))
        upper = found[-1].id if len(found) == ROWS else lower
        if len(found) == ROWS and runs and runs[-1].count >= ALIKE:
            counted = question.mine is None and sight is None
            runs[-1] = _whole(connection, runs[-1], counted=counted)
            upper = min(upper, runs[-1].lowest)
    if len(runs) > question.limit:
        del runs[question.limit :]
        upper = runs[-1].lowest
    return runs, upper if upper > oldest else 0


def _bounds(connection: Connection) -> tuple[int, int]:
    row = connection.execute(
        select(
            select(func.min(event.c.id)).scalar_subquery(),
            select(func.max(event.c.id)).scalar_subquery(),
        )
    ).one()
    return row[0] or 0, row[1] or 0


def _rows(
    connection: Connection, question: Question, lower: int, upper: int, sight: Sight | None
) -> tuple[list[Event], list[Event]]:
    """Give events, and those of them about what is not in the catalog, for one who sees a part."""
    statement = select(event).where(
        event.c.id >= lower, event.c.id < upper, of_kinds(question.kinds)
    )
    if question.mine is not None:
        statement = statement.where(_is_of(question.mine))
    if sight is not None:
        about = event.outerjoin(SEEN, SEEN.c.ref == event.c.subject)
        seen = or_(SEEN.c.id.is_(None), sight.condition(connection, SEEN))
        statement = statement.add_columns(SEEN.c.id.label("about")).select_from(about).where(seen)
    if question.alike:
        one = event.alias("one")
        same = select(one.c.id).where(
            one.c.id == question.alike, one.c.kind == event.c.kind, one.c.at == event.c.at
        )
        statement = statement.where(exists(same.correlate(event)))
    rows = connection.execute(statement.order_by(event.c.id.desc()).limit(ROWS)).all()
    found = [
        Event(id=row.id, kind=row.kind, subject=row.subject, data=row.data, at=row.at,
              actor=row.actor)
        for row in rows
    ]  # fmt: skip
    unknown = [] if sight is None else [
        item for item, row in zip(found, rows, strict=True) if row.about is None
    ]  # fmt: skip
    return found, unknown


def _is_of(mine: Sequence[EntityRef]) -> ColumnElement[bool]:
    """Say that an event is about one of these, or about what one of them owns."""
    refs = [stored_form(ref) for ref in mine]
    entity = models.entity
    # What is owned is read once; asking for each event whose it is would be thousands of questions.
    owned = select(entity.c.ref).where(entity.c.owner.in_(refs))
    return or_(event.c.subject.in_(refs), event.c.subject.in_(owned))


def _gather(runs: list[Run], found: Sequence[Event], *, apart: bool) -> None:
    """Add events to the runs they belong to; few that are alike stay apart."""
    groups: list[list[Event]] = []
    for item in found:
        if groups and not apart and _key(groups[-1][0]) == _key(item):
            groups[-1].append(item)
        else:
            groups.append([item])
    for group in groups:
        last = runs[-1] if runs else None
        if last and last.count >= ALIKE and not apart and _key(last.event) == _key(group[0]):
            runs[-1] = Run(last.event, last.count + len(group), group[-1].id)
        elif len(group) >= ALIKE:
            runs.append(Run(group[0], len(group), group[-1].id))
        else:
            runs.extend(Run(item, 1, item.id) for item in group)


def _key(item: Event) -> tuple[str, datetime, object]:
    return item.kind, item.at, item.data.get("source")


def _whole(connection: Connection, run: Run, *, counted: bool) -> Run:
    """Let a run that goes beyond what was read reach back to the moment before it.

    A large transaction writes many thousand events: its end is found by the index of times, and
    what it wrote of other kinds is part of the run as well.
    """
    before = select(event.c.id).where(event.c.at < run.event.at, event.c.id < run.lowest)
    found = connection.scalar(before.order_by(event.c.at.desc(), event.c.id.desc()).limit(1))
    lowest = min(found + 1, run.lowest) if found else min(_bounds(connection)[0], run.lowest)
    if not counted:
        return Run(run.event, run.count, lowest, open=lowest < run.lowest)
    return Run(run.event, run.count + run.lowest - lowest, lowest)
