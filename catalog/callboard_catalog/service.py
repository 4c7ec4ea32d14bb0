"""The catalog as the rest of the portal asks it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeVar

from sqlalchemy import Connection, func, select

from callboard.access import ALL, EntityFilter
from callboard.database import Database
from callboard.entities import Entity, EntityRef
from callboard.i18n import Text
from callboard.identity import EntityFacts, Subject, facts_of_reference
from callboard_catalog import models, query
from callboard_catalog.facets import FacetIndex, read_index
from callboard_catalog.history import Version, change_count, last_change, versions
from callboard_catalog.lists import Lists
from callboard_catalog.problems import (
    Problem,
    ProblemKind,
    ProblemRequest,
    ProblemTally,
    problem_tally,
    problems,
)
from callboard_catalog.query import Facet, FacetValue, ListRequest, ListResult
from callboard_catalog.reading import (
    Referrer,
    Related,
    entities_of,
    referrers,
    related_to,
    stored_form,
)
from callboard_catalog.search import SearchHit, search
from callboard_catalog.store.bulk import chunks
from callboard_catalog.visibility import facts_of

T = TypeVar("T")
ENTITY: Final = models.entity
CACHED: Final = 512


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where an entity was read. `line` counts from 1, `position` is the document's, from 0."""

    source: str
    path: str
    line: int
    position: int
    version: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class SourceState:
    """A source and how it fares. `every` is the time between two looks at it."""

    name: str
    type: str
    title: Text
    address: str
    state: Literal["ok", "failing", "new"]
    head: str
    last_read_at: datetime | None
    last_success_at: datetime | None
    failing_since: datetime | None
    error: Text
    hint: Text
    entities: int
    rejected: int
    files: int
    every: timedelta


@dataclass(slots=True)
class _Cache:
    """Answers that hold until the catalog changes."""

    generation: int = -1
    answers: OrderedDict[Any, Any] = field(default_factory=OrderedDict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, generation: int, key: Any, make: Callable[[], T]) -> T:
        with self.lock:
            if generation != self.generation:
                self.answers.clear()
                self.generation = generation
            if key in self.answers:
                self.answers.move_to_end(key)
                answer: T = self.answers[key]
                return answer
        answer = make()
        with self.lock:
            if generation == self.generation:
                self.answers[key] = answer
                while len(self.answers) > CACHED:
                    self.answers.popitem(last=False)
        return answer


