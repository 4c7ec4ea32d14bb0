"""Says what a push did with each document, from the tables as it left them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, select

from callboard_catalog import models
from callboard_catalog.ingest.claims import deleted_among
from callboard_catalog.ingest.parse import ParsedFile
from callboard_catalog.ingest.write import Changes
from callboard_catalog.pushing.documents import File, errors_of, path_of, ref_at
from callboard_catalog.pushing.model import EntityResult, Push, Result
from callboard_catalog.store.bulk import chunks, rows_where

ENTITY: Final = models.entity
FILE: Final = models.source_file
REJECTED: Final = models.rejected


class Outcome:
    """What came of one push. `gone` are the paths it takes out."""

    def __init__(
        self,
        push: Push,
        sent: Sequence[File],
        parsed: Mapping[str, ParsedFile],
        gone: Sequence[str],
        removed: Sequence[str],
    ) -> None:
        self.push = push
        self.sent = sent
        self.parsed = parsed
        self.gone = frozenset(gone)
        self.removed = removed
        self._given: set[str] = set()

    def before(self, connection: Connection, source_id: int | None) -> None:
        """Look which of the paths that go gave an entity, or one that waits, before they do."""
        file, claim = models.source_file, models.claim
        paths: dict[int, str] = {}
        for chunk in chunks(self.gone):
            statement = select(file.c.id, file.c.path).where(
                file.c.source_id == source_id, file.c.path.in_(chunk)
            )
            paths.update((row.id, row.path) for row in connection.execute(statement))
        given = {
            row[0]
            for column in (ENTITY.c.file_id, claim.c.file_id)
            for row in rows_where(connection, [column], column, paths)
        }
        self._given = {paths[number] for number in given}

    def results(
        self,
        connection: Connection,
        source_id: int,
        changes: Changes,
        parse: Callable[[File], ParsedFile],
    ) -> list[EntityResult]:
        """Give a result for each document, in order, and for each entity that was taken out.

        `parse` gives a document that was not parsed, as it has not changed, with its faults.
        """
        created, updated = set(changes.created), set(changes.updated)
        rejected = self._rejected(connection, source_id)
        refs = {ref for file in self.sent for ref in _refs(file, self.parsed)} | set(self.removed)
        holders = _holders(connection, refs)
        deleted = deleted_among(connection, refs)
        found = []
        for file in self.sent:
            if file.fault is None and file.path in rejected:
                parse(file)
            parsed = self.parsed.get(file.path) if file.fault is None else None
            if file.fault is not None or (parsed is not None and not parsed.candidates):
                found.append(_rejection(file, parsed))
                continue
            ref = parsed.candidates[0].ref if parsed is not None else file.ref
            name, place = holders.get(ref, ("", 0))
            result: Result
            if ref in created:
                result = "created"
            elif ref in deleted:
                result = "deleted"
            elif place != source_id:
                result = "conflict"
            else:
                result = "updated" if ref in updated else "unchanged"
            found.append(
                EntityResult(
                    ref=ref,
                    result=result,
                    index=file.document.index,
                    line=file.document.line,
                    warnings=errors_of(parsed.rejections, "warning") if parsed else (),
                    held_by=name if result == "conflict" else "",
                )
            )
        return [*found, *self._taken_out(holders)]

    def _rejected(self, connection: Connection, source_id: int) -> set[str]:
        """Give the paths of what has faults, also those that only warn."""
        statement = select(FILE.c.path).join_from(REJECTED, FILE)
        return set(connection.scalars(statement.where(REJECTED.c.source_id == source_id)))

    def _taken_out(self, holders: Mapping[str, tuple[str, int]]) -> Iterable[EntityResult]:
        if self.push.mode == "full":
            for path in sorted(self._given):
                if ref_at(path):
                    yield EntityResult(ref=ref_at(path), result="removed")
            return
        for ref in self.removed:
            if path_of(ref) in self.gone:
                yield EntityResult(ref=ref, result="removed")
            else:
                yield EntityResult(
                    ref=ref, result="unchanged", held_by=holders.get(ref, ("", 0))[0]
                )


def _rejection(file: File, parsed: ParsedFile | None) -> EntityResult:
    errors = [file.fault] if file.fault else errors_of(parsed.rejections if parsed else (), "error")
    return EntityResult(
        ref=file.ref,
        result="rejected",
        index=file.document.index,
        line=file.document.line,
        errors=errors,
    )


def _refs(file: File, parsed: Mapping[str, ParsedFile]) -> Iterable[str]:
    found = parsed.get(file.path)
    if found is not None:
        yield from (candidate.ref for candidate in found.candidates)
    elif file.ref:
        yield file.ref


def _holders(connection: Connection, refs: Iterable[str]) -> dict[str, tuple[str, int]]:
    """Give the sources that hold references: name and number."""
    columns = (ENTITY.c.ref, ENTITY.c.source_id)
    rows: list[Any] = list(rows_where(connection, columns, ENTITY.c.ref, set(refs)))
    ids = {row.source_id for row in rows}
    source = models.source.c
    names = {
        row.id: row.name for row in rows_where(connection, (source.id, source.name), source.id, ids)
    }
    return {row.ref: (names[row.source_id], row.source_id) for row in rows}
