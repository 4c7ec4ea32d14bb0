"""The rows an entity is made of: its own, its relations, its fields and its words."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, bindparam, func, select, update

from callboard.entities import EntityRef
from callboard_catalog import models
from callboard_catalog.descriptors import RelationPair, stable_json
from callboard_catalog.ingest.candidate import Candidate
from callboard_catalog.search.entities import text_row, title_of
from callboard_catalog.search.index import ENTITY_TEXT
from callboard_catalog.store.bulk import delete_where, insert_rows
from callboard_catalog.store.fields import LONGEST, write_fields
from callboard_catalog.store.finished import Row, unfinish

ENTITY: Final = models.entity
COLUMNS: Final = (
    "id", "ref", "uid", "kind", "name", "title", "type", "lifecycle", "owner", "system", "domain",
    "document", "hash", "source_id", "file_id", "position", "line", "created_at", "updated_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stored:
    """The values of an entity's own row, without its place."""

    values: tuple[str, ...]
    document: bytes
    uid: str

    @classmethod
    def of(cls, candidate: Candidate, uid: str = "") -> "Stored":
        """Work out the columns of a candidate; a new one gets a new uid."""
        document = candidate.document
        metadata, spec = document["metadata"], document.get("spec") or {}
        uid = uid or str(uuid.uuid4())
        related = _first_targets(candidate.pairs)
        kind, _, rest = candidate.ref.partition(":")
        finished = stable_json({**document, "metadata": {**metadata, "uid": uid}})
        values = (
            kind,
            rest.partition("/")[2],
            title_of(metadata, spec),
            _word(spec.get("type")),
            _word(spec.get("lifecycle")),
            related.get("ownedBy", ""),
            related.get("partOf:system", ""),
            related.get("partOf:domain", ""),
        )
        return cls(values, finished, uid)


def _first_targets(pairs: list[RelationPair] | Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs:
        key = f"partOf:{pair.target.kind}" if pair.type == "partOf" else pair.type
        if key not in found:
            found[key] = str(pair.target)
    return found


def _word(value: Any) -> str:
    # Bounded, since an index of PostgreSQL takes at most about 2,700 bytes.
    return value[:LONGEST] if isinstance(value, str) else ""


class EntityRows:
    """Collects what a batch changes and writes it at once with `flush`."""

    def __init__(self, connection: Connection, source_id: int, now: datetime) -> None:
        self.connection = connection
        self.source_id = source_id
        self.now = now
        self._next_id = (connection.scalar(select(func.max(ENTITY.c.id))) or 0) + 1
        self._inserted: list[tuple[Any, ...]] = []
        self._updated: list[dict[str, Any]] = []
        self._moved: list[dict[str, Any]] = []
        self._deleted: list[int] = []
        self._parts: list[tuple[int, Candidate]] = []
        self._stale: list[int] = []

    @property
    def written(self) -> Sequence[tuple[int, Candidate]]:
        """The entities that are new or changed, by number."""
        return self._parts

    def insert(
        self,
        candidate: Candidate,
        file_id: int,
        *,
        uid: str = "",
        created_at: datetime | None = None,
    ) -> str:
        """Add an entity and give its uid: a new one, unless it is that of one that returns."""
        entity_id, self._next_id = self._next_id, self._next_id + 1
        stored = Stored.of(candidate, uid)
        self._inserted.append(
            (
                entity_id,
                candidate.ref,
                stored.uid,
                *stored.values,
                stored.document,
                candidate.hash,
                self.source_id,
                file_id,
                candidate.position,
                candidate.line,
                created_at or self.now,
                self.now,
            )
        )
        self._parts.append((entity_id, candidate))
        return stored.uid

    def update(self, entity_id: int, uid: str, candidate: Candidate, file_id: int) -> None:
        """Change an entity, which keeps its id and uid."""
        self._change(entity_id, uid, candidate, self.source_id, file_id)

    def promote(self, entity_id: int, uid: str, claim: Any) -> None:
        """Let a waiting claim, a row of `claim`, take an entity's place."""
        self._change(entity_id, uid, candidate_of(claim), claim.source_id, claim.file_id)

    def _change(
        self, entity_id: int, uid: str, candidate: Candidate, source_id: int, file_id: int
    ) -> None:
        stored = Stored.of(candidate, uid)
        names = ("kind", "name", "title", "type", "lifecycle", "owner", "system", "domain")
        self._updated.append(
            {
                "row": entity_id,
                **dict(zip(names, stored.values, strict=True)),
                "document": stored.document,
                "hash": candidate.hash,
                "source_id": source_id,
                "file_id": file_id,
                "position": candidate.position,
                "line": candidate.line,
                "updated_at": self.now,
            }
        )
        self._stale.append(entity_id)
        self._parts.append((entity_id, candidate))

    def move(self, entity_id: int, candidate: Candidate, file_id: int) -> None:
        """Note that an entity stands elsewhere now, with the same content."""
        place = {"file_id": file_id, "position": candidate.position, "line": candidate.line}
        self._moved.append({"row": entity_id, **place})

    def delete(self, entity_id: int) -> None:
        """Remove an entity."""
        self._deleted.append(entity_id)

    def flush(self) -> None:
        """Write everything that was collected."""
        gone = self._stale + self._deleted
        relations = self._relations()
        unfinish(self.connection, gone, relations)
        if gone:
            for table, column in (
                (models.relation, models.relation.c.origin_id),
                (models.entity_field, models.entity_field.c.entity_id),
            ):
                delete_where(self.connection, table, column, gone)
            ENTITY_TEXT.delete(self.connection, gone)
            delete_where(self.connection, ENTITY, ENTITY.c.id, self._deleted)
        insert_rows(self.connection, ENTITY, COLUMNS, self._inserted)
        statement = update(ENTITY).where(ENTITY.c.id == bindparam("row"))
        for rows in (self._updated, self._moved):
            if rows:
                self.connection.execute(statement, rows)
        self._write_parts(relations)

    def _relations(self) -> Sequence[Row]:
        return [
            (entity_id, str(pair.source), pair.type, str(pair.target), pair.reverse_type)
            for entity_id, candidate in self._parts
            for pair in candidate.pairs
        ]

    def _write_parts(self, relations: Sequence[Row]) -> None:
        insert_rows(
            self.connection,
            models.relation,
            ("origin_id", "source_ref", "type", "target_ref", "reverse"),
            relations,
        )
        write_fields(
            self.connection,
            [(entity_id, candidate.document) for entity_id, candidate in self._parts],
        )
        ENTITY_TEXT.insert(
            self.connection,
            [text_row(entity_id, candidate.document) for entity_id, candidate in self._parts],
        )


def candidate_of(claim: Any) -> Candidate:
    """Give what a row of `claim` claims."""
    document = orjson.loads(claim.document)
    pairs = [
        RelationPair(EntityRef.parse(source), kind, reverse, EntityRef.parse(target))
        for source, kind, reverse, target in claim.pairs
    ]
    return Candidate(claim.ref, claim.position, claim.line, document, claim.hash, pairs)
