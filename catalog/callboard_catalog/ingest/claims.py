"""Good documents whose reference another one holds, or a person deleted: they wait their turn."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, select

from callboard.events.log import Fact
from callboard_catalog import models
from callboard_catalog.descriptors import RelationPair, stable_json
from callboard_catalog.ingest.candidate import Candidate
from callboard_catalog.ingest.parse import ParsedFile
from callboard_catalog.store.bulk import delete_where, insert_rows, next_ids, rows_where

CLAIM: Final = models.claim
COLUMNS: Final = (
    "id", "ref", "source_id", "file_id", "position", "line", "document", "pairs", "hash",
    "since",
)  # fmt: skip


class _Known(NamedTuple):
    id: int
    file_id: int
    ref: str
    line: int
    since: datetime


def deleted_among(connection: Connection, refs: Iterable[str]) -> set[str]:
    """Give those of these references that stay deleted, whoever gives them."""
    column = models.deletion.c.ref
    return {row.ref for row in rows_where(connection, [column], column, set(refs))}


def first_waiting(
    connection: Connection, refs: Iterable[str], *, without: Collection[int] = ()
) -> dict[str, Any]:
    """Give, by reference, the row of `claim` that is first in line, of other files than these."""
    found: dict[str, Any] = {}
    for row in rows_where(connection, list(CLAIM.c), CLAIM.c.ref, set(refs)):
        if row.file_id in without:
            continue
        first = found.get(row.ref)
        if first is None or _turn(row) < _turn(first):
            found[row.ref] = row
    return found


def _turn(row: Any) -> tuple[Any, ...]:
    return (row.since, row.file_id, row.position, row.id)


def insert_claims(
    connection: Connection,
    source_id: int,
    claims: Sequence[tuple[int, Candidate, datetime]],
) -> None:
    """Let documents wait: the number of the file, the document, since when."""
    numbers = next_ids(connection, CLAIM, len(claims))
    rows = [
        (
            number,
            candidate.ref,
            source_id,
            file_id,
            candidate.position,
            candidate.line,
            stable_json(candidate.document),
            [_plain(pair) for pair in candidate.pairs],
            candidate.hash,
            since,
        )
        for number, (file_id, candidate, since) in zip(numbers, claims, strict=True)
    ]
    insert_rows(connection, CLAIM, COLUMNS, rows)


def _plain(pair: RelationPair) -> list[str]:
    return [str(pair.source), pair.type, pair.reverse_type, str(pair.target)]


def write_claims(
    connection: Connection,
    source_id: int,
    files: Mapping[int, ParsedFile],
    claims: Sequence[tuple[int, Candidate]],
    now: datetime,
) -> list[Fact]:
    """Make the claims of these files those given, and tell which conflicts began and ended.

    What a file gave before and a fault hides now keeps its place in line, as an entity is kept.
    """
    known = _known(connection, files)
    since = {(row.file_id, row.ref): row.since for row in known}
    asked = {(file_id, candidate.ref) for file_id, candidate in claims}
    kept = {
        (row.file_id, row.ref) for row in known if _is_kept(row, files[row.file_id]) and
        (row.file_id, row.ref) not in asked
    }  # fmt: skip
    gone = [row.id for row in known if (row.file_id, row.ref) not in kept]
    delete_where(connection, CLAIM, CLAIM.c.id, gone)
    dated = [
        (file_id, candidate, since.get((file_id, candidate.ref), now))
        for file_id, candidate in claims
    ]
    insert_claims(connection, source_id, dated)
    lines = {(row.file_id, row.ref): row.line for row in known}
    lines |= {(file_id, candidate.ref): candidate.line for file_id, candidate in reversed(claims)}
    begun, ended = asked - since.keys(), since.keys() - asked - kept
    return [
        *conflict_facts(connection, "began", [(*item, lines[item]) for item in sorted(begun)]),
        *conflict_facts(connection, "ended", [(*item, lines[item]) for item in sorted(ended)]),
    ]


def _known(connection: Connection, files: Mapping[int, ParsedFile]) -> list[_Known]:
    columns = [CLAIM.c[name] for name in _Known._fields]
    return [_Known(*row) for row in rows_where(connection, columns, CLAIM.c.file_id, list(files))]


def _is_kept(row: _Known, file: ParsedFile) -> bool:
    shown = {candidate.ref for candidate in file.candidates}
    return row.ref not in shown and file.keeps(row.ref)


def conflict_facts(
    connection: Connection, what: str, places: Sequence[tuple[int, str, int]]
) -> list[Fact]:
    """Give the events of conflicts by file number, reference and line, without deleted ones."""
    if not places:
        return []
    refs = {ref for _, ref, _ in places}
    deleted = deleted_among(connection, refs)
    file, source, entity = models.source_file, models.source, models.entity
    columns = (file.c.id, file.c.path, source.c.name)
    joined = select(*columns).join_from(file, source)
    files = {
        row.id: row
        for row in connection.execute(joined.where(file.c.id.in_({item[0] for item in places})))
    }
    holders = {
        row.ref: row.name
        for row in connection.execute(
            select(entity.c.ref, source.c.name)
            .join_from(entity, source)
            .where(entity.c.ref.in_(refs))
        )
    }
    return [
        Fact(
            f"catalog.conflict.{what}",
            ref,
            {
                "source": files[file_id].name,
                "path": files[file_id].path,
                "line": line,
                "heldBy": holders.get(ref, ""),
            },
        )
        for file_id, ref, line in places
        if ref not in deleted and file_id in files
    ]
