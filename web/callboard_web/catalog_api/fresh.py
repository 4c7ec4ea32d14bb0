"""Answers that are made on the event loop: of what is in memory, and of one read.

It is for those who see everything. What an answer is of is known before anything is read: the
generations of catalog and policy as they were last. The one statement that is asked says which
they are by then, and where these are others all is done again. What takes more than that is left
to the long way: keys that nobody has asked for since the catalog changed, long lists, faults.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.routing import Route, compile_path

from callboard.access import EntityFilter
from callboard.database.glance import Glance, glance_of
from callboard.errors import CallboardError
from callboard.identity import Subject, acting_for
from callboard_catalog.rest.finished import finish, only, whole_sql
from callboard_catalog.rest.service import InMemory, NotInMemoryError, QueriesInMemory
from callboard_web.catalog_api.answering import is_short, pieces_of, raw_headers
from callboard_web.catalog_api.checks import Checks, read_query
from callboard_web.catalog_api.kept import Kept, KeptAnswer, Question
from callboard_web.catalog_api.model import MOUNT, Answer, ApiRequest, Endpoint, Entities
from callboard_web.catalog_api.reading import listed

if TYPE_CHECKING:
    from callboard_web.portal import Portal

MOST: Final = 100
"""Entities of one answer: while they are read, the event loop does little else."""

TRIES: Final = 3
"""How often it is begun while catalog and policy change, before the long way is taken."""

LONGEST_QUERY: Final = 2_000
"""Characters of a query that is read here."""

LONGEST_REFERENCE: Final = 255
GENERATIONS: Final = "(SELECT generation FROM catalog_state), (SELECT generation FROM access_state)"
BY_ROW, BY_NAME = "entities", "entity"
_WHERE: Final = {
    "sqlite": {BY_ROW: "entity.id IN (SELECT value FROM json_each(?))", BY_NAME: "entity.ref = ?"},
    "postgresql": {BY_ROW: "entity.id = ANY($1)", BY_NAME: "entity.ref = $1"},
}

Generations = tuple[int, ...]
"""Those of the catalog and of the policy."""


@dataclass(frozen=True, slots=True)
class Place:
    """An endpoint that answers here, with the parameters of the path that led to it."""

    endpoint: Endpoint
    route: Route
    checks: Checks
    parameters: Mapping[str, str]


class Fresh:
    """Makes answers. `glance` is opened and closed by its owner."""

    def __init__(self, portal: "Portal", kept: Kept, routes: Sequence[tuple[Endpoint, Route]]):
        self.portal = portal
        self.kept = kept
        database = portal.runtime.database
        reads = {
            name: whole_sql(database.dialect, where, more=f"{GENERATIONS}, ")
            for name, where in _WHERE[database.dialect].items()
        }
        self.glance: Glance = glance_of(database, f"SELECT {GENERATIONS}", reads)
        self._last: Generations | None = None
        self._plain: dict[str, Place] = {}
        self._others: list[tuple[Any, Endpoint, Route, Checks]] = []
        for endpoint, route in routes:
            if endpoint.plan is None or endpoint.method != "GET" or not is_short(endpoint):
                continue
            if "{" in endpoint.path:
                pattern = compile_path(route.path)[0]
                self._others.append((pattern, endpoint, route, Checks(endpoint)))
            else:
                self._plain[route.path] = Place(endpoint, route, Checks(endpoint), {})

    def place(self, asked: Question) -> Place | None:
        """Give the endpoint that is asked, if it is one of those that answer here."""
        if len(asked.query) > LONGEST_QUERY or "\ufffd" in asked.path:
            return None
        found = self._plain.get(asked.path)
        if found is None:
            for pattern, endpoint, route, checks in self._others:
                if match := pattern.match(asked.path):
                    return Place(endpoint, route, checks, match.groupdict())
        return found

    async def look(self) -> Generations | None:
        """Give the generations of this moment; None where that cannot be said quickly."""
        self._last = await self.glance.look()
        return self._last

    async def answer(
        self, place: Place, asked: Question, subject: Subject, accepted: str
    ) -> KeptAnswer | None:
        """Give an answer of the state of this moment; None where the long way must give it.

        It has the form of the content coding that is `accepted`, if that is of use.
        """
        supposed = self._last or await self.look()
        for _ in range(TRIES):
            if supposed is None:
                return None
            sees = self.portal.runtime.services.access.filter_of(supposed[1], subject)
            if sees is not None and not sees.everything:
                return None
            tag = None if sees is None else self.kept.tag_of(supposed[0], sees, asked)
            memory = self.kept.memory
            if sees is None or tag is None or memory is None or memory.generation != supposed[0]:
                # Something has changed since, or the long way has not yet made what it takes.
                before, supposed = supposed, await self.look()
                if supposed == before:
                    return None
                continue
            planned = self._planned(place, asked, subject, memory)
            answer, found = (None, supposed) if planned is None else await self._ended(planned)
            if found != supposed:
                supposed = self._last = found
            elif answer is None:
                return None
            else:
                made = _made(place, answer, tag)
                self.kept.keep(supposed[0], sees, asked, made)
                return await self._coded(made, supposed[0], sees, asked, made.coding(accepted))
        return None

    async def _coded(
        self, made: KeptAnswer, generation: int, sees: EntityFilter, asked: Question, coding: str
    ) -> KeptAnswer:
        if not coding:
            return made
        # In a thread: it takes longer than all the rest.
        compressed = self.kept.compressed
        return await asyncio.to_thread(compressed, generation, sees, asked, made, coding)

    def _planned(
        self, place: Place, asked: Question, subject: Subject, memory: InMemory
    ) -> Answer | Entities | None:
        """Give what can be given without the database; None where that is nothing."""
        if place.endpoint.plan is None:
            return None
        try:
            request = ApiRequest(
                portal=self.portal, subject=subject, method=asked.method,
                path=asked.path.removeprefix(MOUNT), parameters=place.parameters,
                query=_query(place.checks, asked.query),
                queries=QueriesInMemory(self.portal.runtime.catalog, memory),
            )  # fmt: skip
            with acting_for(subject):
                return place.endpoint.plan(request)
        except (NotInMemoryError, CallboardError):
            # What is wrong with it is told by the long way.
            return None

    async def _ended(self, planned: Answer | Entities) -> tuple[Answer | None, Generations | None]:
        """Give the whole answer, if it can be given, with the generations it is of."""
        if isinstance(planned, Answer):
            return planned, await self.glance.look()
        if planned.ref:
            if len(planned.ref) > LONGEST_REFERENCE or "\0" in planned.ref:
                return None, self._last
            rows = await self.glance.ask(BY_NAME, planned.ref)
        elif 0 < len(planned.rows) <= MOST:
            rows = await self.glance.ask(BY_ROW, planned.rows)
        else:
            return None, self._last
        if not rows:
            return None, None
        found = {row: (document, relations) for _, _, row, document, relations, _ in rows}
        generations = (rows[0][0] or 0, rows[0][1] or 0)
        if any(fault for *_, fault in rows) or len(found) < len(set(planned.rows)):
            return None, generations
        items = [finish(*found[row]) for row in planned.rows or found]
        if planned.fields:
            items = [orjson.dumps(only(orjson.loads(item), planned.fields)) for item in items]
        return listed(planned, items), generations


def _made(place: Place, answer: Answer, tag: str) -> KeptAnswer:
    assert isinstance(answer.body, bytes)
    return KeptAnswer(
        tag=tag,
        headers=raw_headers(answer),
        forms={"": pieces_of(answer.body)},
        route=place.route,
        is_short=True,
    )


@lru_cache(maxsize=500)
def _query(checks: Checks, text: bytes) -> tuple[tuple[str, str], ...]:
    """Give the parameters of a query; raises `InputError` where they are not as declared."""
    found = read_query(text)
    checks.query(found)
    return tuple(found)
