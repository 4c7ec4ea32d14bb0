"""What is kept of the catalog's present state: facets, what readers see, and answers."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, select

from callboard.access import EntityFilter
from callboard.database import Database
from callboard.identity import Subject, asking
from callboard_catalog import models
from callboard_catalog.facets import FacetIndex, read_index
from callboard_catalog.lists import Lists
from callboard_catalog.sight import Sight, Sights

T = TypeVar("T")
CACHED: Final = 512


@dataclass(slots=True)
class _Answers:
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


class Present:
    """Keeps what holds until the catalog changes; both filters are as of `CatalogService`."""

    def __init__(
        self,
        database: Database,
        readable: Callable[[Subject], EntityFilter],
        permitted: Callable[[Subject, str], EntityFilter],
    ) -> None:
        self._database = database
        self._readable = readable
        self._permitted = permitted
        self._sights = Sights()
        self._answers = _Answers()
        self._facet_index: FacetIndex | None = None
        self._index_lock = threading.Lock()
        self._of_kinds: dict[Any, tuple[Any, Any]] = {}

    def generation(self, connection: Connection) -> int:
        """Give a number that grows with every change of the catalog."""
        statement = select(models.state.c.generation)
        return self._database.once(
            connection, "catalog generation", lambda: connection.scalar(statement) or 0
        )

    def sight(self, connection: Connection, permission: str = "") -> Sight | None:
        """Give what the one who asks may see, or has a permission for; None for everything."""
        subject = asking()
        if subject is None:
            return None
        chosen = self._permitted(subject, permission) if permission else self._readable(subject)
        if chosen.everything:
            return None
        generation = self.generation(connection)
        index = self._index(connection, generation)
        exact = index.generation == generation
        return self._sights.of(connection, index, chosen, exact=exact)

    @contextmanager
    def lists(self) -> Iterator[Lists]:
        """Give lists of what the one who asks may see, all from one state of the catalog."""
        with self._database.read() as connection:
            generation = self.generation(connection)
            sight = self.sight(connection)
            index = self._index(connection, generation) if sight is None else sight.index
            chosen = sight and sight.filter
            yield Lists(
                connection,
                index,
                lambda key, make: self._answers.get(generation, (chosen, key), make),
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

    def cached(self, connection: Connection, key: Any, make: Callable[[], T]) -> T:
        """Give what `make` gives, the same answer until the catalog changes."""
        return self._answers.get(self.generation(connection), key, make)

    def cached_of_kinds(
        self, connection: Connection, kinds: Collection[str], key: Any, make: Callable[[], T]
    ) -> T:
        """Give what `make` gives, the same answer until an entity of these kinds changes.

        It is kept until then, however much else is asked for: a key names no request.
        """
        generation = self.generation(connection)
        index = self._index(connection, generation)
        if index.generation != generation:
            return self.cached(connection, (key, "of kinds"), make)
        touched = tuple(index.touched.get(kind) for kind in kinds)
        known = self._of_kinds.get(key)
        if known is None or known[0] != touched:
            known = self._of_kinds[key] = (touched, make())
        answer: T = known[1]
        return answer
