"""Completing what is typed after an operator, from the values there are."""

import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from callboard.entities import DEFAULT_NAMESPACE, EntityRef
from callboard_catalog.facets import FacetIndex
from callboard_catalog.search.candidates import Wanted, candidates
from callboard_catalog.search.counts import Count, commonest
from callboard_catalog.search.filters import NAMED, NOBODY, narrow
from callboard_catalog.search.operators import IS_VALUES, OPERATORS, Filter
from callboard_catalog.search.words import Words, folded
from callboard_catalog.sight import Sight

_OPEN: Final = re.compile(
    rf"(?:^|\s)(-?)({'|'.join(OPERATORS)})[:\uff1a]((?:\"[^\"]*\"|[^\s\"])*(?:\"[^\"]*)?)$", re.I
)
_NAME: Final = re.compile(r"(?:^|\s)-?([a-z]+)$", re.IGNORECASE)
_LAST_VALUE: Final = re.compile(r'(?:^|[,\uff0c])"?([^",\uff0c]*)$')
_KEPT: Final = 200


@dataclass(frozen=True, slots=True)
class Completion:
    """One way to go on. `text` is the whole query then; `value` what is added, `label` its name.

    `whole` says that it is typed already.
    """

    text: str
    value: str
    label: str = ""
    number: int = 0
    whole: bool = False


class Completer:
    """Completes operators and their values; the common values are kept until the catalog changes.

    `index` gives what the whole catalog has, as it is now.
    """

    def __init__(self, index: Callable[[], FacetIndex]) -> None:
        self._index = index
        self._kept: tuple[int, dict[str, list[Count]]] = (-1, {})
        self._lock = threading.Lock()

    def complete(
        self,
        connection: Connection,
        typed: str,
        sources: Sequence[str] = (),
        limit: int = 6,
        *,
        sight: Sight | None = None,
    ) -> list[Completion]:
        """Give what may follow; nothing where the last word is no operator.

        Values, and the numbers of those that have them, are of what is seen.
        """
        found = _OPEN.search(typed)
        if found is None:
            return _operators(typed)
        operator = found[2].lower()
        last = _LAST_VALUE.search(found[3])
        begun = last[1] if last else ""
        before = typed[: len(typed) - len(begun)].removesuffix('"')
        values = self._values(connection, operator, begun.strip(), sources, limit, sight)
        return [
            Completion(
                f"{before}{_quoted(value.value)} ", value.value, value.label, value.number,
                value.value == begun.strip().lower(),
            )
            for value in values
        ]  # fmt: skip

    def examples(self, sight: Sight | None = None) -> dict[str, str]:
        """Give for each operator a value there is, the commonest, for people to try."""
        found = {}
        for operator in ("owner", "kind", "type", "lifecycle", "tag", "system", "domain", "source"):
            values = self._commonest(operator, sight)
            if values:
                value = _named(values[0]) if operator in NAMED else values[0]
                found[operator] = _quoted(value.value)
        return found

    def _values(
        self,
        connection: Connection,
        operator: str,
        begun: str,
        sources: Sequence[str],
        limit: int,
        sight: Sight | None,
    ) -> list[Count]:
        if operator == "is":
            given = [Count(value, "", 0) for value in IS_VALUES]
        elif operator == "in":
            given = [Count(value, "", 0) for value in ("catalog", *sources)]
        elif operator in NAMED and begun:
            return _entities(connection, operator, begun, limit, sight)
        else:
            given = self._commonest(operator, sight)
        lower = begun.lower()
        fitting = [value for value in given if lower in value.value.lower()]
        fitting.sort(key=lambda value: not value.value.lower().startswith(lower))
        return [_named(value) if operator in NAMED else value for value in fitting[:limit]]

    def _commonest(self, operator: str, sight: Sight | None) -> list[Count]:
        if sight is not None:
            return commonest(sight.index, operator, _KEPT)
        index = self._index()
        with self._lock:
            if self._kept[0] != index.generation:
                self._kept = (index.generation, {})
            kept = self._kept[1]
            if operator in kept:
                return kept[operator]
        given = commonest(index, operator, _KEPT)
        kept[operator] = given
        return given


def _operators(typed: str) -> list[Completion]:
    """Complete the name of an operator that is begun, with two letters at least."""
    found = _NAME.search(typed)
    if found is None or len(found[1]) < 2:
        return []
    begun = found[1].lower()
    before = typed[: len(typed) - len(begun)]
    return [
        Completion(f"{before}{name}:", f"{name}:")
        for name in OPERATORS
        if name.startswith(begun)
    ]  # fmt: skip


def _entities(
    connection: Connection, operator: str, begun: str, limit: int, sight: Sight | None
) -> list[Count]:
    """Give the entities an operator may name, by name, title, or how the title is read."""
    words = Words.of_query(begun)
    if not words:
        return []
    narrowing = narrow(connection, [Filter("kind", NAMED[operator])], NOBODY)
    wanted = Wanted(words, words, folded(begun), (), narrowing, "relevance", limit * 2, sight)
    found, _ = candidates(connection, wanted)
    fitting = [item for item in found if item.within != "all"]
    fitting.sort(key=lambda item: (not item.name.startswith(begun.lower()), item.name))
    return [_named(Count(item.ref, item.title, 0)) for item in fitting[:limit]]


def _named(count: Count) -> Count:
    """Write the value as short as it is understood."""
    ref = EntityRef.parse(count.value)
    short = ref.name if ref.namespace == DEFAULT_NAMESPACE else count.value
    return Count(short, count.label, count.number)


def _quoted(value: str) -> str:
    return f'"{value}"' if re.search(r"[\s,\uff0c]", value) else value
