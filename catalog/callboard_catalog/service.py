"""The catalog as the rest of the portal asks it."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final, Literal, TypeVar

from pyroaring import BitMap
from sqlalchemy import ColumnElement, Connection, and_, func, not_, or_, select, true

from callboard.access import ALL, EntityFilter
from callboard.database import Database
from callboard.entities import Entity, EntityRef
from callboard.i18n import Text
from callboard.identity import EntityFacts, Subject, asking, facts_of_reference
from callboard_catalog import models, query
from callboard_catalog.facets import FacetIndex, read_index
from callboard_catalog.history import Version, change_count, last_change, versions
from callboard_catalog.lists import Lists
from callboard_catalog.paging import page
from callboard_catalog.problems import (
    Problem,
    ProblemKind,
    ProblemRequest,
    ProblemSight,
    ProblemTally,
    count_problems,
    problems,
    tally_of,
)
from callboard_catalog.query import MOST_ROWS, Facet, FacetValue, ListRequest, ListResult
from callboard_catalog.reading import (
    Referrer,
    Related,
    entities_of,
    referrers,
    related_to,
    stored_form,
)
from callboard_catalog.search import SearchHit, search
from callboard_catalog.sight import Sight, Sights
from callboard_catalog.store.bulk import chunks
from callboard_catalog.visibility import facts_of, facts_of_removed

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
    """Reads the catalog's tables. Implements `callboard.entities.Catalog`.

    Each read answers as if there were only what the one who asks may see (`callboard.identity.
    asking`); where nobody asks, the portal itself reads, and sees everything. `readable` gives
    which entities a subject may see, `reads_sources` whether it may see sources and what is wrong
    with documents that are no entity.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.readable: Callable[[Subject], EntityFilter] = lambda subject: ALL
        self.reads_sources: Callable[[Subject], bool] = lambda subject: True
        self._sights = Sights()
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

    # Who asks

    def sight(self) -> Sight | None:
        """Give what the one who asks may see; None where that is everything.

        For reading the tables themselves: give what is kept of it a key that has `filter` in it.
        """
        with self.database.read() as connection:
            return self._sight(connection)

    def _sight(self, connection: Connection) -> Sight | None:
        subject = asking()
        if subject is None:
            return None
        chosen = self.readable(subject)
        if chosen.everything:
            return None
        generation = self._generation(connection)
        index = self._index(connection, generation)
        exact = index.generation == generation
        return self._sights.of(connection, index, chosen, exact=exact)

    def _reads_sources(self) -> bool:
        subject = asking()
        return subject is None or self.reads_sources(subject)

    def visible(self, refs: Iterable[EntityRef]) -> set[EntityRef]:
        wanted = set(refs)
        with self.database.read() as connection:
            sight = self._sight(connection)
            return wanted if sight is None else _visible(connection, sight, wanted)

    def seen(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        with self.database.read() as connection:
            sight = self._sight(connection)
            return true() if sight is None else sight.of_ref(connection, column)

    # The contract

    def get(self, ref: EntityRef) -> Entity | None:
        return self.get_many([ref]).get(ref)

    def get_many(self, refs: Iterable[EntityRef]) -> Mapping[EntityRef, Entity]:
        wanted = {stored_form(ref) for ref in refs}
        found: dict[EntityRef, Entity] = {}
        with self.database.read() as connection:
            sight = self._sight(connection)
            for chunk in chunks(wanted):
                rows = connection.execute(select(*query.COLUMNS).where(ENTITY.c.ref.in_(chunk)))
                entities = entities_of(connection, rows, sight=sight)
                found.update((item.ref, item) for item in entities)
        return found

    def titles(self, refs: Iterable[EntityRef]) -> Mapping[EntityRef, str]:
        wanted = {stored_form(ref): ref for ref in refs}
        found: dict[EntityRef, str] = {}
        columns = (ENTITY.c.id, ENTITY.c.ref, ENTITY.c.title)
        with self.database.read() as connection:
            sight = self._sight(connection)
            for chunk in chunks(wanted):
                statement = select(*columns).where(ENTITY.c.ref.in_(chunk))
                found.update(
                    (wanted[row.ref], row.title)
                    for row in connection.execute(statement)
                    if sight is None or row.id in sight.rows
                )
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
            sight = self._sight(connection)
            if sight is not None:
                statement = statement.where(sight.condition(connection))
            return entities_of(connection, connection.execute(statement), sight=sight)

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
            sight = self._sight(connection)
            index = self._index(connection, generation) if sight is None else sight.index
            chosen = sight and sight.filter
            yield Lists(
                connection,
                index,
                lambda key, make: self._cache.get(generation, (chosen, key), make),
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
            sight = self._sight(connection)
            if sight is not None:
                request = ListRequest(sort="updated", descending=True, limit=min(limit, MOST_ROWS))
                listed = sight.rows - sight.index.values["kind"].get("location", BitMap())
                ids = page(connection, sight.index, request, listed).ids
                ordered = ordered.where(ENTITY.c.id.in_(ids))
            rows = list(connection.execute(ordered.limit(limit)))
            entities = entities_of(connection, rows, sight=sight)
        return [(item, row.updated_at) for item, row in zip(entities, rows, strict=True)]

    def search(
        self, text: str, *, kinds: Sequence[str] = (), limit: int = 20
    ) -> Sequence[SearchHit]:
        """Find entities and what plugins add; see `callboard_catalog.search.search`."""
        with self.database.read() as connection:
            sight = self._sight(connection)
            return search(connection, text, kinds=kinds, limit=limit, sight=sight)

    # One entity

    def related(self, ref: EntityRef, *, limit: int = 1000) -> Sequence[Related]:
        """Give the other ends of an entity's relations, with their titles."""
        with self.database.read() as connection:
            return related_to(connection, [ref], limit, self._sight(connection))

    def related_to_any(self, refs: Sequence[EntityRef], *, limit: int = 1000) -> Sequence[Related]:
        """Give the other ends of the relations of several entities, of the first hundred."""
        with self.database.read() as connection:
            return related_to(connection, refs[:100], limit, self._sight(connection))

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
            ENTITY.c.id,
        ).select_from(joined)
        with self.database.read() as connection:
            sight = self._sight(connection)
            row = connection.execute(
                statement.where(ENTITY.c.ref == stored_form(ref))
            ).one_or_none()
        if row is None or (sight is not None and row.id not in sight.rows):
            return None
        return Provenance(*row[:-1])

    def history(
        self, ref: EntityRef, *, limit: int = 20, upto: int | None = None
    ) -> Sequence[Version]:
        """Give the changes of an entity, also of one that is gone, newest first.

        `upto` is the number of the first one wanted; without it, it is the newest.
        """
        with self.database.read() as connection:
            if not self._sees(connection, ref):
                return []
            return versions(connection, ref, limit=limit, upto=upto)

    def last_change(self, ref: EntityRef) -> Version | None:
        """Give the newest change of an entity, without its documents."""
        with self.database.read() as connection:
            return last_change(connection, ref) if self._sees(connection, ref) else None

    def change_count(self, ref: EntityRef) -> int:
        """Count the changes of an entity that are kept."""
        with self.database.read() as connection:
            return change_count(connection, ref) if self._sees(connection, ref) else 0

    def _sees(self, connection: Connection, ref: EntityRef) -> bool:
        sight = self._sight(connection)
        return sight is None or ref in _visible(connection, sight, {ref})

    def referrers(self, ref: EntityRef, *, limit: int = 100) -> Sequence[Referrer]:
        """Give the entities that name one, which need not be in the catalog."""
        with self.database.read() as connection:
            return referrers(connection, ref, limit=limit, sight=self._sight(connection))

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
            sight, key = self._problem_sight(connection)
            return self._cached(
                connection,
                (*key, "problems", request),
                lambda: problems(connection, request, sight),
            )

    def problem_counts(self) -> Mapping[ProblemKind, int]:
        """Count the problems of each kind."""
        return self.problem_tally().kinds

    def problem_tally(self) -> ProblemTally:
        """Count the problems of each kind, and of each owner by entity."""
        with self.database.read() as connection:
            sight, key = self._problem_sight(connection)

            def add_up() -> ProblemTally:
                counted = self._cached(
                    connection, "counted problems", lambda: count_problems(connection)
                )
                return tally_of(counted, sight)

            return self._cached(connection, (*key, "problem tally"), add_up)

    def _problem_sight(self, connection: Connection) -> tuple[ProblemSight, tuple[Any, ...]]:
        """Give whose problems are seen, and what tells this from what others see."""
        sight, of_none = self._sight(connection), self._reads_sources()
        return ProblemSight(sight, of_none), (sight and sight.filter, of_none)

    def sources(self) -> Sequence[SourceState]:
        """Give all sources that are configured or contributed, by name.

        Who may not see sources is given those of what they see.
        """
        with self.database.read() as connection:
            sight, key = self._problem_sight(connection)
            counts = self._cached(
                connection, (*key, "source counts"), lambda: _source_counts(connection, sight)
            )
            statement = select(models.source).where(models.source.c.active)
            rows = connection.execute(statement.order_by(models.source.c.name))
            return [
                _source_state(row, counts)
                for row in rows
                if sight.of_none or ("entity", row.id) in counts
            ]

    def blob(self, source: str, path: str) -> str:
        """Give the name of a file's content as it was last read; empty for a file that was not.

        A file that also tells of what the one who asks may not see is as one that was not read.
        """
        file = models.source_file
        statement = select(file.c.id, file.c.blob).join_from(file, models.source)
        named = statement.where(
            models.source.c.name == source.replace("\0", ""), file.c.path == path.replace("\0", "")
        )
        with self.database.read() as connection:
            row = connection.execute(named).one_or_none()
            sight = self._sight(connection)
            if row is None or (sight is not None and _hides(connection, sight, row.id)):
                return ""
            if not self._reads_sources() and not _has_entities(connection, row.id):
                return ""
            found: str = row.blob
        return found

    def source(self, name: str) -> SourceState | None:
        """Give one source by its name."""
        return next((item for item in self.sources() if item.name == name), None)

    def cached(self, key: Any, make: Callable[[Connection], T]) -> T:
        """Give what `make` reads from the tables, the same answer until the catalog changes.

        `key` must be unlike those of others: a tuple that begins with the reader's own name. The
        answer is kept for those who see the same: `make` narrows what it reads by `sight`.
        """
        with self.database.read() as connection:
            sight = self._sight(connection)
            chosen = sight and sight.filter
            return self._cached(connection, (chosen, key), lambda: make(connection))

    def cached_for_all(self, key: Any, make: Callable[[Connection], T]) -> T:
        """Give the same whoever asks: the caller narrows it before it is shown."""
        with self.database.read() as connection:
            return self._cached(connection, ("all", key), lambda: make(connection))

    def _cached(self, connection: Connection, key: Any, make: Callable[[], T]) -> T:
        return self._cache.get(self._generation(connection), key, make)


def _visible(connection: Connection, sight: Sight, refs: set[EntityRef]) -> set[EntityRef]:
    """Give those of these that are seen; what has left the catalog by what it was last."""
    wanted = {stored_form(ref): ref for ref in refs}
    there: dict[EntityRef, int] = {}
    for chunk in chunks(wanted):
        statement = select(ENTITY.c.ref, ENTITY.c.id).where(ENTITY.c.ref.in_(chunk))
        there.update((wanted[row.ref], row.id) for row in connection.execute(statement))
    removed = facts_of_removed(connection, refs - there.keys())
    return {
        *(ref for ref, number in there.items() if number in sight.rows),
        *(ref for ref, facts in removed.items() if sight.filter.fits(facts)),
    }


def _hides(connection: Connection, sight: Sight, file: int) -> bool:
    """Say whether a file tells of an entity that is not seen, as the one served or a claim."""
    claimed = select(models.claim.c.ref).where(models.claim.c.file_id == file)
    told = or_(ENTITY.c.file_id == file, ENTITY.c.ref.in_(claimed))
    ids = BitMap(connection.scalars(select(ENTITY.c.id).where(told)))
    return not ids <= sight.rows


def _has_entities(connection: Connection, file: int) -> bool:
    statement = select(ENTITY.c.id).where(ENTITY.c.file_id == file).limit(1)
    return connection.scalar(statement) is not None


def _source_counts(connection: Connection, sight: ProblemSight) -> dict[tuple[str, int], int]:
    counts = {}
    rejected, entity, file = models.rejected.c, models.entity, models.source_file
    faulty = select(rejected.source_id, rejected.file_id, rejected.position).where(
        rejected.severity == "error"
    )
    statements = {"entity": select(entity.c.source_id), "source_file": select(file.c.source_id)}
    if sight.entities is not None:
        del statements["entity"]
        sources = select(models.source.c.name, models.source.c.id)
        by_name = sight.entities.index.values["source"]
        for name, number in connection.execute(sources):
            if name in by_name:
                counts[("entity", number)] = len(by_name[name])
    if sight.entities is not None or not sight.of_none:
        there = entity.c.id.is_not(None)
        seen = there if sight.entities is None else sight.entities.condition(connection)
        mine = and_(there, seen)
        faulty = faulty.join(entity, entity.c.ref == rejected.ref, isouter=True)
        faulty = faulty.where(or_(mine, not_(there)) if sight.of_none else mine)
    if not sight.of_none:
        del statements["source_file"]
    statements["rejected"] = select(faulty.distinct().subquery("rejected").c.source_id)
    for name, statement in statements.items():
        grouped = statement.subquery()
        counted = select(grouped.c.source_id, func.count()).group_by(grouped.c.source_id)
        for source_id, number in connection.execute(counted):
            counts[(name, source_id)] = number
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
