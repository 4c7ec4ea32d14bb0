"""Writes the plugin's tables."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, exists, insert, select, update

from callboard.entities import Entity
from callboard.i18n import storable, to_data
from callboard_apis.changes import Change, Level, count
from callboard_apis.models import api, definition, item, source, version
from callboard_apis.packing import chunks, pack, pack_text
from callboard_apis.preparing import VERSION
from callboard_apis.shapes import Definition, Fault, Item

BATCH: Final = 500
MOST_BYTES: Final = 60_000_000
"""Of all bodies of a definition before they are packed; items beyond it are listed only."""

MOST_FAULTS: Final = 50


def digest(type_: str, text: str) -> str:
    """Give what tells a definition from another: of its type and its text."""
    written = f"{type_.strip().lower()}\0{text}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(written).hexdigest()


def text_of(entity: Entity) -> str | None:
    """Give the definition of an entity; None where it has none."""
    given = entity.spec.get("definition")
    return given if isinstance(given, str) else None


def register(connection: Connection, entities: Iterable[Entity], now: datetime) -> int:
    """Note what APIs should have; give how many of them wait to be prepared."""
    listed = [(entity, text) for entity in entities if (text := text_of(entity)) is not None]
    refs = [str(entity.ref) for entity, _text in listed]
    known = {
        row.ref: row
        for start in range(0, len(refs), BATCH)
        for row in connection.execute(
            select(api, definition.c.made_by, definition.c.hash)
            .join(definition, isouter=True)
            .where(api.c.ref.in_(refs[start : start + BATCH]))
        )
    }
    waiting = 0
    for entity, text in listed:
        row = known.get(str(entity.ref))
        wanted = digest(entity.type, text)
        ready = row is not None and row.hash == wanted and row.made_by == VERSION
        waiting += not ready
        values = {"wanted": wanted, "waiting": not ready, **_about(entity)}
        if row is None:
            added = {"ref": str(entity.ref), "changed_at": now, **values}
            connection.execute(insert(api).values(added))
        elif any(getattr(row, name) != value for name, value in values.items()):
            connection.execute(update(api).where(api.c.ref == row.ref).values(values))
    return waiting


def _about(entity: Entity) -> dict[str, Any]:
    return {
        "type": _kept(entity.type, 100),
        "title": _kept(entity.title, 300),
        "owner": _kept(str(entity.owner or ""), 250),
        "lifecycle": _kept(entity.lifecycle, 100),
    }


def _kept(text: str, length: int) -> str:
    return str(storable(text, length))


def forget(connection: Connection, refs: Collection[str]) -> None:
    """Take out APIs that are no longer there, with their versions."""
    listed = list(refs)
    for start in range(0, len(listed), BATCH):
        part = listed[start : start + BATCH]
        connection.execute(delete(api).where(api.c.ref.in_(part)))
        connection.execute(delete(version).where(version.c.ref.in_(part)))


def drop_unused(connection: Connection) -> None:
    """Take out definitions that no API and no version has."""
    used = exists().where(api.c.definition_id == definition.c.id)
    kept = exists().where(version.c.definition_id == definition.c.id)
    connection.execute(delete(definition).where(~used, ~kept))


def write_definition(connection: Connection, hash_: str, text: str, made: Definition) -> int:
    """Write a definition, in place of what an older version of the code made; give its number."""
    bodies, size = _bodies(made.items)
    values = {
        "hash": hash_,
        "made_by": VERSION,
        "format": made.format,
        "dialect": _kept(made.dialect, 40),
        "title": _kept(made.title, 300),
        "version": _kept(made.version, 100),
        "operations": made.count("operation"),
        "schemas": made.count("schema"),
        "deprecated": sum(one.deprecated for one in made.items),
        "faults": len(made.faults),
        "lines": text.count("\n") + 1,
        "size": size,
        "head": pack({**made.head, "faults": _faults(made.faults)}),
    }
    known = connection.scalar(select(definition.c.id).where(definition.c.hash == hash_))
    if known is None:
        done = connection.execute(insert(definition).values(values).returning(definition.c.id))
        number = int(done.scalar_one())
    else:
        number = int(known)
        connection.execute(update(definition).where(definition.c.id == number).values(values))
        for table in (item, source):
            connection.execute(delete(table).where(table.c.definition_id == number))
    _insert_items(connection, number, made.items, bodies)
    parts = [
        {"definition_id": number, "position": at, "first_line": line, "text": pack_text(part)}
        for at, (line, part) in enumerate(chunks(text))
    ]
    if parts:
        connection.execute(insert(source), parts)
    return number


def _faults(faults: Sequence[Fault]) -> list[list[Any]]:
    return [[to_data(storable(one.message)), one.line] for one in faults[:MOST_FAULTS]]


def _bodies(items: Sequence[Item]) -> tuple[list[bytes], int]:
    """Pack the bodies of items, as far as they fit; give them and their bytes in all."""
    packed, size = [], 0
    for one in items:
        data = pack(one.body)
        size += len(data) * 8
        packed.append(data if size < MOST_BYTES else pack({"description": "", "sections": []}))
    return packed, min(size, 2**31 - 1)


def _insert_items(
    connection: Connection, number: int, items: Sequence[Item], bodies: Sequence[bytes]
) -> None:
    rows = [
        {
            "definition_id": number,
            "position": position,
            "kind": one.kind,
            "key": one.key[:120],
            "tag": _kept(one.group, 300),
            "verb": _kept(one.verb, 40),
            "title": _kept(one.title, 400),
            "summary": _kept(one.summary, 300),
            "deprecated": one.deprecated,
            "line": one.line,
            "words": _kept(one.words, 4_000),
            "body": body,
        }
        for position, (one, body) in enumerate(zip(items, bodies, strict=True))
    ]
    for start in range(0, len(rows), BATCH):
        connection.execute(insert(item), rows[start : start + BATCH])


def write_version(
    connection: Connection,
    ref: str,
    number: int,
    named: str,
    now: datetime,
    changes: Sequence[Change] | None,
    keep: int,
) -> None:
    """Note that an API has a definition from now on; the oldest beyond `keep` are let go."""
    counts: Mapping[Level, int] = count(changes) if changes is not None else {}
    connection.execute(
        insert(version).values(
            ref=ref,
            definition_id=number,
            version=_kept(named, 100),
            seen_at=now,
            breaking=counts.get("breaking"),
            warning=counts.get("warning"),
            ok=counts.get("ok"),
            changes=None if changes is None else pack([one.to_data() for one in changes]),
        )
    )
    kept = select(version.c.id).where(version.c.ref == ref).order_by(version.c.id.desc())
    old = connection.scalars(kept.offset(keep)).all()
    if old:
        connection.execute(delete(version).where(version.c.id.in_(old)))
