"""The catalog as the rest of the portal asks it."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, true

from callboard.access import ALL, EntityFilter
from callboard.database import Database
from callboard.entities import Entity, EntityRef
from callboard.identity import EntityFacts, Subject, asking, facts_of_reference
from callboard.kinds import EntityField
from callboard_catalog import lookup
from callboard_catalog.facets import FacetIndex
from callboard_catalog.history import Version, change_count, last_change, versions
from callboard_catalog.lookup import Provenance
from callboard_catalog.present import Present
from callboard_catalog.problems import (
    Place,
    Problem,
    ProblemKind,
    ProblemRequest,
    ProblemSight,
    ProblemTally,
    count_problems,
    problems,
    tally_of,
)
from callboard_catalog.query import Facet, FacetValue, ListRequest, ListResult
from callboard_catalog.reading import Referrer, Related, referrers, related_to
from callboard_catalog.search import SearchHit, search
from callboard_catalog.sight import PERMITTED, Sight
from callboard_catalog.source_states import SourceState, blob_of, source_counts, source_states
from callboard_catalog.visibility import facts_of

T = TypeVar("T")


class CatalogService:
    """Reads the catalog's tables. Implements `callboard.entities.Catalog`.

    Each read answers as if there were only what the one who asks may see (`callboard.identity.
    asking`); where nobody asks, the portal itself reads, and sees everything. `readable` gives
    which entities a subject may see, `permitted` for which it has another permission,
    `reads_sources` whether it may see sources and what is wrong with documents that are no entity.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.readable: Callable[[Subject], EntityFilter] = lambda subject: ALL
        self.permitted: Callable[[Subject, str], EntityFilter] = lambda subject, permission: ALL
        self.reads_sources: Callable[[Subject], bool] = lambda subject: True
        self.entity_fields: Sequence[EntityField] = ()
        self._present = Present(
            database,
            lambda subject: self.readable(subject),
            lambda subject, permission: self.permitted(subject, permission),
        )

    def facts(self, refs: Iterable[EntityRef]) -> Mapping[EntityRef, EntityFacts]:
        """Give what decisions look at in the entities that exist among these, seen or hidden."""
        with self.database.read() as connection:
            return facts_of(connection, refs)

    def facts_of(self, ref: EntityRef) -> EntityFacts:
        """Give what decisions look at in one entity; its reference alone where there is none."""
        with self.database.read() as connection:
            found = self.database.once(
                connection, ("facts", ref), lambda: facts_of(connection, [ref])
            )
        return found.get(ref) or facts_of_reference(ref)

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
            return self._present.sight(connection)

    def _reads_sources(self) -> bool:
        subject = asking()
        return subject is None or self.reads_sources(subject)

    def visible(self, refs: Iterable[EntityRef]) -> set[EntityRef]:
        wanted = set(refs)
        with self.database.read() as connection:
            sight = self._present.sight(connection)
            return wanted if sight is None else lookup.visible(connection, sight, wanted)

    def seen(self, column: ColumnElement[Any], permission: str = "") -> ColumnElement[bool]:
        with self.database.read() as connection:
            sight = self._present.sight(connection)
            told = true() if sight is None else sight.of_ref(connection, column)
            more = self._present.sight(connection, permission) if permission else None
            if more is None or (sight is not None and more.filter == sight.filter):
                return told
            return and_(told, more.of_ref(connection, column, PERMITTED))

    # The contract

    def get(self, ref: EntityRef) -> Entity | None:
        return self.get_many([ref]).get(ref)

    def get_many(self, refs: Iterable[EntityRef]) -> Mapping[EntityRef, Entity]:
        with self.database.read() as connection:
            return lookup.entities_named(connection, refs, self._present.sight(connection))

    def titles(self, refs: Iterable[EntityRef]) -> Mapping[EntityRef, str]:
        with self.database.read() as connection:
            return lookup.titles(connection, refs, self._present.sight(connection))

    def find(
        self,
        *,
        kind: str = "",
        annotation: str = "",
        after: EntityRef | None = None,
        limit: int = 500,
    ) -> Sequence[Entity]:
        with self.database.read() as connection:
            return lookup.find(
                connection,
                self._present.sight(connection),
                kind=kind,
                annotation=annotation,
                after=after,
                limit=limit,
            )

    # Lists

    def generation(self) -> int:
        """Give a number that grows with every change of the catalog."""
        with self.database.read() as connection:
            return self._present.generation(connection)

    def list(self, request: ListRequest) -> ListResult:
        """Give one page of entities."""
        with self._present.lists() as lists:
            return lists.page(request)

    def facets(
        self, request: ListRequest, *, most: int = 8, more: str = "", find: str = ""
    ) -> Mapping[str, Facet]:
        """Count the values of every facet, each under all of the request's filters but its own.

        `more` is a facet of which up to 200 values are given, those with `find` in their label.
        """
        with self._present.lists() as lists:
            return lists.facets(request, most=most, more=more, find=find)

    def values(self, request: ListRequest, facet: str, *, find: str = "") -> Sequence[FacetValue]:
        """Give all values of a facet under the request's other filters, as they read.

        `find` narrows to those whose label has this text in it; having no value is left out.
        """
        with self._present.lists() as lists:
            return lists.values(request, facet, find)

    def total(self, request: ListRequest) -> int:
        """Count what a request finds."""
        with self._present.lists() as lists:
            return len(lists.matching(request))

    def source_counts(self, request: ListRequest) -> Mapping[str, int]:
        """Give the sources of what a request finds, with how much of it each has."""
        with self._present.lists() as lists:
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
        with self._present.lists() as lists:
            return {kind: len(rows) for kind, rows in lists.index.values["kind"].items()}

    def facet_index(self) -> FacetIndex:
        """Give which entities have which value of a facet, as sets, for counting many at once."""
        with self._present.lists() as lists:
            return lists.index

    def recent(self, limit: int = 10) -> Sequence[tuple[Entity, datetime]]:
        """Give the entities that changed last, with the time."""
        with self.database.read() as connection:
            return lookup.recent(connection, self._present.sight(connection), limit)

    def search(
        self, text: str, *, kinds: Sequence[str] = (), limit: int = 20
    ) -> Sequence[SearchHit]:
        """Find entities and what plugins add; see `callboard_catalog.search.search`."""
        with self.database.read() as connection:
            sight = self._present.sight(connection)
            return search(connection, text, kinds=kinds, limit=limit, sight=sight)

    # One entity

    def related(self, ref: EntityRef, *, limit: int = 1000) -> Sequence[Related]:
        """Give the other ends of an entity's relations, with their titles."""
        with self.database.read() as connection:
            sight = self._present.sight(connection)
            # The cards of a page ask for the same.
            return self.database.once(
                connection,
                ("related", ref, limit, sight and sight.filter),
                lambda: related_to(connection, [ref], limit, sight),
            )

    def related_to_any(self, refs: Sequence[EntityRef], *, limit: int = 1000) -> Sequence[Related]:
        """Give the other ends of the relations of several entities, of the first hundred."""
        with self.database.read() as connection:
            return related_to(connection, refs[:100], limit, self._present.sight(connection))

    def provenance(self, ref: EntityRef) -> Provenance | None:
        """Say where an entity was read."""
        with self.database.read() as connection:
            sight = self._present.sight(connection)
            return self.database.once(
                connection,
                ("provenance", ref, sight and sight.filter),
                lambda: lookup.provenance(connection, sight, ref),
            )

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
        sight = self._present.sight(connection)
        return sight is None or ref in lookup.visible(connection, sight, {ref})

    def referrers(self, ref: EntityRef, *, limit: int = 100) -> Sequence[Referrer]:
        """Give the entities that name one, which need not be in the catalog."""
        with self.database.read() as connection:
            return referrers(connection, ref, limit=limit, sight=self._present.sight(connection))

    # Sources and problems

    def problems(
        self,
        ref: EntityRef | None = None,
        *,
        source: str = "",
        path: str = "",
        owner: EntityRef | None = None,
        owners: Sequence[EntityRef] = (),
        kind: ProblemKind | None = None,
        limit: int = 100,
        offset: int = 0,
        after: Place | None = None,
    ) -> Sequence[Problem]:
        """Give what is wrong with the input, narrowed by entity, source, file, owners or kind.

        A page begins behind the place of a problem, `after`, or at `offset`.
        """
        request = ProblemRequest(
            ref=ref,
            source=source,
            path=path,
            owner=owner,
            owners=tuple(owners),
            kind=kind,
            limit=limit,
            offset=offset,
            after=after,
        )
        with self.database.read() as connection:
            sight, key = self._problem_sight(connection)
            return self._present.cached(
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
                counted = self._present.cached(
                    connection, "counted problems", lambda: count_problems(connection)
                )
                return tally_of(counted, sight)

            return self._present.cached(connection, (*key, "problem tally"), add_up)

    def _problem_sight(self, connection: Connection) -> tuple[ProblemSight, tuple[Any, ...]]:
        """Give whose problems are seen, and what tells this from what others see."""
        sight, of_none = self._present.sight(connection), self._reads_sources()
        return ProblemSight(sight, of_none), (sight and sight.filter, of_none)

    def sources(self) -> Sequence[SourceState]:
        """Give all sources that are configured or contributed, by name.

        Who may not see sources is given those of what they see.
        """
        with self.database.read() as connection:
            sight, key = self._problem_sight(connection)
            counts = self._present.cached(
                connection, (*key, "source counts"), lambda: source_counts(connection, sight)
            )
            return self.database.once(
                connection,
                (*key, "source states"),
                lambda: source_states(connection, sight, counts),
            )

    def blob(self, source: str, path: str) -> str:
        """Give the name of a file's content as it was last read; empty for a file that was not.

        A file that also tells of what the one who asks may not see is as one that was not read.
        """
        with self.database.read() as connection:
            sight, _key = self._problem_sight(connection)
            return blob_of(connection, sight, source, path)

    def source(self, name: str) -> SourceState | None:
        """Give one source by its name."""
        return next((item for item in self.sources() if item.name == name), None)

    def cached(self, key: Any, make: Callable[[Connection], T]) -> T:
        """Give what `make` reads from the tables, the same answer until the catalog changes.

        `key` must be unlike those of others: a tuple that begins with the reader's own name. The
        answer is kept for those who see the same: `make` narrows what it reads by `sight`.
        """
        with self.database.read() as connection:
            sight = self._present.sight(connection)
            chosen = sight and sight.filter
            return self._present.cached(connection, (chosen, key), lambda: make(connection))

    def cached_for_all(
        self, key: Any, make: Callable[[Connection], T], *, kinds: Collection[str] = ()
    ) -> T:
        """Give the same whoever asks: the caller narrows it before it is shown.

        With `kinds`, `make` reads entities of these kinds and what they declare, nothing else:
        its answer holds until one of them comes, changes or leaves.
        """
        with self.database.read() as connection:
            if kinds:
                return self._present.cached_of_kinds(
                    connection, kinds, key, lambda: make(connection)
                )
            return self._present.cached(connection, ("all", key), lambda: make(connection))
