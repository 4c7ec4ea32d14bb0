"""Which of the things found comes first: the rules of `docs/user/search.md` as numbers."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from callboard_catalog.search.filters import Searcher
from callboard_catalog.search.index import Within
from callboard_catalog.search.words import Words, folded

EXACT: Final = 100.0
BEGINS: Final = 80.0
_WITHIN: Final[dict[Within, float]] = {"title": 60.0, "facts": 40.0, "all": 20.0}
_AS_TYPED: Final = 2.0
_MINE: Final = 3.0
_STARRED: Final = 4.0
_VISITED: Final = 1.0
_MOST_VISITED: Final = 4.0
_DEPRECATED: Final = -3.0
_KINDS: Final = ("component", "system", "api", "resource", "domain", "group", "user")
_KIND_STEP: Final = 0.5


@dataclass(frozen=True, slots=True)
class Found:
    """A row that matches. `kind` is an entity's, or the key of a search source.

    `path` is a document's; an entity has its own by its `ref`. `entity_id`, `type`, `lifecycle`
    and `owner` of a document are those of the entity it is about.
    """

    id: int
    document: bool
    kind: str
    name: str
    title: str
    path: str
    ref: str
    within: Within
    entity_id: int | None = None
    about: str = ""
    type: str = ""
    lifecycle: str = ""
    owner: str = ""
    changed: datetime | None = None


def score(found: Found, asked: str, words: Words, searcher: Searcher) -> float:
    """Say how well something answers; `asked` is what was typed, folded. Greater is better.

    The steps between what is called so, begins so, has the words in its name, has them among its
    facts, and has them in its text are wider than all else together.
    """
    names = (found.name, folded(found.title))
    return (
        _nearness(found, names, asked, words)
        + _liking(found, searcher)
        - _kind_order(found.kind) * _KIND_STEP
        - min(len(found.title), 90) / 200
        + (_DEPRECATED if found.lifecycle.lower() == "deprecated" else 0.0)
    )


def _nearness(found: Found, names: Collection[str], asked: str, words: Words) -> float:
    if not asked:
        return 0.0
    if asked in names:
        return EXACT
    if any(name.startswith(asked) for name in names):
        return BEGINS
    if any(asked in name for name in names):
        return _WITHIN["title"] + _AS_TYPED
    if found.within == "facts" and not found.title.isascii() and words.are_in(found.title):
        # How a name is read is among the facts.
        return _WITHIN["title"]
    return _WITHIN[found.within]


def _liking(found: Found, searcher: Searcher) -> float:
    liked = _MINE * (found.owner in searcher.mine if found.owner else False)
    if found.ref in searcher.starred and not found.document:
        liked += _STARRED
    times = searcher.visits.get(found.path if found.document else found.ref, 0)
    return liked + min(max(times - 1, 0) * _VISITED, _MOST_VISITED)


def _kind_order(kind: str) -> int:
    return _KINDS.index(kind) if kind in _KINDS else len(_KINDS)
