"""What stands around the catalog's list: views as tabs, facets, chips, ways out of no match."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from callboard.entities import EntityRef
from callboard.i18n import Text, Translator
from callboard_catalog.query import Facet, FacetValue, ListRequest
from callboard_catalog.service import CatalogService
from callboard_web.catalog_query import FACETS, NONE, NONE_WORDS, CatalogQuery
from callboard_web.saved_views import SavedView
from callboard_web.words import Words

_: Final = Translator("callboard")

MOST_TABS: Final = 8
"""How many saved views are tabs; the page of views has all."""

MINE: Final = CatalogQuery(mine=True)
STARRED: Final = CatalogQuery(kinds=(), starred=True)


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for, and by whom: their groups and themselves, and what they starred."""

    query: CatalogQuery
    mine: Sequence[EntityRef] = ()
    starred: Sequence[EntityRef] = ()

    def request(self, query: CatalogQuery | None = None) -> ListRequest:
        """Give the request of a query, the one that is asked for unless another is given."""
        return (query or self.query).request(mine=self.mine, starred=self.starred)


@dataclass(frozen=True, slots=True)
class Tab:
    """A view above the list. `count` is None where nothing was counted."""

    title: Text
    url: str
    count: int | None
    current: bool
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a facet that can be chosen. `value` is as the address has it."""

    value: str
    label: Text
    count: int
    selected: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A facet as check boxes; `number` is how many values leave anything."""

    name: str
    title: Text
    values: Sequence[Choice]
    number: int
    expanded: bool


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter that is on, and the address without it."""

    name: str
    title: Text
    label: Text
    url: str
    found: int = 0


def tabs(
    service: CatalogService, asked: Asked, views: Sequence[SavedView], current: SavedView | None
) -> list[Tab]:
    """Give the built-in views and the first saved ones, each with what it finds."""
    query = asked.query
    chosen = current is None
    everything = replace(
        query.cleared(), sort="name", descending=False, grouped=False, view=0, more="", find=""
    )
    built_in = [
        Tab(_("All"), everything.url(), None, chosen and not query.mine and not query.starred),
        Tab(_("My services"), MINE.url(),
            service.total(asked.request(MINE)) if asked.mine else None, chosen and query.mine),
        Tab(_("Starred"), STARRED.url(), len(asked.starred) or None,
            chosen and query.starred and not query.mine),
    ]  # fmt: skip
    shown = sorted(views, key=lambda view: view.shared)[:MOST_TABS]
    if current and current not in shown:
        shown.append(current)
    return [*built_in, *(_tab(service, asked, view, view is current) for view in shown)]


def _tab(service: CatalogService, asked: Asked, view: SavedView, current: bool) -> Tab:
    query = CatalogQuery.read(view.query)
    count = service.total(asked.request(query))
    return Tab(view.name, query.viewed(view.id).url(), count, current, view.shared)


def current_view(query: CatalogQuery, views: Iterable[SavedView]) -> SavedView | None:
    """Give the saved view that the list is, or that one came from."""
    found = {view.id: view for view in views}
    if query.view in found:
        return found[query.view]
    saved = query.saved()
    return next((view for view in found.values() if view.query == saved), None) if saved else None


# Facets


def kinds(facet: Facet, counts: Mapping[str, int], query: CatalogQuery, words: Words) -> Group:
    """Give every kind there is, always in the same order, with what the filters leave of it."""
    found = {item.value: item.count for item in facet.values}
    everything = {**counts, **{kind: counts.get(kind, 0) for kind in query.kinds}}
    ordered = sorted(everything, key=lambda kind: (-everything[kind], kind))
    values = [
        Choice(kind, words.title(kind), found.get(kind, 0), kind in query.kinds) for kind in ordered
    ]
    several = query.more == "kind" or len(query.kinds) > 1
    return Group("kind", _("Kind"), values, len(values), several)


def groups(facets: Mapping[str, Facet], query: CatalogQuery) -> list[Group]:
    """Give the other facets; those that have nothing to choose from are left out."""
    made = [
        Group(name, title, [_choice(name, item) for item in facets[name].values],
              facets[name].number, query.more == name)
        for name, title in FACETS.items()
    ]  # fmt: skip
    return [
        group
        for group in made
        if group.expanded or group.name in query.chosen or _is_of_use(group.values)
    ]


def _choice(name: str, item: FacetValue) -> Choice:
    return Choice(item.value or NONE, label(name, item), item.count, item.selected)


def label(name: str, item: FacetValue) -> Text:
    """Give the words for a value, or for having none."""
    return item.label if item.value else NONE_WORDS[name]


def _is_of_use(values: Sequence[Choice]) -> bool:
    return any(item.value != NONE for item in values)


# Filters that are on


def chips(query: CatalogQuery, facets: Mapping[str, Facet], words: Words) -> list[Chip]:
    """Give each filter that is on, with the address of the list without it."""
    found = []
    if len(query.kinds) > 1:
        found = [_chip(query, "kind", _("Kind"), words.title(kind), kind) for kind in query.kinds]
    if query.mine:
        found.append(_chip(query, "mine", _("Owner"), _("I or my groups")))
    if query.starred:
        found.append(_chip(query, "starred", _("Starred"), _("by me")))
    labels = {
        (name, item.value or NONE): label(name, item)
        for name, facet in facets.items()
        if name in FACETS
        for item in facet.values
    }
    found += [
        _chip(query, name, FACETS[name], labels.get((name, value), value), value)
        for name, value in query.filters()
    ]
    if query.text:
        found.append(_chip(query, "q", _("Text"), query.text))
    return found


def _chip(query: CatalogQuery, name: str, title: Text, words: Text, value: str = "") -> Chip:
    return Chip(name, title, words, query.without(name, value).url())


def removals(service: CatalogService, asked: Asked, found: Sequence[Chip]) -> list[Chip]:
    """Say of each filter how much would be found without it."""
    return [replace(chip, found=service.total(asked.request(_query_of(chip)))) for chip in found]


def _query_of(chip: Chip) -> CatalogQuery:
    return CatalogQuery.read(chip.url.partition("?")[2])
