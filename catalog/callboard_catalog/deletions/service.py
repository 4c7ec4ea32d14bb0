"""Deletes entities so that they stay deleted, and takes that back."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

import orjson
from sqlalchemy import Connection, delete, exists, insert, select

from callboard.audit import record
from callboard.database import Database
from callboard.entities import EntityRef
from callboard.errors import NotFoundError
from callboard.events.log import Fact, publish_many
from callboard.i18n import Translator
from callboard.identity import SYSTEM, asking
from callboard_catalog import models
from callboard_catalog.deletions.model import Deleted, Restored
from callboard_catalog.descriptors import KindRegistry, relations
from callboard_catalog.history import Recorder
from callboard_catalog.ingest.candidate import Candidate
from callboard_catalog.ingest.claims import conflict_facts, first_waiting, insert_claims
from callboard_catalog.ingest.relations import settle_relations
from callboard_catalog.reading import stored_form
from callboard_catalog.store.bulk import chunks, delete_where, grow_generation, lock_catalog
from callboard_catalog.store.entities import EntityRows, candidate_of

_: Final = Translator("callboard")

ENTITY: Final = models.entity
DELETION: Final = models.deletion
LONGEST_REASON: Final = 500
LONGEST_ACTOR: Final = 300
FORGOTTEN_AT_ONCE: Final = 500


class Deletions:
    """Deletes entities, and gives, undoes and forgets deletions. Who may is asked before."""

    def __init__(
        self,
        database: Database,
        *,
        registry: KindRegistry,
        keep: timedelta,
        now: Callable[[], datetime],
    ) -> None:
        self.database = database
        self.registry = registry
        self.keep = keep
        self.now = now

    # Deleting

    def delete_entity(self, entity: EntityRef | str, *, reason: str = "") -> EntityRef | None:
        """Delete an entity by its reference or uid, and give its reference; None for no such one.

        Its document waits, like those of other sources for the same reference, until the
        deletion is undone.
        """
        reason = reason.replace("\0", "\ufffd").strip()[:LONGEST_REASON]
        with self.database.write() as connection:
            lock_catalog(connection)
            row = _find(connection, entity)
            if row is None:
                return None
            self._delete(connection, row, reason)
        return EntityRef.parse(row.ref)

    def _delete(self, connection: Connection, row: Any, reason: str) -> None:
        now, actor = self.now(), _actor()
        claimed = _claimed(connection, row.ref)
        ended = conflict_facts(connection, "ended", claimed)
        history = _recorder(connection, row, now)
        history.removed(row.ref, row.uid, row.id, row.path, by=actor)
        history.flush()
        rows = EntityRows(connection, row.source_id, now)
        rows.delete(row.id)
        rows.flush()
        waiting = [(row.file_id, self._candidate(row), row.created_at)]
        insert_claims(connection, row.source_id, waiting)
        values = {
            "ref": row.ref, "uid": row.uid, "title": row.title, "source": row.source,
            "path": row.path, "created_at": row.created_at, "at": now, "actor": actor,
            "reason": reason,
        }  # fmt: skip
        connection.execute(insert(DELETION).values(values))
        named = settle_relations(connection, (), created=(), deleted=[row.ref], now=now)
        before = {"source": row.source, "path": row.path, "uid": row.uid}
        _audit(connection, "catalog.entity.delete", row.ref, before, {"reason": reason}, now)
        data = {"source": row.source, "by": actor}
        publish_many(
            connection, [Fact("catalog.entity.deleted", row.ref, data), *ended, *named], at=now
        )
        grow_generation(connection)

    def _candidate(self, row: Any) -> Candidate:
        """Give the document of an entity as its source gave it."""
        document = orjson.loads(row.document)
        document["metadata"].pop("uid", None)
        pairs = relations(document, self.registry).pairs
        return Candidate(row.ref, row.position, row.line, document, row.hash, pairs)

    # Undoing

    def restore(self, uid: str) -> Restored:
        """Undo a deletion; raises `NotFoundError` where there is none of this uid."""
        with self.database.write() as connection:
            lock_catalog(connection)
            row = connection.execute(select(DELETION).where(DELETION.c.uid == _plain(uid))).first()
            if row is None:
                raise NotFoundError(
                    _("There is no deletion of the entity %(uid)s.", uid=uid[:80]),
                    hint=_("It may have been undone, or forgotten as no source gives it."),
                )
            served = self._restore(connection, row)
        return Restored(EntityRef.parse(row.ref), served)

    def _restore(self, connection: Connection, row: Any) -> bool:
        now = self.now()
        connection.execute(delete(DELETION).where(DELETION.c.id == row.id))
        claim = first_waiting(connection, [row.ref]).get(row.ref)
        facts = [] if claim is None else self._serve(connection, row, claim, now)
        after = {"uid": row.uid, "served": claim is not None}
        before = {"by": row.actor, "reason": row.reason}
        _audit(connection, "catalog.entity.restore", row.ref, before, after, now)
        data = {"served": claim is not None}
        publish_many(connection, [*facts, Fact("catalog.entity.restored", row.ref, data)], at=now)
        grow_generation(connection)
        return claim is not None

    def _serve(self, connection: Connection, row: Any, claim: Any, now: datetime) -> list[Fact]:
        """Let the first document in line be the entity again."""
        place = _place(connection, claim.file_id)
        candidate = candidate_of(claim)
        rows = EntityRows(connection, claim.source_id, now)
        rows.insert(candidate, claim.file_id, uid=row.uid, created_at=row.created_at)
        history = _recorder(connection, place, now)
        history.created(row.ref, row.uid, place.path)
        history.flush()
        rows.flush()
        delete_where(connection, models.claim, models.claim.c.id, [claim.id])
        named = settle_relations(connection, rows.written, created=[row.ref], deleted=(), now=now)
        begun = conflict_facts(connection, "began", _claimed(connection, row.ref))
        created = Fact("catalog.entity.created", row.ref, {"source": place.source})
        return [created, *begun, *named]

    # Reading

    def ref_of(self, uid: str) -> EntityRef | None:
        """Give the reference of the entity with this uid that is there."""
        with self.database.read() as connection:
            found = connection.scalar(select(ENTITY.c.ref).where(ENTITY.c.uid == _plain(uid)))
        return EntityRef.parse(found) if found else None

    def get(self, ref: EntityRef) -> Deleted | None:
        """Give the deletion that keeps a reference away."""
        with self.database.read() as connection:
            statement = select(DELETION).where(DELETION.c.ref == stored_form(ref))
            found = self._read(connection, connection.execute(statement).all())
        return found[0] if found else None

    def by_uid(self, uid: str) -> Deleted | None:
        """Give one deletion by the uid its entity had."""
        with self.database.read() as connection:
            statement = select(DELETION).where(DELETION.c.uid == _plain(uid))
            found = self._read(connection, connection.execute(statement).all())
        return found[0] if found else None

    def page(self, *, before: int = 0, limit: int = 50) -> list[tuple[int, Deleted]]:
        """Give deletions with their numbers, the newest first; `before` is a number."""
        statement = select(DELETION).order_by(DELETION.c.id.desc()).limit(limit)
        if before:
            statement = statement.where(DELETION.c.id < before)
        with self.database.read() as connection:
            rows = connection.execute(statement).all()
            found = self._read(connection, rows)
        return [(row.id, item) for row, item in zip(rows, found, strict=True)]

    def _read(self, connection: Connection, rows: Sequence[Any]) -> list[Deleted]:
        given = _given_by(connection, [row.ref for row in rows])
        return [
            Deleted(
                ref=EntityRef.parse(row.ref),
                uid=row.uid,
                title=row.title,
                source=row.source,
                path=row.path,
                at=row.at,
                actor=row.actor,
                reason=row.reason,
                given_by=given.get(row.ref, ()),
                forgotten_at=row.at + self.keep,
            )
            for row in rows
        ]

    # Forgetting

    def forget(self) -> int:
        """Forget deletions older than `keep` of what no source gives any more; give how many."""
        total = 0
        while True:
            with self.database.write() as connection:
                lock_catalog(connection)
                gone = self._forgettable(connection)
                for row in gone:
                    before = {"by": row.actor, "uid": row.uid}
                    action = "catalog.deletion.forget"
                    _audit(connection, action, row.ref, before, None, self.now(), by=SYSTEM)
                delete_where(connection, DELETION, DELETION.c.id, [row.id for row in gone])
                facts = [Fact("catalog.deletion.forgotten", row.ref) for row in gone]
                publish_many(connection, facts, at=self.now())
            total += len(gone)
            if len(gone) < FORGOTTEN_AT_ONCE:
                return total

    def _forgettable(self, connection: Connection) -> Sequence[Any]:
        waiting = exists().where(models.claim.c.ref == DELETION.c.ref)
        old = select(DELETION).where(DELETION.c.at < self.now() - self.keep, ~waiting)
        return connection.execute(old.order_by(DELETION.c.id).limit(FORGOTTEN_AT_ONCE)).all()


def _find(connection: Connection, entity: EntityRef | str) -> Any:
    file, source = models.source_file, models.source
    is_it = (
        ENTITY.c.uid == _plain(entity)
        if isinstance(entity, str)
        else ENTITY.c.ref == stored_form(entity)
    )
    columns = (*ENTITY.c, file.c.path, source.c.name.label("source"), source.c.head)
    joined = ENTITY.join(file, file.c.id == ENTITY.c.file_id).join(
        source, source.c.id == ENTITY.c.source_id
    )
    return connection.execute(select(*columns).select_from(joined).where(is_it)).one_or_none()


def _place(connection: Connection, file_id: int) -> Any:
    source, file = models.source, models.source_file
    columns = (file.c.path, source.c.name.label("source"), source.c.head)
    return connection.execute(
        select(*columns).join_from(file, source).where(file.c.id == file_id)
    ).one()


def _recorder(connection: Connection, place: Any, now: datetime) -> Recorder:
    return Recorder(connection, source=place.source, head=place.head, commits={}, now=now)


def _claimed(connection: Connection, ref: str) -> list[tuple[int, str, int]]:
    claim = models.claim.c
    statement = select(claim.file_id, claim.ref, claim.line).where(claim.ref == ref)
    return [cast("tuple[int, str, int]", tuple(row)) for row in connection.execute(statement)]


def _given_by(connection: Connection, refs: Sequence[str]) -> dict[str, list[str]]:
    claim, source = models.claim, models.source
    found: defaultdict[str, list[str]] = defaultdict(list)
    for chunk in chunks(refs):
        statement = select(claim.c.ref, source.c.name).join_from(claim, source)
        named = statement.where(claim.c.ref.in_(chunk)).distinct().order_by(source.c.name)
        for row in connection.execute(named):
            found[row.ref].append(row.name)
    return found


def _actor() -> str:
    subject = asking()
    return str(subject.on_behalf_of or subject.principal if subject else SYSTEM)[:LONGEST_ACTOR]


def _audit(
    connection: Connection,
    action: str,
    ref: str,
    before: dict[str, Any],
    after: dict[str, Any] | None,
    at: datetime,
    *,
    by: Any = None,
) -> None:
    record(connection, action, ref, actor=by, before=before, after=after, at=at)


def _plain(text: str) -> str:
    return text.replace("\0", "\ufffd")
