"""Which entities a subject may do something with, in the fewest selectors that say it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from callboard.identity import EVERYTHING, EntityFacts, Selector

FIELDS: Final = (
    "refs", "systems", "owners", "domains", "namespaces", "types", "tags", "environments", "kinds",
)  # fmt: skip
"""The fields of a selector that hold values, those first that mostly mean the fewest entities."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityFilter:
    """Which entities a subject may do one thing with: any of `allow`, none of `deny`, all `within`.

    `within` are the alternatives a token is narrowed to, or None. `mine` is what `owned` means.
    Hashable: equal filters let the same entities through.
    """

    allow: frozenset[Selector]
    deny: frozenset[Selector] = frozenset()
    within: frozenset[Selector] | None = None
    mine: frozenset[str] = frozenset()

    @property
    def everything(self) -> bool:
        """Whether all entities are let through."""
        unlimited = self.within is None or EVERYTHING in self.within
        return unlimited and not self.deny and EVERYTHING in self.allow

    @property
    def nothing(self) -> bool:
        """Whether no entity can be let through."""
        return not self.allow or EVERYTHING in self.deny or self.within == frozenset()

    def fits(self, facts: EntityFacts) -> bool:
        """Say whether an entity is let through."""
        return (
            any(part.fits(facts, self.mine) for part in self.allow)
            and not any(part.fits(facts, self.mine) for part in self.deny)
            and (self.within is None or any(part.fits(facts, self.mine) for part in self.within))
        )


ALL: Final = EntityFilter(allow=frozenset({EVERYTHING}))
NONE: Final = EntityFilter(allow=frozenset())


def entity_filter(
    allow: Iterable[Selector],
    deny: Iterable[Selector] = (),
    within: Iterable[Selector] | None = None,
    mine: frozenset[str] = frozenset(),
) -> EntityFilter:
    """Give the filter of these selectors: merged, and without what has no effect."""
    denied = canonical(deny)
    taken = SelectorIndex(denied)
    allowed = frozenset(part for part in canonical(allow) if not taken.covers(part))
    limits = None if within is None else canonical(within)
    if limits is not None and EVERYTHING in limits:
        limits = None
    if not allowed or limits == frozenset():
        return NONE
    parts = (*allowed, *denied, *(limits or ()))
    owned = any(part.owned for part in parts)
    return EntityFilter(
        allow=allowed, deny=denied, within=limits, mine=mine if owned else frozenset()
    )


def canonical(selectors: Iterable[Selector]) -> frozenset[Selector]:
    """Give the fewest selectors that mean the same entities, the same for any order.

    Those that differ in one field only become one, and what another one covers is left out.
    """
    merged = set(selectors)
    if EVERYTHING in merged:
        return frozenset({EVERYTHING})
    before = -1
    while len(merged) != before:
        before = len(merged)
        for name in FIELDS:
            merged = _merge(merged, name)
    index = SelectorIndex(merged)
    return frozenset(part for part in merged if not index.covers(part, but=part))


def _merge(selectors: set[Selector], name: str) -> set[Selector]:
    """Make one of those that are alike in all fields but one."""
    if len(selectors) < 2:
        return selectors
    alike: dict[Selector, list[frozenset[str]]] = {}
    for part in selectors:
        values: frozenset[str] = getattr(part, name)
        alike.setdefault(_without(part, name), []).append(values)
    return {
        rest if not all(found) else _with(rest, name, frozenset().union(*found))
        for rest, found in alike.items()
    }


def _without(part: Selector, name: str) -> Selector:
    return _with(part, name, frozenset()) if getattr(part, name) else part


def _with(part: Selector, name: str, values: frozenset[str]) -> Selector:
    changed: dict[str, Any] = {name: values}
    return replace(part, **changed)


def covers(one: Selector, other: Selector) -> bool:
    """Say whether all entities that `other` means are meant by `one` as well."""
    if one.owned and not other.owned:
        return False
    for name in FIELDS:
        wanted: frozenset[str] = getattr(one, name)
        if wanted:
            values: frozenset[str] = getattr(other, name)
            if not values or not values <= wanted:
                return False
    return True


class SelectorIndex:
    """Selectors, found by the entities they may mean without looking at each.

    A selector is kept under the values of one of its fields: the one whose values the fewest
    others have.
    """

    def __init__(self, selectors: Iterable[Selector]) -> None:
        parts = list(selectors)
        counts: Counter[tuple[str, str]] = Counter()
        for part in parts:
            counts.update((name, value) for name in FIELDS for value in getattr(part, name))
        self._by_value: dict[str, dict[str, list[Selector]]] = {}
        self._others: list[Selector] = []
        for part in parts:
            self._put(part, counts)
        self._fields = tuple(self._by_value.items())

    def _put(self, part: Selector, counts: Counter[tuple[str, str]]) -> None:
        names = [name for name in FIELDS if getattr(part, name)]
        if not names:
            self._others.append(part)
            return
        best = min(
            names, key=lambda name: max(counts[name, value] for value in getattr(part, name))
        )
        table = self._by_value.setdefault(best, {})
        for value in getattr(part, best):
            table.setdefault(value, []).append(part)

    def meaning(
        self, facts: EntityFacts, mine: frozenset[str], environment: str
    ) -> Iterator[Selector]:
        """Give the selectors that mean an entity."""
        for part in self._others:
            if part.fits(facts, mine, environment):
                yield part
        for name, table in self._fields:
            if name == "tags":
                found = {part for tag in facts.tags for part in table.get(tag, ())}
                yield from (part for part in found if part.fits(facts, mine, environment))
            else:
                for part in table.get(_value(facts, name, environment), ()):
                    if part.fits(facts, mine, environment):
                        yield part

    def covers(self, part: Selector, but: Selector | None = None) -> bool:
        """Say whether one of them, other than `but`, covers a selector alone."""
        for name, table in self._fields:
            values: frozenset[str] = getattr(part, name)
            if values and any(
                other is not but and covers(other, part)
                for other in table.get(next(iter(values)), ())
            ):
                return True
        return any(other is not but and covers(other, part) for other in self._others)


def _value(facts: EntityFacts, name: str, environment: str) -> str:
    if name == "environments":
        return (environment or facts.environment).lower()
    if name == "types":
        return facts.type.lower()
    value: str = getattr(facts, name.removesuffix("s"))
    return value
