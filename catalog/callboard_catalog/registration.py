"""Keeps the table of sources equal to the settings and to what plugins contribute."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from callboard.audit import record
from callboard.database import Database
from callboard.i18n import storable
from callboard.identity import SYSTEM
from callboard_catalog import models
from callboard_catalog.ingest.write import Changes, Writer
from callboard_catalog.sources import Source
from callboard_catalog.sources.base import PUSHED
from callboard_catalog.store.bulk import grow_generation, lock_catalog

Values = dict[str, Any]
Differences = tuple[dict[str, Values], list[Values], list[str]]

NEW: Values = {"active": True, "fingerprint": "", "head": "", "error": "", "hint": ""}


def register_sources(
    database: Database, sources: Sequence[Source], *, now: Callable[[], datetime]
) -> None:
    """Add new sources, correct what changed, and mark those that are no longer there.

    Sources that are pushed are in no settings and are left alone, unless one is configured that
    has the same name: then what was pushed leaves when that one is read.
    Writes nothing where nothing differs. A source that left is emptied by `forget_sources`.
    """
    wanted = {source.name: _values(source) for source in sources}
    with database.read() as connection:
        if not any(_differences(connection, wanted)):
            return
    with database.write() as connection:
        # Processes that start at the same moment register one after the other.
        lock_catalog(connection)
        differences = _differences(connection, wanted)
        if any(differences):
            _apply(connection, *differences, now())


def _differences(connection: Connection, wanted: dict[str, Values]) -> Differences:
    known = {row.name: row for row in connection.execute(select(models.source))}
    changed = {
        name: values
        for name, values in wanted.items()
        if name in known and any(getattr(known[name], key) != values[key] for key in values)
    }
    added = [{**NEW, **wanted[name], "name": name} for name in wanted if name not in known]
    gone = [
        name
        for name, row in known.items()
        if name not in wanted and row.active and row.type != PUSHED
    ]
    return changed, added, gone


def _apply(
    connection: Connection,
    changed: dict[str, Values],
    added: list[Values],
    gone: list[str],
    at: datetime,
) -> None:
    table = models.source
    if added:
        connection.execute(insert(table), added)
    for name, values in changed.items():
        connection.execute(update(table).where(table.c.name == name).values(**values))
    for name in gone:
        # Without its head it is read again, should it come back before it was emptied.
        values = {"active": False, "head": ""}
        connection.execute(update(table).where(table.c.name == name).values(**values))
        record(connection, "catalog.source.remove", name, actor=SYSTEM, at=at)
    for row in added:
        record(connection, "catalog.source.add", row["name"], actor=SYSTEM, at=at)
    grow_generation(connection)


def _values(source: Source) -> Values:
    return {
        "type": source.type,
        "title": storable(source.title),
        "address": source.address,
        "every": source.every.total_seconds(),
        "active": True,
    }


def forget_sources(database: Database, *, now: Callable[[], datetime]) -> Changes:
    """Take out everything that sources gave which are no longer there; may be run any time."""
    table, files = models.source, models.source_file
    total = Changes()
    with database.read() as connection:
        gone = connection.execute(select(table).where(~table.c.active)).all()
    for row in gone:
        with database.read() as connection:
            paths = connection.scalars(
                select(files.c.path).where(files.c.source_id == row.id)
            ).all()
        writer = Writer(
            database, source_id=row.id, source_name=row.name, is_gone=lambda path: True, now=now
        )
        total.add(writer.remove(paths))
        with database.write() as connection:
            connection.execute(delete(table).where(table.c.id == row.id, ~table.c.active))
            grow_generation(connection)
    return total


def put_source(connection: Connection, source: Source, *, at: datetime) -> None:
    """Add one source in the caller's transaction, or bring it back, if it is not there."""
    row = connection.execute(
        select(models.source).where(models.source.c.name == source.name)
    ).one_or_none()
    if row is None:
        _apply(connection, {}, [{**NEW, **_values(source), "name": source.name}], [], at)
    elif not row.active:
        _apply(connection, {source.name: _values(source)}, [], [], at)


def take_out_source(connection: Connection, name: str, *, at: datetime) -> None:
    """Mark one source as gone in the caller's transaction; `forget_sources` empties it."""
    _apply(connection, {}, [], [name], at)
