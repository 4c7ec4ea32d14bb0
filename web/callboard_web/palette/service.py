"""What the palette offers: groups of things to open, to do, or to complete the query with."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from callboard.contributions import Act, NavItem
from callboard.i18n import Text, Translator
from callboard_catalog.descriptors.kinds import BUILT_IN_KINDS
from callboard_catalog.search import (
    Completer,
    Filter,
    Query,
    Searcher,
    SearchHit,
    SearchRequest,
    SearchResult,
    Words,
    find,
    place_of,
)
from callboard_web.personal import Person, Personal, Visit
from callboard_web.words import Words as WordsOfKinds

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

_: Final = Translator("callboard")

OF_EACH: Final = 6
MOST_RANKED: Final = 120
RECENT: Final = 5
OFTEN: Final = 4
MOST_PAGES: Final = 5
MOST_VISITS: Final = 200

_EXACT: Final = 100.0
_BEGINS: Final = 80.0
_NAMED: Final = 60.0
_STEP: Final = 20.0

Said = Callable[[Text], str]
"""Gives a text in the reader's language."""


@dataclass(frozen=True, slots=True)
class Option:
    """One line. `completes` is the query that choosing it writes; else `path` is opened.

    `title` may have U+E000 and U+E001 around what matches; `what` stands at the end of the line.
    """

    title: str
    path: str = ""
    icon: str = "right"
    second: str = ""
    what: Text = ""
    completes: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Lines under a heading; the better the best of them, the earlier."""

    title: Text
    options: Sequence[Option]
    best: float = 0.0


class Palette:
    """Searches for people who type; also what the results page is made of."""

    def __init__(self, runtime: "Runtime", personal: Personal, items: Sequence[NavItem]) -> None:
        self.runtime = runtime
        self.personal = personal
        self._items = items
        self._completer = Completer(runtime.catalog.facet_index)
        contributions = runtime.plugins.contributions
        self._acts: Sequence[Act] = [item.value for item in contributions.acts]
        self._permissions = {
            item.key: item.value.permission for item in contributions.search_sources
        }
        self.sources: Mapping[str, tuple[Text, str]] = {
            item.key: (item.value.title, item.value.icon) for item in contributions.search_sources
        }
        kinds = [*BUILT_IN_KINDS, *runtime.kinds]
        self._kinds: Mapping[str, Text] = {kind.name.lower(): kind.title for kind in kinds}
        self._words = WordsOfKinds(runtime.kinds)

    def searcher(self, person: Person, said: Said) -> Searcher:
        """Give who searches, as search takes it."""
        visits = self.personal.visits(person.key, limit=MOST_VISITS)
        kinds = {
            name.lower(): kind
            for kind, title in self._kinds.items()
            for name in (str(title), said(title))
        }
        return Searcher(
            mine=frozenset(map(str, person.mine)),
            starred=frozenset(map(str, self.personal.stars(person.key))),
            visits={_visited(visit): visit.count for visit in reversed(visits)},
            kinds=kinds,
            sources={
                key: (str(title), said(title)) for key, (title, _icon) in self.sources.items()
            },
        )

    @property
    def items(self) -> list[NavItem]:
        """The pages that the one who asks may open."""
        return [item for item in self._items if self._permits(item.permission)]

    @property
    def acts(self) -> list[Act]:
        """What the one who asks may do."""
        return [item for item in self._acts if self._permits(item.permission)]

    def find(self, request: SearchRequest) -> SearchResult:
        """Search in one state of the catalog, for what the one who asks may read."""
        catalog = self.runtime.catalog
        with catalog.snapshot(), self.runtime.database.read() as connection:
            asked, sight = self._allowed(request), catalog.sight()
            found = find(connection, asked, catalog.facet_index(), sight=sight)
        return replace(found, hits=self._readable(found.hits))

    def _permits(self, permission: str) -> bool:
        return self.runtime.services.permits(permission)

    def _allowed(self, request: SearchRequest) -> SearchRequest:
        """Leave out the search sources for which the one who asks has no permission at all."""
        closed = tuple(
            key for key, name in self._permissions.items() if name and not self._permits(name)
        )
        if not closed or not (request.query.words or request.query.filters or request.chosen):
            return request
        return replace(request, chosen=(*request.chosen, Filter("in", closed, negated=True)))

    def _readable(self, hits: Sequence[SearchHit]) -> list[SearchHit]:
        """Leave out documents about entities for which the one who asks has not the permission."""
        kept = list(hits)
        for key, name in self._permissions.items():
            about = {hit.ref for hit in kept if hit.kind == key and hit.ref} if name else set()
            if about:
                fit = self.runtime.services.permitted(name, about)
                kept = [hit for hit in kept if hit.kind != key or not hit.ref or hit.ref in fit]
        return kept

    def examples(self) -> Mapping[str, str]:
        """Give a value there is for each operator."""
        return self._completer.examples(self.runtime.catalog.sight())

    # The palette

    def start(self, person: Person, said: Said) -> list[Group]:
        """Give what is offered before anything is typed."""
        recent = self.personal.visits(person.key, limit=RECENT)
        shown = {visit.path for visit in recent}
        often = self.personal.visits(person.key, limit=RECENT + OFTEN, frequent=True)
        rest = [visit for visit in often if visit.path not in shown and visit.count > 1]
        groups = [
            Group(_("Seen last"), [self._visit(visit) for visit in recent]),
            Group(_("Seen often"), [self._visit(visit) for visit in rest[:OFTEN]]),
            Group(_("Pages"), [_page(item, said(item.title)) for item in self.items]),
            Group(_("Do"), [_page(item, said(item.title)) for item in self.acts[:OF_EACH]]),
        ]
        return [group for group in groups if group.options]

    def answer(
        self, typed: str, query: Query, person: Person, said: Said
    ) -> tuple[list[Group], SearchResult]:
        """Give the groups for what is typed, the likeliest first, and what was found at all."""
        request = SearchRequest(
            query=query, searcher=self.searcher(person, said), limit=MOST_RANKED,
            of_each=OF_EACH, most=MOST_RANKED,
        )  # fmt: skip
        with self.runtime.database.read() as connection:
            open_sources = [key for key, name in self._permissions.items() if self._permits(name)]
            sight = self.runtime.catalog.sight()
            completions = self._completer.complete(connection, typed, open_sources, sight=sight)
            # What a value that is half typed leaves is not yet what is looked for; the name of an
            # operator may as well be a word.
            is_half = bool(completions) and not any(
                item.whole or item.value.endswith(":") for item in completions
            )
            result = (
                SearchResult([])
                if is_half
                else find(connection, self._allowed(request), sight=sight)
            )
        result = replace(result, hits=self._readable(result.hits))
        completions = [item for item in completions if not item.whole]
        groups = [*self._places(result.hits, said), *self._own(query, said)]
        # Sorting keeps the order of those alike: what is in the catalog before pages and acts.
        groups.sort(key=lambda group: -(group.best // _STEP))
        if completions:
            options = [
                Option(item.value, completes=item.text, icon="filter", second=item.label,
                       what=str(item.number) if item.number else "")
                for item in completions
            ]  # fmt: skip
            narrowing = Group(_("Narrow by"), options)
            groups = [narrowing, *groups] if is_half else [*groups, narrowing]
        return groups, result

    def title_of(self, kind: str) -> Text:
        """Give what a kind of hits is called: that of an entity, or a search source."""
        source = self.sources.get(kind)
        return source[0] if source else self._kinds.get(kind, kind)

    def icon_of(self, kind: str) -> str:
        """Give the icon of a kind of hits."""
        source = self.sources.get(kind)
        return source[1] if source else self._words.icon(kind)

    def _places(self, hits: Sequence[SearchHit], said: Said) -> Iterator[Group]:
        places: dict[str, list[SearchHit]] = {"entities": [], "people": []}
        for hit in hits:
            places.setdefault(place_of(hit.kind), []).append(hit)
        named = {"entities": _("Catalog"), "people": _("Teams and people")}
        for place, found in places.items():
            if found:
                title = named.get(place) or self.title_of(place)
                yield Group(title, [self._hit(hit) for hit in found], found[0].score)

    def _hit(self, hit: SearchHit) -> Option:
        what = "" if hit.kind in self.sources else self.title_of(hit.kind)
        return Option(hit.marked, hit.path, self.icon_of(hit.kind), hit.subtitle, what)

    def _own(self, query: Query, said: Said) -> Iterator[Group]:
        """Give the pages and acts that are called so, in the reader's language or in English."""
        words = Words.of_query(query.words)
        if query.filters or not words:
            return
        asked = query.words.lower()
        pages = _ranked(
            [(_nearness(asked, words, said(item.title), str(item.title), ""), item)
             for item in self.items]
        )  # fmt: skip
        acts = _ranked(
            [(_nearness(asked, words, said(item.title), str(item.title),
                        f"{said(item.words)} {item.words}"), item)
             for item in self.acts]
        )  # fmt: skip
        if pages:
            options = [_page(item, words.mark(said(item.title))) for _best, item in pages]
            yield Group(_("Pages"), options, pages[0][0])
        if acts:
            options = [_page(item, words.mark(said(item.title))) for _best, item in acts]
            yield Group(_("Do"), options, acts[0][0])

    def _visit(self, visit: Visit) -> Option:
        if visit.ref is None:
            return Option(visit.title, visit.path, "file", visit.path)
        return Option(
            visit.title, visit.path, self.icon_of(visit.ref.kind),
            visit.ref.name if visit.ref.name != visit.title else "",
            self.title_of(visit.ref.kind),
        )  # fmt: skip


def _ranked(items: Sequence[tuple[float, "NavItem | Act"]]) -> list[tuple[float, "NavItem | Act"]]:
    found = [pair for pair in items if pair[0]]
    return sorted(found, key=lambda pair: -pair[0])[:MOST_PAGES]


def _nearness(asked: str, words: Words, title: str, english: str, more: str) -> float:
    names = (title.lower(), english.lower())
    if asked in names:
        return _EXACT
    if any(name.startswith(asked) for name in names):
        return _BEGINS
    return _NAMED if words.are_in(title, english, more) else 0.0


def _page(item: "NavItem | Act", title: str) -> Option:
    return Option(title, item.path, item.icon)


def _visited(visit: Visit) -> str:
    return str(visit.ref) if visit.ref else visit.path
