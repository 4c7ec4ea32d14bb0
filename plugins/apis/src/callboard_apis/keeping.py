"""Keeps the tables in step with the catalog: told by events, and looked through now and again."""

import logging
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, select, update

from callboard.contributions import EventContext, JobContext
from callboard.entities import Entity, EntityRef
from callboard_apis import store
from callboard_apis.changes import Change, compare
from callboard_apis.documents import DocumentFaultError
from callboard_apis.models import api, definition, source, version
from callboard_apis.packing import unpack_text
from callboard_apis.preparing import VERSION, prepare
from callboard_apis.queries import AnyRow
from callboard_apis.shapes import Definition

if TYPE_CHECKING:
    from callboard.host import Host

log = logging.getLogger(__name__)

PAGE: Final = 100
SECONDS: Final = 240.0
"""How long one run prepares before it hands the rest on to the next."""

KIND: Final = "api"


def on_entities(context: EventContext) -> None:
    """Note new, changed and deleted entities, and have what waits prepared."""
    host = context.host
    refs = {EntityRef.parse(event.subject) for event in context.events}
    found = host.catalog.get_many(refs)
    without = {str(ref) for ref in refs if ref not in found or store.text_of(found[ref]) is None}
    with host.write() as connection:
        store.forget(connection, without)
        waiting = store.register(connection, found.values(), host.now())
        if waiting:
            host.submit("prepare", connection=connection)


def run_refresh(context: JobContext) -> None:
    """Compare with the catalog: what events told of before the plugin was there, or its version."""
    host = context.host
    seen: set[str] = set()
    waiting = 0
    for page in _pages(host):
        seen |= {str(entity.ref) for entity in page}
        with host.write() as connection:
            waiting += store.register(connection, page, host.now())
    with host.write() as connection:
        known = set(connection.scalars(select(api.c.ref)))
        of_kind = {ref for ref in known if ref.startswith(f"{KIND}:")}
        store.forget(connection, of_kind - seen)
        waiting += _outdated(connection)
        store.drop_unused(connection)
        if waiting:
            host.submit("prepare", connection=connection)


def _pages(host: "Host") -> Iterator[list[Entity]]:
    after: EntityRef | None = None
    while page := host.catalog.find(kind=KIND, after=after, limit=PAGE):
        yield list(page)
        after = page[-1].ref


def _outdated(connection: Connection) -> int:
    """Have definitions that an older version of the code made made anew."""
    old = select(definition.c.id).where(definition.c.made_by != VERSION)
    done = connection.execute(
        update(api)
        .where(api.c.definition_id.in_(old), api.c.waiting.is_(False))
        .values(waiting=True)
    )
    return done.rowcount


def run_prepare(context: JobContext) -> None:
    """Prepare what waits, one after the other, each in a transaction of its own."""
    host = context.host
    ends = time.monotonic() + SECONDS
    done, total = 0, 0
    # One that cannot be written is passed over in this run: others must not wait for it.
    failed: set[str] = set()
    while True:
        with host.read() as connection:
            refs = connection.scalars(
                select(api.c.ref).where(api.c.waiting).order_by(api.c.ref).limit(PAGE)
            ).all()
        todo = [ref for ref in refs if ref not in failed]
        total = max(total, done + len(todo))
        if not todo:
            break
        for ref in todo:
            if time.monotonic() > ends:
                host.submit("prepare")
                return
            context.progress(done, total, ref)
            done += 1
            try:
                _prepare(host, ref)
            except Exception:
                log.exception("The definition of %s could not be kept.", ref)
                failed.add(ref)
    if done:
        with host.write() as connection:
            store.drop_unused(connection)
    if failed:
        raise RuntimeError(f"The definitions of {', '.join(sorted(failed)[:5])} were not kept.")


def _prepare(host: "Host", ref: str) -> None:
    """Prepare the definition of one API, unless it was before, and note it as its version."""
    entity = host.catalog.get(EntityRef.parse(ref))
    text = store.text_of(entity) if entity is not None else None
    if entity is None or text is None:
        with host.write() as connection:
            store.forget(connection, [ref])
        return
    wanted = store.digest(entity.type, text)
    with host.read() as connection:
        known = _known(connection, wanted)
        before = _latest(connection, ref)
    made = None if known is not None else prepare(entity.type, text)
    first = before is None
    changed = before is None or before.hash != wanted
    changes = _changes(host, before, made, known, text) if changed and before is not None else None
    with host.write() as connection:
        number = known.id if known is not None else 0
        if made is not None:
            number = store.write_definition(connection, wanted, text, made)
        named = made.version if made is not None else known.version if known is not None else ""
        state = {"definition_id": number, "wanted": wanted, "waiting": False}
        if changed:
            keep = host.settings.keep_versions
            store.write_version(connection, ref, number, named, host.now(), changes, keep)
            state["changed_at"] = host.now()
            _tell(host, connection, ref, named, changes, first=first)
        connection.execute(update(api).where(api.c.ref == ref).values(state))


def _tell(
    host: "Host",
    connection: Connection,
    ref: str,
    named: str,
    changes: list[Change] | None,
    *,
    first: bool,
) -> None:
    breaking = sum(change.level == "breaking" for change in changes or ())
    data = {"version": named, "breaking": breaking, "first": first}
    host.publish(connection, "apis.definition.changed", ref, data)


def _known(connection: Connection, hash_: str) -> AnyRow | None:
    return connection.execute(
        select(definition.c.id, definition.c.version, definition.c.format).where(
            definition.c.hash == hash_, definition.c.made_by == VERSION
        )
    ).one_or_none()


def _latest(connection: Connection, ref: str) -> AnyRow | None:
    return connection.execute(
        select(definition.c.id, definition.c.hash, definition.c.format)
        .join(version, version.c.definition_id == definition.c.id)
        .where(version.c.ref == ref)
        .order_by(version.c.id.desc())
        .limit(1)
    ).one_or_none()


def _changes(
    host: "Host",
    before: AnyRow,
    made: Definition | None,
    known: AnyRow | None,
    text: str,
) -> list[Change] | None:
    """Compare with the version before; None where there is nothing to compare by."""
    new_format = made.format if made is not None else known.format if known is not None else ""
    if before.format != new_format:
        return None
    with host.read() as connection:
        old = load_text(connection, before.id)
    try:
        return compare(before.format, old, text)
    except DocumentFaultError:
        return None
    except Exception:
        log.exception("Two versions of a definition could not be compared.")
        return None


def load_text(connection: Connection, number: int) -> str:
    """Give the whole text of a definition."""
    parts = connection.scalars(
        select(source.c.text).where(source.c.definition_id == number).order_by(source.c.position)
    )
    return "".join(unpack_text(part) for part in parts)