class CatalogService:
    """Reads the catalog's tables. Implements `callboard.entities.Catalog`."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.readable: Callable[[Subject], EntityFilter] = lambda subject: ALL
        self._cache = _Cache()
        self._facet_index: FacetIndex | None = None
        self._index_lock = threading.Lock()

    def facts(self, refs: Iterable[EntityRef]) -> Mapping[EntityRef, EntityFacts]:
        """Give what decisions look at in the entities that exist among these, seen or hidden."""
        with self.database.read() as connection:
            return facts_of(connection, refs)

    def facts_of(self, ref: EntityRef) -> EntityFacts:
        """Give what decisions look at in one entity; its reference alone where there is none."""
        return self.facts([ref]).get(ref) or facts_of_reference(ref)

    def snapshot(self) -> AbstractContextManager[None]:
        """Answer what is asked within the block, in this thread, from one state of the catalog.

        It is one connection for all of it: ask plugins, which need their own, outside.
        """
        return self.database.hold()

    # The contract

    def get(self, ref: EntityRef) -> Entity | None:
        return self.get_many([ref]).get(ref)

    def get_many(self, refs: Iterable[EntityRef]) -> Mapping[EntityRef, Entity]:
        wanted = {stored_form(ref) for ref in refs}
        found: dict[EntityRef, Entity] = {}
        with self.database.read() as connection:
            for chunk in chunks(wanted):
                rows = connection.execute(select(*query.COLUMNS).where(ENTITY.c.ref.in_(chunk)))
                found.update((item.ref, item) for item in entities_of(connection, rows))
        return found

    def titles(self, refs: Iterable[EntityRef]) -> Mapping[EntityRef, str]:
        wanted = {stored_form(ref): ref for ref in refs}
        found: dict[EntityRef, str] = {}
        with self.database.read() as connection:
            for chunk in chunks(wanted):
                statement = select(ENTITY.c.ref, ENTITY.c.title).where(ENTITY.c.ref.in_(chunk))
                found.update((wanted[row.ref], row.title) for row in connection.execute(statement))
        return found

    def find(
        self,
        *,
        kind: str = "",
        annotation: str = "",
        after: EntityRef | None = None,
        limit: int = 500,
    ) -> Sequence[Entity]:
        statement = select(*query.COLUMNS).order_by(ENTITY.c.ref).limit(min(limit, 1000))
        if kind:
            statement = statement.where(ENTITY.c.kind == kind.lower())
        if after:
            statement = statement.where(ENTITY.c.ref > stored_form(after))
        if annotation:
            table, key = models.entity_field, models.field_key
            named = select(key.c.id).where(
                key.c.name == f"metadata.annotations.{annotation}".lower()
            )
            having = select(table.c.entity_id).where(table.c.key_id == named.scalar_subquery())
            statement = statement.where(ENTITY.c.id.in_(having))
        with self.database.read() as connection:
            return entities_of(connection, connection.execute(statement))

    # Lists

    def generation(self) -> int:
        """Give a number that grows with every change of the catalog."""
        with self.database.read() as connection:
            return self._generation(connection)

    def _generation(self, connection: Connection) -> int:
        statement = select(models.state.c.generation)
        return self.database.once(
            connection, "catalog generation", lambda: connection.scalar(statement) or 0
        )

    def list(self, request: ListRequest) -> ListResult:
        """Give one page of entities."""
        with self._lists() as lists:
            return lists.page(request)

    def facets(
        self, request: ListRequest, *, most: int = 8, more: str = "", find: str = ""
    ) -> Mapping[str, Facet]:
        """Count the values of every facet, each under all of the request's filters but its own.

        `more` is a facet of which up to 200 values are given, those with `find` in their label.
        """
        with self._lists() as lists:
            return lists.facets(request, most=most, more=more, find=find)

    def values(self, request: ListRequest, facet: str, *, find: str = "") -> Sequence[FacetValue]:
        """Give all values of a facet under the request's other filters, as they read.

        `find` narrows to those whose label has this text in it; having no value is left out.
        """
        with self._lists() as lists:
            return lists.values(request, facet, find)

    def total(self, request: ListRequest) -> int:
        """Count what a request finds."""
        with self._lists() as lists:
            return len(lists.matching(request))

    def source_counts(self, request: ListRequest) -> Mapping[str, int]:
        """Give the sources of what a request finds, with how much of it each has."""
        with self._lists() as lists:
            return lists.source_counts(request)

    def walk(self, request: ListRequest, *, step: int = 500) -> Iterator[ListResult]:
        """Give all that a request finds, page by page, each read for itself."""
        request = replace(request, limit=step, cursor="")
        while True:
            result = self.list(request)
            if result.entities:
                yield result
            if not result.next_cursor:
                return
            request = replace(request, cursor=result.next_cursor)

    def counts(self) -> dict[str, int]:
        """Count the entities of each kind."""
        with self._lists() as lists:
            return {kind: len(rows) for kind, rows in lists.index.values["kind"].items()}

    def facet_index(self) -> FacetIndex:
        """Give which entities have which value of a facet, as sets, for counting many at once."""
        with self._lists() as lists:
            return lists.index

    @contextmanager
    def _lists(self) -> Iterator[Lists]:
        with self.database.read() as connection:
            generation = self._generation(connection)
            yield Lists(
                connection,
                self._index(connection, generation),
                lambda key, make: self._cache.get(generation, key, make),
            )

    def _index(self, connection: Connection, generation: int) -> FacetIndex:
        """Give the index of facets, brought up to date by the first who asks for it."""
        known = self._facet_index
        if known is None or known.generation < generation:
            with self._index_lock:
                known = self._facet_index
                # One that is newer than this connection's state serves as well.
                if known is None or known.generation < generation:
                    known = self._facet_index = read_index(connection, generation, known)
        return known

    def recent(self, limit: int = 10) -> Sequence[tuple[Entity, datetime]]:
        """Give the entities that changed last, with the time."""
        statement = select(*query.COLUMNS, ENTITY.c.updated_at).where(ENTITY.c.kind != "location")
        ordered = statement.order_by(ENTITY.c.updated_at.desc(), ENTITY.c.id.desc())
        with self.database.read() as connection:
            rows = list(connection.execute(ordered.limit(limit)))
            entities = entities_of(connection, rows)
        return [(item, row.updated_at) for item, row in zip(entities, rows, strict=True)]

    def search(
        self, text: str, *, kinds: Sequence[str] = (), limit: int = 20
    ) -> Sequence[SearchHit]:
        """Find entities and what plugins add; see `callboard_catalog.search.search`."""
        with self.database.read() as connection:
            return search(connection, text, kinds=kinds, limit=limit)

    # One entity

    def related(self, ref: EntityRef, *, limit: int = 1000) -> Sequence[Related]:
        """Give the other ends of an entity's relations, with their titles."""
        with self.database.read() as connection:
            return related_to(connection, [ref], limit)

    def related_to_any(self, refs: Sequence[EntityRef], *, limit: int = 1000) -> Sequence[Related]:
        """Give the other ends of the relations of several entities, of the first hundred."""
        with self.database.read() as connection:
            return related_to(connection, refs[:100], limit)

    def provenance(self, ref: EntityRef) -> Provenance | None:
        """Say where an entity was read."""
        source, file = models.source, models.source_file
        joined = ENTITY.join(source, source.c.id == ENTITY.c.source_id).join(
            file, file.c.id == ENTITY.c.file_id
        )
        statement = select(
            source.c.name,
            file.c.path,
            ENTITY.c.line,
            ENTITY.c.position,
            source.c.head,
            ENTITY.c.created_at,
            ENTITY.c.updated_at,
        ).select_from(joined)
        with self.database.read() as connection:
            row = connection.execute(
                statement.where(ENTITY.c.ref == stored_form(ref))
            ).one_or_none()
        return Provenance(*row) if row else None

    def history(
        self, ref: EntityRef, *, limit: int = 20, upto: int | None = None
    ) -> Sequence[Version]:
        """Give the changes of an entity, also of one that is gone, newest first.

        `upto` is the number of the first one wanted; without it, it is the newest.
        """
        with self.database.read() as connection:
            return versions(connection, ref, limit=limit, upto=upto)

    def last_change(self, ref: EntityRef) -> Version | None:
        """Give the newest change of an entity, without its documents."""
        with self.database.read() as connection:
            return last_change(connection, ref)

    def change_count(self, ref: EntityRef) -> int:
        """Count the changes of an entity that are kept."""
        with self.database.read() as connection:
            return change_count(connection, ref)

    def referrers(self, ref: EntityRef, *, limit: int = 100) -> Sequence[Referrer]:
        """Give the entities that name one, which need not be in the catalog."""
        with self.database.read() as connection:
            return referrers(connection, ref, limit=limit)

    # Sources and problems

    def problems(
        self,
        ref: EntityRef | None = None,
        *,
        source: str = "",
        owner: EntityRef | None = None,
        kind: ProblemKind | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> Sequence[Problem]:
        """Give what is wrong with the input, narrowed by entity, source, owner or kind."""
        request = ProblemRequest(
            ref=ref, source=source, owner=owner, kind=kind, limit=limit, offset=offset
        )
        with self.database.read() as connection:
            return self._cached(
                connection, ("problems", request), lambda: problems(connection, request)
            )

    def problem_counts(self) -> Mapping[ProblemKind, int]:
        """Count the problems of each kind."""
        return self.problem_tally().kinds

    def problem_tally(self) -> ProblemTally:
        """Count the problems of each kind, and of each owner by entity."""
        with self.database.read() as connection:
            return self._cached(connection, "problem tally", lambda: problem_tally(connection))

    def sources(self) -> Sequence[SourceState]:
        """Give all sources that are configured or contributed, by name."""
        with self.database.read() as connection:
            counts = self._cached(connection, "source counts", lambda: _source_counts(connection))
            statement = select(models.source).where(models.source.c.active)
            rows = connection.execute(statement.order_by(models.source.c.name))
            return [_source_state(row, counts) for row in rows]

    def blob(self, source: str, path: str) -> str:
        """Give the name of a file's content as it was last read; empty for a file that was not."""
        file = models.source_file
        statement = select(file.c.blob).join_from(file, models.source)
        with self.database.read() as connection:
            found = connection.scalar(
                statement.where(
                    models.source.c.name == source.replace("\0", ""),
                    file.c.path == path.replace("\0", ""),
                )
            )
        return found or ""

    def source(self, name: str) -> SourceState | None:
        """Give one source by its name."""
        return next((item for item in self.sources() if item.name == name), None)

    def cached(self, key: Any, make: Callable[[Connection], T]) -> T:
        """Give what `make` reads from the tables, the same answer until the catalog changes.

        `key` must be unlike those of others: a tuple that begins with the reader's own name.
        """
        with self.database.read() as connection:
            return self._cached(connection, key, lambda: make(connection))

    def _cached(self, connection: Connection, key: Any, make: Callable[[], T]) -> T:
        return self._cache.get(self._generation(connection), key, make)


def _source_counts(connection: Connection) -> dict[tuple[str, int], int]:
    counts = {}
    rejected = models.rejected.c
    documents = (
        select(rejected.source_id, rejected.file_id, rejected.position)
        .where(rejected.severity == "error")
        .distinct()
        .subquery("rejected")
    )
    for table in (models.entity, models.source_file, documents):
        statement = select(table.c.source_id, func.count()).group_by(table.c.source_id)
        for source_id, number in connection.execute(statement):
            counts[(table.name, source_id)] = number
    return counts


def _source_state(row: Any, counts: Mapping[tuple[str, int], int]) -> SourceState:
    fresh = row.last_read_at is None
    return SourceState(
        name=row.name,
        type=row.type,
        title=row.title,
        address=row.address,
        state="new" if fresh else "failing" if row.error else "ok",
        head=row.head,
        last_read_at=row.last_read_at,
        last_success_at=row.last_success_at,
        failing_since=row.failing_since,
        error=row.error,
        hint=row.hint,
        entities=counts.get(("entity", row.id), 0),
        rejected=counts.get(("rejected", row.id), 0),
        files=counts.get(("source_file", row.id), 0),
        every=timedelta(seconds=row.every),
    )
