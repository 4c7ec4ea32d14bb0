"""What is wrong with the catalog's input, for those who can mend it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from sqlalchemy import (
    Connection,
    Join,
    Select,
    Text,
    and_,
    case,
    func,
    literal,
    not_,
    null,
    or_,
    select,
    tuple_,
    type_coerce,
    union_all,
)
from sqlalchemy.sql.elements import ColumnElement

from callboard import i18n
from callboard.database.types import read_text
from callboard.entities import EntityRef
from callboard_catalog import models
from callboard_catalog.reading import stored_form
from callboard_catalog.sight import Sight
from callboard_catalog.sources.base import PUSHED

_ = i18n.Translator("callboard")

ProblemKind = Literal["rejected", "conflict", "dangling", "stale", "warning"]
KINDS: tuple[ProblemKind, ...] = ("rejected", "conflict", "dangling", "stale", "warning")
CONSEQUENCES: Final = frozenset({"stale", "warning"})
"""Kinds that are no fault to mend for themselves: nobody's work is counted by them."""

Place = tuple[int, str, str, int, int, str, str]
"""Where in the list of all problems one stands: rank of its kind, source, path, line, id, code,
other."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault and where to mend it.

    `served` says whether an earlier good version of the entity (or, for a conflict, another
    source's) is shown meanwhile. `other` is the reference that is missing, for `dangling`, and
    the source that holds the name, for `conflict`. `place` is where it stands in the list.
    `pushed` says that its source is not read: others push to it.
    """

    id: str
    kind: ProblemKind
    ref: EntityRef | None
    title: str
    source: str
    path: str
    line: int
    code: str
    message: i18n.Text
    since: datetime
    served: bool
    owner: EntityRef | None
    other: str
    place: Place
    pushed: bool = False

    @property
    def missing(self) -> EntityRef | None:
        """The entity that is named and not there, for `dangling`."""
        return EntityRef.parse(self.other) if self.kind == "dangling" and self.other else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemRequest:
    """Which problems: of one entity, source, file, owner or kind, of any of some owners; a page of
    at most `limit`.

    It begins behind the place `after`, or else at `offset`.
    """

    ref: EntityRef | None = None
    source: str = ""
    path: str = ""
    owner: EntityRef | None = None
    owners: tuple[EntityRef, ...] = ()
    kind: ProblemKind | None = None
    limit: int = 100
    offset: int = 0
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class ProblemSight:
    """Whose problems are seen: of which entities, None for all, and those of no entity."""

    entities: Sight | None = None
    of_none: bool = True


EVERY_PROBLEM: Final = ProblemSight()


def problems(
    connection: Connection, request: ProblemRequest, sight: ProblemSight = EVERY_PROBLEM
) -> list[Problem]:
    """Give problems, those nobody serves first, then by source and place."""
    everything = union_all(*_parts(connection, sight)).subquery()
    statement = select(everything)
    if request.kind:
        statement = statement.where(everything.c.kind == request.kind)
    if request.ref:
        statement = statement.where(everything.c.ref == stored_form(request.ref))
    if request.source:
        statement = statement.where(everything.c.source == request.source.replace("\0", ""))
    if request.path:
        statement = statement.where(everything.c.path == request.path.replace("\0", ""))
    if request.owner:
        statement = statement.where(everything.c.owner == stored_form(request.owner))
    if request.owners:
        statement = statement.where(everything.c.owner.in_(map(stored_form, request.owners)))
    order = case({kind: index for index, kind in enumerate(KINDS)}, value=everything.c.kind)
    names = ("source", "path", "line", "id", "code", "other")
    columns = [everything.c[name] for name in names]
    if request.after is not None:
        statement = statement.where(tuple_(order, *columns) > tuple_(*request.after))
    statement = statement.order_by(order, *columns)
    rows = connection.execute(statement.limit(request.limit).offset(request.offset))
    return [_problem(row) for row in rows]


@dataclass(frozen=True, slots=True)
class ProblemTally:
    """How many problems there are: of each kind, and of each owner by entity, without those
    that are consequences of others, or no harm.

    Owners and entities are references as text; both are empty where they cannot be read.
    """

    kinds: Mapping[ProblemKind, int]
    owners: Mapping[str, Mapping[str, int]]


class Counted(NamedTuple):
    """Problems of one kind with one entity, whose number is None where it is not there."""

    kind: ProblemKind
    owner: str
    ref: str
    entity: int | None
    number: int


def count_problems(connection: Connection) -> list[Counted]:
    """Count all problems in one pass."""
    everything = union_all(*_parts(connection, EVERY_PROBLEM)).subquery()
    names = ("kind", "owner", "ref", "entity")
    columns = [everything.c[name] for name in names]
    statement = select(*columns, func.count()).group_by(*columns)
    rows = connection.execute(statement)
    return [Counted(row[0], row[1] or "", row[2] or "", row[3], row[4]) for row in rows]


def tally_of(counted: Iterable[Counted], sight: ProblemSight = EVERY_PROBLEM) -> ProblemTally:
    """Add up the problems that are seen."""
    kinds: dict[ProblemKind, int] = dict.fromkeys(KINDS, 0)
    owners: dict[str, dict[str, int]] = {}
    rows = None if sight.entities is None else sight.entities.rows
    for kind, owner, ref, entity, number in counted:
        if not sight.of_none if entity is None else rows is not None and entity not in rows:
            continue
        kinds[kind] += number
        if kind not in CONSEQUENCES:
            entities = owners.setdefault(owner, {})
            entities[ref] = entities.get(ref, 0) + number
    return ProblemTally(kinds, owners)


