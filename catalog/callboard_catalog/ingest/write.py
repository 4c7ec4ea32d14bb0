"""Applies parsed files to the tables: one transaction a batch, only what differs."""

from collections import defaultdict
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
from callboard_catalog.descriptors import RelationPair, stable_json
from callboard_catalog.descriptors.locations import is_url
from callboard_catalog.history import Recorder
from callboard_catalog.ingest.candidate import Candidate
from callboard_catalog.ingest.parse import ParsedFile, Rejection
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
CLAIM_COLUMNS: Final = (
    "id", "ref", "source_id", "file_id", "position", "line", "document", "pairs", "hash",
    "since",
)  # fmt: skip
REJECTED_COLUMNS: Final = (
    "id", "source_id", "file_id", "position", "line", "severity", "code", "message", "ref",
    "owner", "since",
)  # fmt: skip


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
    `commit_of` tells which commit changed one of some files last, for the history.
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
    ) -> None:
        self.database = database
        self.source_id = source_id
        self.source_name = source_name
        self.is_gone = is_gone
        self.now = now
        self.version = version
        self.commit_of = commit_of

    def apply(self, files: Sequence[ParsedFile]) -> Changes:
        """Write a batch of files that are new or changed."""
        commits = self._commits(files)
        with self.database.write() as connection:
            lock_catalog(connection)
            return _Batch(self, connection, files, commits).apply()

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
        self.new_faults: list[tuple[int, Rejection]] = []

    def apply(self) -> Changes:
        file_ids = self._file_rows()
        held = self._held(file_ids.values())
        owners = self._owners()
        declared = self._declared(file_ids)
        for file in self.files:
            file_id = file_ids.get(file.path)
            if file_id is not None:
                self._file(file, file_id, owners, declared)
        self._leave(held, declared, file_ids)
        self._write_claims(file_ids)
        self._write_rejections(file_ids)
        self.history.flush()
        self.rows.flush()
        if self.removing:
            delete_where(
                self.connection,
                models.source_file,
                models.source_file.c.id,
                list(file_ids.values()),
            )
        self._tell()
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

    def _owners(self) -> dict[str, Present]:
        refs = {candidate.ref for file in self.files for candidate in file.candidates}
        columns = [ENTITY.c[name] for name in Present._fields]
        rows = rows_where(self.connection, columns, ENTITY.c.ref, refs)
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
            if candidate.ref in self.taken:
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
            if not file.keeps(present.ref):
                leaving.append((present, file.path))
        self._promote_or_delete(leaving, set(file_ids.values()))

    def _promote_or_delete(self, leaving: Sequence[tuple[Present, str]], batch: set[int]) -> None:
        if not leaving:
            return
        claim = models.claim
        columns = list(claim.c)
        waiting: dict[str, Any] = {}
        refs = [present.ref for present, _ in leaving]
        for row in rows_where(self.connection, columns, claim.c.ref, refs):
            if row.file_id in batch:
                continue
            first = waiting.get(row.ref)
            if first is None or (row.since, row.id) < (first.since, first.id):
                waiting[row.ref] = row
        for present, path in leaving:
            successor = waiting.get(present.ref)
            if successor is None:
                self.history.removed(present.ref, present.uid, present.id, path)
                self.rows.delete(present.id)
                self.changes.deleted.append(present.ref)
            else:
                self.history.taken_over(present.ref, present.uid, present.id, successor)
                self.rows.promote(present.id, present.uid, successor)
                self.changes.updated.append(present.ref)
        used = [row.id for row in waiting.values()]
        delete_where(self.connection, claim, claim.c.id, used)

    # What is not served

    def _write_claims(self, file_ids: dict[str, int]) -> None:
        table = models.claim
        ids = list(file_ids.values())
        columns = (table.c.file_id, table.c.ref, table.c.since)
        since = {
            (row[0], row[1]): row[2]
            for row in rows_where(self.connection, columns, table.c.file_id, ids)
        }
        delete_where(self.connection, table, table.c.file_id, ids)
        numbers = next_ids(self.connection, table, len(self.claims))
        rows = [
            (
                number,
                candidate.ref,
                self.writer.source_id,
                file_id,
                candidate.position,
                candidate.line,
                stable_json(candidate.document),
                [_plain(pair) for pair in candidate.pairs],
                candidate.hash,
                since.get((file_id, candidate.ref), self.now),
            )
            for number, (file_id, candidate) in zip(numbers, self.claims, strict=True)
        ]
        insert_rows(self.connection, table, CLAIM_COLUMNS, rows)

    def _write_rejections(self, file_ids: dict[str, int]) -> None:
        table = models.rejected
        ids = list(file_ids.values())
        columns = (table.c.file_id, table.c.position, table.c.ref, table.c.code, table.c.since)
        since = {
            (row[0], row[2] or row[1], row[3]): row[4]
            for row in rows_where(self.connection, columns, table.c.file_id, ids)
        }
        if since:
            delete_where(self.connection, table, table.c.file_id, ids)
        wanted: list[tuple[int, Rejection]] = [
            (file_ids[file.path], rejection)
            for file in self.files
            if file.path in file_ids
            for rejection in file.rejections
        ]
        numbers = next_ids(self.connection, table, len(wanted))
        rows = [
            (
                number,
                self.writer.source_id,
                file_id,
                item.position,
                item.line,
                item.severity,
                item.code,
                item.message,
                item.ref,
                item.owner,
                since.get(_identity(file_id, item), self.now),
            )
            for number, (file_id, item) in zip(numbers, wanted, strict=True)
        ]
        insert_rows(self.connection, table, REJECTED_COLUMNS, rows)
        self.changes.rejected = sum(item.severity == "error" for _, item in wanted)
        self.new_faults = [
            (file_id, item) for file_id, item in wanted if _identity(file_id, item) not in since
        ]

    # Telling

    def _tell(self) -> None:
        kinds = {
            "catalog.entity.created": self.changes.created,
            "catalog.entity.updated": self.changes.updated,
            "catalog.entity.deleted": self.changes.deleted,
        }
        data = {"source": self.writer.source_name}
        events = [Fact(kind, ref, data) for kind, refs in kinds.items() for ref in refs]
        by_document: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
        for file_id, item in self.new_faults:
            by_document[(file_id, item.position)].append(item.code)
        events += [
            Fact("catalog.document.rejected", self.writer.source_name, {"codes": codes})
            for codes in by_document.values()
        ]
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


def _identity(file_id: int, item: Rejection) -> tuple[int, str | int, str]:
    """Tell faults apart: those of a document that has a name move with it within its file."""
    return (file_id, item.ref or item.position, item.code)


def _plain(pair: RelationPair) -> list[str]:
    return [str(pair.source), pair.type, pair.reverse_type, str(pair.target)]
