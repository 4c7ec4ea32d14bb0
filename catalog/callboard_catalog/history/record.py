"""Writes the history of entities in the transaction that changes them."""

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, exists, select

from callboard_catalog import models
from callboard_catalog.history.differences import changed_paths
from callboard_catalog.sources.base import ChangeCommit
from callboard_catalog.store.bulk import insert_rows, next_ids, rows_where

VERSION: Final = models.entity_version
COLUMNS: Final = (
    "id", "ref", "uid", "at", "action", "source", "path", "head", "changed", "before",
    "created", "owner", "hash",
)  # fmt: skip
PRESENT: Final = ("id", "document", "created_at", "owner", "hash")
LEVEL: Final = 6
"""Of the compression: a descriptor takes about a third of its size and well under 1 ms."""


@dataclass(slots=True)
class _Change:
    ref: str
    uid: str
    action: str
    path: str
    entity_id: int = 0
    after: Mapping[str, Any] | None = None
    source: str = ""
    head: str = ""
    by: str = ""


class Recorder:
    """Collects what a batch does to entities and writes it with `flush`, before they change.

    `commits` maps a file's path to the commit that brought its newest change, where it is known.
    An entity that is new has no row: its own says when it came.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        source: str,
        head: str,
        commits: Mapping[str, ChangeCommit],
        now: datetime,
    ) -> None:
        self.connection = connection
        self.source = source
        self.head = head
        self.commits = commits
        self.now = now
        self._changes: list[_Change] = []
        self._created: dict[str, tuple[str, str]] = {}

    def created(self, ref: str, uid: str, path: str) -> None:
        """Note a new entity; one that was there before has returned."""
        self._created[ref] = (uid, path)

    def updated(self, ref: str, uid: str, entity_id: int, path: str, after: Any) -> None:
        """Note that an entity gets another document, `after`."""
        self._changes.append(_Change(ref, uid, "updated", path, entity_id, after))

    def taken_over(self, ref: str, uid: str, entity_id: int, claim: Any) -> None:
        """Note that a waiting claim, a row of `claim`, takes an entity's place."""
        source, path, head = self.connection.execute(
            select(models.source.c.name, models.source_file.c.path, models.source.c.head)
            .join_from(models.source_file, models.source)
            .where(models.source_file.c.id == claim.file_id)
        ).one()
        after = orjson.loads(claim.document)
        self._changes.append(_Change(ref, uid, "updated", path, entity_id, after, source, head))

    def removed(self, ref: str, uid: str, entity_id: int, path: str, *, by: str = "") -> None:
        """Note that an entity leaves the catalog, `by` whom where a person or program did it."""
        self._changes.append(_Change(ref, uid, "removed", path, entity_id, by=by))

    def flush(self) -> None:
        """Write the rows. The entities must still be as they were."""
        present = self._present()
        rows = [self._row(change, present.get(change.entity_id)) for change in self._changes]
        rows += [self._row(change, None) for change in self._returned()]
        # What differs in nothing a person wrote is no version of its own.
        rows = [row for row in rows if row[3] != "updated" or row[7]["paths"]]
        numbers = next_ids(self.connection, VERSION, len(rows))
        numbered = [(number, *row) for number, row in zip(numbers, rows, strict=True)]
        insert_rows(self.connection, VERSION, COLUMNS, numbered)

    def _present(self) -> dict[int, Any]:
        """Give the rows of what changes, as they still are."""
        ids = [change.entity_id for change in self._changes]
        columns = [models.entity.c[name] for name in PRESENT]
        found = rows_where(self.connection, columns, models.entity.c.id, ids)
        return {row.id: row for row in found}

    def _returned(self) -> Iterable[_Change]:
        # A first read has nothing to look for.
        if not self._created or not self.connection.scalar(select(exists(select(VERSION.c.id)))):
            return []
        known = rows_where(self.connection, [VERSION.c.ref], VERSION.c.ref, self._created)
        return [
            _Change(ref, self._created[ref][0], "returned", self._created[ref][1])
            for ref in sorted({row.ref for row in known})
        ]

    def _row(self, change: _Change, before: Any) -> Sequence[Any]:
        paths: list[str] = []
        if before is not None and change.after is not None:
            paths = changed_paths(orjson.loads(before.document), change.after)
        changed: dict[str, Any] = {"paths": paths}
        if change.by:
            changed["by"] = change.by
        commit = None if change.source else self.commits.get(change.path)
        if commit is not None:
            changed["commit"] = commit.to_data()
        return (
            change.ref,
            change.uid,
            self.now,
            change.action,
            change.source or self.source,
            change.path,
            change.head or self.head,
            changed,
            None if before is None else zlib.compress(before.document, LEVEL),
            None if before is None else before.created_at,
            "" if before is None else before.owner,
            "" if before is None else before.hash,
        )