def _problem(row: Any) -> Problem:
    return Problem(
        id=_id(row),
        kind=row.kind,
        ref=EntityRef.parse(row.ref) if row.ref else None,
        title=row.title or row.ref or row.path,
        source=row.source,
        path=row.path,
        line=row.line,
        code=row.code,
        message=_message(row),
        since=row.since,
        served=bool(row.served),
        owner=EntityRef.parse(row.owner) if row.owner else None,
        other=row.other or "",
        place=(KINDS.index(row.kind), row.source, row.path, row.line, row.id, row.code, row.other),
        pushed=row.type == PUSHED,
    )


def _message(row: Any) -> i18n.Text:
    if row.kind == "conflict":
        return _HELD[row.message]
    if row.kind == "stale":
        return _STALE
    return row.other if row.kind == "dangling" else read_text(row.message)


_HELD = {
    "file": _("Another document of this file holds this name already."),
    "source": _("Another file of this source holds this name already."),
    "": _("Another source holds this name already."),
}
_STALE = _("Its last good version is served: its file does not show it now.")


def _id(row: Any) -> str:
    # An entity may have several dangling relations.
    more = f"-{row.code}-{row.other}" if row.kind == "dangling" else ""
    return f"{row.kind}-{row.id}{more}"


def _parts(connection: Connection, sight: ProblemSight) -> list[Select[Any]]:
    """Give all problems by kind; each part has the entity it is about joined, where it is there."""
    parts = [_rejected(), _conflicts(), _dangling(), _stale()]
    there = models.entity.c.id.is_not(null())
    if sight.entities is not None:
        seen = sight.entities.condition(connection)
        mine = and_(there, seen)
        parts[0] = parts[0].where(or_(mine, not_(there)) if sight.of_none else mine)
        parts[1:] = [part.where(seen) for part in parts[1:]]
    elif not sight.of_none:
        parts[0] = parts[0].where(there)
    return parts


def _rejected() -> Select[Any]:
    rejected, entity = models.rejected, models.entity
    kind = case((rejected.c.severity == "error", "rejected"), else_="warning")
    joined = (
        rejected.join(models.source, models.source.c.id == rejected.c.source_id)
        .join(models.source_file, models.source_file.c.id == rejected.c.file_id)
        .outerjoin(entity, entity.c.ref == rejected.c.ref)
    )
    return select(
        kind.label("kind"),
        rejected.c.id.label("id"),
        rejected.c.ref.label("ref"),
        entity.c.title.label("title"),
        models.source.c.name.label("source"),
        models.source_file.c.path.label("path"),
        rejected.c.line.label("line"),
        rejected.c.code.label("code"),
        type_coerce(rejected.c.message, Text).label("message"),
        rejected.c.since.label("since"),
        case((entity.c.id.is_not(null()), 1), else_=0).label("served"),
        rejected.c.owner.label("owner"),
        literal("").label("other"),
        entity.c.id.label("entity"),
        models.source.c.type.label("type"),
    ).select_from(joined)


def _conflicts() -> Select[Any]:
    claim, entity = models.claim, models.entity
    holder = models.source.alias("holder")
    joined = (
        claim.join(models.source, models.source.c.id == claim.c.source_id)
        .join(models.source_file, models.source_file.c.id == claim.c.file_id)
        .join(entity, entity.c.ref == claim.c.ref)
        .join(holder, holder.c.id == entity.c.source_id)
    )
    return select(
        literal("conflict"),
        claim.c.id,
        claim.c.ref,
        entity.c.title,
        models.source.c.name,
        models.source_file.c.path,
        claim.c.line,
        literal("conflict"),
        case(
            (entity.c.file_id == claim.c.file_id, "file"),
            (entity.c.source_id == claim.c.source_id, "source"),
            else_="",
        ),
        claim.c.since,
        literal(1),
        entity.c.owner,
        holder.c.name,
        entity.c.id,
        models.source.c.type,
    ).select_from(joined)


def _dangling() -> Select[Any]:
    dangling, entity = models.dangling, models.entity
    return _of_entity(
        dangling.join(entity, entity.c.id == dangling.c.origin_id),
        "dangling",
        code=dangling.c.type,
        other=dangling.c.other,
        since=dangling.c.since,
    )


def _stale() -> Select[Any]:
    stale, entity = models.stale, models.entity
    return _of_entity(
        stale.join(entity, entity.c.id == stale.c.entity_id),
        "stale",
        code=literal("stale"),
        other=literal(""),
        since=stale.c.since,
    )


def _of_entity(
    joined: Join,
    kind: ProblemKind,
    *,
    code: ColumnElement[str],
    other: ColumnElement[str],
    since: ColumnElement[datetime],
) -> Select[Any]:
    """Give problems of entities that are served, each at the place of its document."""
    entity, source, file = models.entity, models.source, models.source_file
    everything = joined.join(source, source.c.id == entity.c.source_id).join(
        file, file.c.id == entity.c.file_id
    )
    return select(
        literal(kind),
        entity.c.id,
        entity.c.ref,
        entity.c.title,
        source.c.name,
        file.c.path,
        entity.c.line,
        code,
        other,
        since,
        literal(1),
        entity.c.owner,
        other,
        entity.c.id,
        source.c.type,
    ).select_from(everything)
