"""Reads the history of entities, and keeps it bounded."""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, Select, bindparam, delete, func, or_, select, update

from callboard.database import Database
from callboard.entities import EntityRef
from callboard_catalog import models
from callboard_catalog.reading import stored_form
from callboard_catalog.sources.base import ChangeCommit
from callboard_catalog.store.bulk import lock_catalog

VERSION: Final = models.entity_version
AT_ONCE: Final = 2_000
"""Rows deleted in one transaction, so that nobody waits long for the database."""


@dataclass(frozen=True, slots=True)
class Version:
    """One change of an entity.

    `before` and `after` are its documents; None where it was not in the catalog. `changed` are the
    dotted paths that differ. `head` is the version of the source that brought the change, and
    `commit` the commit of its file, where that is known. `by` is who deleted it, where it is
    not its source that no longer had it.
    """

    id: int
    at: datetime
    action: str
    source: str
    path: str
    head: str
    changed: Sequence[str]
    commit: ChangeCommit | None
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    by: str = ""


def versions(
    connection: Connection, ref: EntityRef, *, limit: int, upto: int | None = None
) -> list[Version]:
    """Give the changes of an entity, newest first, from number `upto` on; at most `limit`."""
    key = stored_form(ref)
    statement = select(VERSION).where(VERSION.c.ref == key).order_by(VERSION.c.id.desc())
    if upto is not None:
        statement = statement.where(VERSION.c.id <= upto)
    rows = connection.execute(statement.limit(limit)).all()
    after = _following(connection, key, rows[0].id) if rows else None
    found = []
    for row in rows:
        before = _document(row.before)
        found.append(_version(row, before, after))
        after = before
    return found


def _following(connection: Connection, key: str, number: int) -> Mapping[str, Any] | None:
    """Give the document that a change left behind: what the next one replaced, or the present."""
    statement = select(VERSION.c.before).where(VERSION.c.ref == key, VERSION.c.id > number)
    following = connection.execute(statement.order_by(VERSION.c.id).limit(1)).first()
    if following is not None:
        return _document(following.before)
    present = connection.scalar(select(models.entity.c.document).where(models.entity.c.ref == key))
    return orjson.loads(present) if present else None


def _document(compressed: bytes | None) -> Mapping[str, Any] | None:
    if compressed is None:
        return None
    document: Mapping[str, Any] = orjson.loads(zlib.decompress(compressed))
    return document


def _version(
    row: Any, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> Version:
    commit = row.changed.get("commit")
    return Version(
        id=row.id,
        at=row.at,
        action=row.action,
        source=row.source,
        path=row.path,
        head=row.head,
        changed=row.changed["paths"],
        commit=ChangeCommit.from_data(commit) if commit else None,
        before=before,
        after=after,
        by=row.changed.get("by", ""),
    )


def plain_version(row: Any) -> Version:
    """Give the change that a row tells of, without its documents."""
    return _version(row, None, None)


def last_change(connection: Connection, ref: EntityRef) -> Version | None:
    """Give the newest change of an entity, without its documents."""
    statement = select(VERSION).where(VERSION.c.ref == stored_form(ref))
    row = connection.execute(statement.order_by(VERSION.c.id.desc()).limit(1)).first()
    return plain_version(row) if row else None


def change_count(connection: Connection, ref: EntityRef) -> int:
    """Count the changes of an entity that are kept."""
    statement = select(func.count()).where(VERSION.c.ref == stored_form(ref))
    return connection.scalar(statement.select_from(VERSION)) or 0


def prune(database: Database, *, before: datetime, most: int) -> int:
    """Delete changes older than `before`, and those beyond the `most` newest of each entity.

    Gives how many were deleted. The tables keep from when on the past is still known exactly, and
    of which entities it is not.
    """
    old = select(VERSION.c.id).where(VERSION.c.at < before)
    total = 0
    for numbers in _batches(database, old):
        with database.write() as connection:
            lock_catalog(connection)
            connection.execute(delete(VERSION).where(VERSION.c.id.in_(numbers)))
            _forget_until(connection, before)
        total += len(numbers)
    for numbers in _batches(database, _surplus(most)):
        with database.write() as connection:
            lock_catalog(connection)
            _delete_surplus(connection, numbers)
        total += len(numbers)
    return total


def _batches(database: Database, statement: Select[Any]) -> Iterator[Sequence[int]]:
    """Give what there is to delete, the oldest first, until there is nothing left."""
    while True:
        with database.read() as connection:
            numbers = connection.scalars(statement.order_by("id").limit(AT_ONCE)).all()
        if not numbers:
            return
        yield numbers


def _surplus(most: int) -> Select[Any]:
    many = select(VERSION.c.ref).group_by(VERSION.c.ref).having(func.count() > most)
    rank = func.row_number().over(partition_by=VERSION.c.ref, order_by=VERSION.c.id.desc())
    ranked = select(VERSION.c.id, rank.label("n")).where(VERSION.c.ref.in_(many)).subquery()
    return select(ranked.c.id).where(ranked.c.n > most)


def _forget_until(connection: Connection, before: datetime) -> None:
    known = models.state.c.exact_from
    later = update(models.state).where(or_(known.is_(None), known < before))
    connection.execute(later.values(exact_from=before))


def _delete_surplus(connection: Connection, numbers: Sequence[int]) -> None:
    """Delete changes of entities that keep younger ones, whose oldest notes that some lack."""
    chosen = VERSION.c.id.in_(numbers)
    gaps = connection.execute(
        select(VERSION.c.ref, func.max(VERSION.c.at).label("at")).where(chosen).group_by("ref")
    ).all()
    connection.execute(delete(VERSION).where(chosen))
    own = VERSION.alias("own")
    oldest = select(func.min(own.c.id)).where(own.c.ref == bindparam("named")).scalar_subquery()
    noted = update(VERSION).where(VERSION.c.id == oldest).values(gap=bindparam("until"))
    connection.execute(noted, [{"named": gap.ref, "until": gap.at} for gap in gaps])
