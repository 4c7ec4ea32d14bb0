"""Applies parsed files to the tables: one transaction a batch, only what differs."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, bindparam, select, update

from callboard.audit import record
from callboard.database import Database
from callboard.events.log import Fact, publish_many
from callboard.identity import SYSTEM
from callboard_catalog import models
from callboard_catalog.descriptors.locations import is_url
from callboard_catalog.history import Recorder
from callboard_catalog.ingest.candidate import Candidate
from callboard_catalog.ingest.claims import (
    conflict_facts,
    deleted_among,
    first_waiting,
    write_claims,
)
from callboard_catalog.ingest.parse import ParsedFile
from callboard_catalog.ingest.rejections import ERROR, write_rejections
from callboard_catalog.ingest.relations import settle_relations
from callboard_catalog.ingest.staleness import settle_stale
from callboard_catalog.sources.base import ChangeCommit
from callboard_catalog.store.bulk import (
    chunks,
    delete_where,
    grow_generation,
    insert_rows,
    lock_catalog,
    next_ids,
    rows_where,
)
from callboard_catalog.store.entities import EntityRows

ENTITY: Final = models.entity
FILE_VALUES: Final = ("path", "blob", "remote", "targets", "reads")


class Present(NamedTuple):
    """An entity that is served now."""

    id: int
    ref: str
    uid: str
    hash: str
    source_id: int
    file_id: int
    position: int
    line: int


@dataclass(slots=True)
class Changes:
    """What a batch did, by reference."""

    created: list[str] = field(default_factory=list)
    updated: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    rejected: int = 0

    def add(self, other: "Changes") -> None:
        self.created += other.created
        self.updated += other.updated
        self.deleted += other.deleted
        self.rejected += other.rejected


class Writer:
    """Writes the files of one source.

    `is_gone` tells whether a path of this source is no longer there, so that an entity that moved
    to another file is changed, not refused as a conflict. `version` is the source's, and
    `commit_of` tells which commit changed one of some files last, for the history. `first` says
    that the source is read for the first time: then no event tells of relations, as most of what
    they name is only about to come.
    """

    def __init__(
        self,
        database: Database,
        *,
        source_id: int,
        source_name: str,
        is_gone: Callable[[str], bool],
        now: Callable[[], datetime],
        version: str = "",
        commit_of: Callable[[Sequence[str]], ChangeCommit | None] = lambda paths: None,
        first: bool = False,
    ) -> None:
        self.database = database
        self.source_id = source_id
        self.source_name = source_name
        self.is_gone = is_gone
        self.now = now
        self.version = version
        self.commit_of = commit_of
        self.first = first

    def apply(self, files: Sequence[ParsedFile]) -> Changes:
        """Write a batch of files that are new or changed."""
        commits = self._commits(files)
        with self.database.write() as connection:
            lock_catalog(connection)
            return _Batch(self, connection, files, commits).apply()

    def apply_in(
        self, connection: Connection, files: Sequence[ParsedFile], gone: Sequence[str]
    ) -> Changes:
        """Write files and take others out, in a transaction that holds the catalog's lock.

        What moves from a file that goes to one that stays is changed: it does not leave.
        """
        total = Changes()
        for chunk in chunks(files):
            total.add(_Batch(self, connection, chunk, {}).apply())
        for paths in chunks(gone):
            removed = [ParsedFile(path, "") for path in paths]
            total.add(_Batch(self, connection, removed, {}, removing=True).apply())
        return total

    def remove(self, paths: Sequence[str]) -> Changes:
        """Take out files that are no longer part of the source, with what they gave."""
        total = Changes()
        for chunk in chunks(paths):
            gone = [ParsedFile(path, "") for path in chunk]
            commits = self._commits(gone)
            with self.database.write() as connection:
                lock_catalog(connection)
                total.add(_Batch(self, connection, gone, commits, removing=True).apply())
        return total

    def _commits(self, files: Sequence[ParsedFile]) -> dict[str, ChangeCommit]:
        """Ask which commits brought the files, before a transaction holds others up."""
        found: dict[str, ChangeCommit] = {}
        for file in files:
            own = [path for path in (file.path, *file.reads) if not is_url(path)]
            commit = self.commit_of(own) if own else None
            if commit is not None:
                found[file.path] = commit
        return found


class _Batch:
    def __init__(
        self,
        writer: Writer,
        connection: Connection,
        files: Sequence[ParsedFile],
        commits: Mapping[str, ChangeCommit],
        *,
        removing: bool = False,
    ) -> None:
        self.writer = writer
        self.connection = connection
        self.files = files
        self.removing = removing
        self.now = writer.now()
        self.changes = Changes()
        self.rows = EntityRows(connection, writer.source_id, self.now)
        self.history = Recorder(
            connection,
            source=writer.source_name,
            head=writer.version,
            commits=commits,
            now=self.now,
        )
        self.claims: list[tuple[int, Candidate]] = []
        self.taken: set[str] = set()
        self.deleted: set[str] = set()
        self.shown: dict[int, str] = {}
        self.kept: dict[int, str] = {}
        self.promoted: list[Any] = []

    def apply(self) -> Changes:
        file_ids = self._file_rows()
        held = self._held(file_ids.values())
        refs = {candidate.ref for file in self.files for candidate in file.candidates}
        owners = self._owners(refs)
        self.deleted = deleted_among(self.connection, refs)
        declared = self._declared(file_ids)
        for file in self.files:
            file_id = file_ids.get(file.path)
            if file_id is not None:
                self._file(file, file_id, owners, declared)
        self._leave(held, declared, file_ids)
        self.history.flush()
        self.rows.flush()
        facts = self._settle(
            {file_ids[file.path]: file for file in self.files if file.path in file_ids}
        )
        if self.removing:
            delete_where(
                self.connection,
                models.source_file,
                models.source_file.c.id,
                list(file_ids.values()),
            )
        self._tell(facts)
        return self.changes

    # Files

    def _file_rows(self) -> dict[str, int]:
        table = models.source_file
        known: dict[str, int] = {}
        for chunk in chunks([file.path for file in self.files]):
            rows = self.connection.execute(
                select(table.c.path, table.c.id).where(
                    table.c.source_id == self.writer.source_id, table.c.path.in_(chunk)
                )
            )
            known.update((row[0], row[1]) for row in rows)
        if self.removing:
            return known
        new = [file for file in self.files if file.path not in known]
        ids = next_ids(self.connection, table, len(new))
        rows_to_add = [
            (file_id, self.writer.source_id, *_file_values(file))
            for file_id, file in zip(ids, new, strict=True)
        ]
        columns = ("id", "source_id", *FILE_VALUES)
        insert_rows(self.connection, table, columns, rows_to_add)
        changed = [
            {"row": known[file.path], **dict(zip(FILE_VALUES, _file_values(file), strict=True))}
            for file in self.files
            if file.path in known
        ]
        if changed:
            statement = update(table).where(table.c.id == bindparam("row"))
            self.connection.execute(statement, changed)
        known.update(zip((file.path for file in new), ids, strict=True))
        return known

    # Entities

    def _held(self, file_ids: Iterable[int]) -> list[Present]:
        columns = [ENTITY.c[name] for name in Present._fields]
        rows = rows_where(self.connection, columns, ENTITY.c.file_id, list(file_ids))
        return [Present(*row) for row in rows]

    def _owners(self, refs: Iterable[str]) -> dict[str, Present]:
        columns = [ENTITY.c[name] for name in Present._fields]
        rows = rows_where(self.connection, columns, ENTITY.c.ref, list(refs))
        return {row.ref: Present(*row) for row in rows}

    def _declared(self, file_ids: dict[str, int]) -> dict[int, set[str]]:
        return {
            file_ids[file.path]: {candidate.ref for candidate in file.candidates}
            for file in self.files
            if file.path in file_ids
        }

    def _file(
        self,
        file: ParsedFile,
        file_id: int,
        owners: dict[str, Present],
        declared: dict[int, set[str]],
    ) -> None:
        for candidate in file.candidates:
            present = owners.get(candidate.ref)
            if candidate.ref in self.taken or candidate.ref in self.deleted:
                self.claims.append((file_id, candidate))
                continue
            if present is None:
                uid = self.rows.insert(candidate, file_id)
                self.history.created(candidate.ref, uid, file.path)
                self.changes.created.append(candidate.ref)
            elif self._may_take(present, file_id, declared):
                self._follow(present, candidate, file_id, file.path)
            else:
                self.claims.append((file_id, candidate))
                continue
            self.taken.add(candidate.ref)

    def _follow(self, present: Present, candidate: Candidate, file_id: int, path: str) -> None:
        self.shown[present.id] = present.ref
        place = (file_id, candidate.position, candidate.line)
        if present.hash != candidate.hash:
            self.history.updated(present.ref, present.uid, present.id, path, candidate.document)
            self.changes.updated.append(candidate.ref)
            self.rows.update(present.id, present.uid, candidate, file_id)
        elif (present.file_id, present.position, present.line) != place:
            self.rows.move(present.id, candidate, file_id)

    def _may_take(self, present: Present, file_id: int, declared: dict[int, set[str]]) -> bool:
        """Whether a candidate is the entity that is served, or follows it from another file."""
        if present.source_id != self.writer.source_id:
            return False
        if present.file_id == file_id:
            return True
        if present.file_id in declared:
            return present.ref not in declared[present.file_id]
        path = self.connection.scalar(
            select(models.source_file.c.path).where(models.source_file.c.id == present.file_id)
        )
        return path is None or self.writer.is_gone(path)

    def _leave(
        self,
        held: Sequence[Present],
        declared: dict[int, set[str]],
        file_ids: dict[str, int],
    ) -> None:
        by_id = {file_ids[file.path]: file for file in self.files if file.path in file_ids}
        leaving: list[tuple[Present, str]] = []
        for present in held:
            if present.ref in declared[present.file_id] or present.ref in self.taken:
                continue
            file = by_id[present.file_id]
            if file.keeps(present.ref):
                self.kept[present.id] = present.ref
            else:
                leaving.append((present, file.path))
        self._promote_or_delete(leaving, set(file_ids.values()))

    def _promote_or_delete(self, leaving: Sequence[tuple[Present, str]], batch: set[int]) -> None:
        if not leaving:
            return
        claim = models.claim
        refs = [present.ref for present, _ in leaving]
        waiting = first_waiting(self.connection, refs, without=batch)
        for present, path in leaving:
            successor = waiting.get(present.ref)
            if successor is None:
                self.history.removed(present.ref, present.uid, present.id, path)
                self.rows.delete(present.id)
                self.changes.deleted.append(present.ref)
            else:
                self.history.taken_over(present.ref, present.uid, present.id, successor)
                self.rows.promote(present.id, present.uid, successor)
                self.shown[present.id] = present.ref
                self.promoted.append(successor)
                self.changes.updated.append(present.ref)
        used = [row.id for row in waiting.values()]
        delete_where(self.connection, claim, claim.c.id, used)

    # What is not served

    def _settle(self, files: Mapping[int, ParsedFile]) -> list[Fact]:
        """Write what follows from the entities as they are now; give the events of it."""
        writer, connection = self.writer, self.connection
        ended = [(row.file_id, row.ref, row.line) for row in self.promoted]
        found = conflict_facts(connection, "ended", ended)
        found += write_claims(connection, writer.source_id, files, self.claims, self.now)
        found += write_rejections(connection, writer.source_id, writer.source_name, files, self.now)
        self.changes.rejected = sum(
            item.severity == ERROR for file in files.values() for item in file.rejections
        )
        relations = settle_relations(
            connection,
            self.rows.written,
            created=self.changes.created,
            deleted=self.changes.deleted,
            now=self.now,
            told=not writer.first,
        )
        found += settle_stale(connection, self.kept, self.shown, self.now)
        return found + relations

    # Telling

    def _tell(self, facts: Sequence[Fact]) -> None:
        kinds = {
            "catalog.entity.created": self.changes.created,
            "catalog.entity.updated": self.changes.updated,
            "catalog.entity.deleted": self.changes.deleted,
        }
        data = {"source": self.writer.source_name}
        events = [Fact(kind, ref, data) for kind, refs in kinds.items() for ref in refs]
        events += facts
        publish_many(self.connection, events, at=self.now)
        for ref in self.changes.deleted:
            record(
                self.connection,
                "catalog.entity.delete",
                ref,
                actor=SYSTEM,
                before={"source": self.writer.source_name},
                after=None,
                at=self.now,
            )
        grow_generation(self.connection)


def _file_values(file: ParsedFile) -> tuple[Any, ...]:
    targets = {"specs": file.locations, "digest": file.targets} if file.locations else None
    return (file.path, file.blob, file.remote, targets, file.reads or None)
