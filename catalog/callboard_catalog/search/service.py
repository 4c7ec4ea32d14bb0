"""Searching: what is found, in which order, counted by facets, with the passages that match."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import Connection, select

from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard_catalog import models
from callboard_catalog.facets import FacetIndex
from callboard_catalog.search.candidates import Sort, Wanted, by_reference, candidates
from callboard_catalog.search.counts import Count, count
from callboard_catalog.search.filters import NOBODY, Searcher, narrow
from callboard_catalog.search.operators import Filter, Query, parse
from callboard_catalog.search.passages import beginning, passage
from callboard_catalog.search.ranking import EXACT, Found, score
from callboard_catalog.search.suggest import suggest
from callboard_catalog.search.words import Words, folded
from callboard_catalog.sight import Sight

MOST_RANKED: Final = 300
"""Entities, and documents, that are ranked for one page; there may be more that match."""

SHORTEST_BEGUN: Final = 2
"""Letters after which a word may be half typed: with one, most of all names would match."""

SHORTEST_BEGUN_IN_TEXTS: Final = 3

FACETS: Final = ("kind", "owner", "type", "lifecycle", "tag")

_LONGEST_ASKED: Final = 200


@dataclass(frozen=True, slots=True)
class SearchHit:
    """Something found. `kind` is an entity's kind, or the search source's key `plugin.name`.

    `marked` and `passage` have U+E000 and U+E001 around what matches. Greater `score` is better.
    `about` is the title of the entity that a document is about.
    """

    title: str
    path: str
    kind: str
    subtitle: str
    ref: EntityRef | None
    marked: str
    score: float
    passage: str = ""
    about: str = ""
    changed: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """What is searched for. `chosen` narrows like the query's own operators.

    `offset` and `limit` choose the page; `of_each`, where given, is how many of each place
    (entities, people, and each search source) are on it at most. `details` adds facets, passages
    and what may have been meant. `most` bounds how many entities and documents are ranked.
    """

    query: Query
    chosen: tuple[Filter, ...] = ()
    searcher: Searcher = NOBODY
    sort: Sort = "relevance"
    offset: int = 0
    limit: int = 20
    of_each: int = 0
    details: bool = False
    most: int = MOST_RANKED


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A page of what was found. `total` counts what was ranked; `more` says that more matches.

    `unmatched` are values of operators that name nothing; `meant` is a query that finds something.
    """

    hits: list[SearchHit]
    total: int = 0
    more: bool = False
    facets: Mapping[str, Sequence[Count]] = field(default_factory=dict)
    unmatched: tuple[Filter, ...] = ()
    meant: str = ""


def search(
    connection: Connection,
    query: str,
    *,
    kinds: Sequence[str] = (),
    limit: int = 20,
    sight: Sight | None = None,
) -> list[SearchHit]:
    """Find entities and plugins' documents that have every word; the last may be half typed.

    `kinds` are kinds of entities and keys of search sources.
    """
    chosen = (Filter("kind", tuple(kinds)),) if kinds else ()
    searcher = Searcher(sources={kind: () for kind in kinds if "." in kind})
    request = SearchRequest(query=parse(query), chosen=chosen, searcher=searcher, limit=limit)
    return find(connection, request, sight=sight).hits


def find(
    connection: Connection,
    request: SearchRequest,
    index: FacetIndex | None = None,
    *,
    sight: Sight | None = None,
) -> SearchResult:
    """Search; the number of questions to the database does not grow with what is found.

    Facets are counted with `index`, that of the connection's state as the one who asks sees it;
    without it there are none. What `sight` does not see is as if it were not there.
    """
    query = request.query
    words = Words.of_query(query.words, SHORTEST_BEGUN)
    if not words and (query.words or not (query.filters or request.chosen)):
        return SearchResult([])
    narrowing = narrow(connection, (*query.filters, *request.chosen), request.searcher, sight)
    asked = folded(query.words[:_LONGEST_ASKED]).strip()
    in_texts = Words.of_query(query.words, SHORTEST_BEGUN_IN_TEXTS)
    wanted = Wanted(
        words, in_texts, asked, query.phrases, narrowing, request.sort, request.most, sight
    )
    found, more = candidates(connection, wanted)
    ranked = _ranked(connection, found, wanted, request)
    shown = _some_of_each(ranked, request.of_each) if request.of_each else ranked
    page = shown[request.offset : request.offset + request.limit]
    result = SearchResult(
        _hits(connection, page, words, request, sight), len(ranked), more,
        unmatched=narrowing.unmatched,
    )  # fmt: skip
    if not request.details:
        return result
    return replace(
        result,
        facets=_facets(connection, request, wanted, ranked, index) if index else {},
        meant="" if ranked else _meant(connection, query, sight),
    )


def _ranked(
    connection: Connection, found: list[Found], wanted: Wanted, request: SearchRequest
) -> list[tuple[float, Found]]:
    named = _reference(connection, request.query.words, wanted.sight)
    if named is not None:
        found = [named, *(item for item in found if item.document or item.id != named.id)]
    scored = [
        (
            EXACT * 2
            if item is named
            else score(item, wanted.asked, wanted.words, request.searcher),
            item,
        )
        for item in found
    ]
    if request.sort == "name":
        return sorted(scored, key=lambda pair: (pair[1].title.lower(), pair[1].ref, pair[1].path))
    if request.sort == "changed":
        return sorted(scored, key=lambda pair: _newest_first(pair[1]))
    if not wanted.asked:
        return sorted(
            scored, key=lambda pair: (pair[1].name or pair[1].title, pair[1].ref, pair[1].path)
        )
    return sorted(scored, key=lambda pair: (-pair[0], pair[1].title, pair[1].ref, pair[1].path))


def place_of(kind: str) -> str:
    """Give where a thing of a kind is shown: `entities`, `people`, or its search source's key."""
    return "people" if kind in ("user", "group") else kind if "." in kind else "entities"


def _some_of_each(ranked: list[tuple[float, Found]], most: int) -> list[tuple[float, Found]]:
    counted: Counter[str] = Counter()
    kept = []
    for pair in ranked:
        place = place_of(pair[1].kind)
        counted[place] += 1
        if counted[place] <= most:
            kept.append(pair)
    return kept


def _newest_first(item: Found) -> tuple[float, str, str]:
    changed = item.changed.timestamp() if item.changed else 0.0
    return (-changed, item.title.lower(), item.ref + item.path)


def _reference(connection: Connection, text: str, sight: Sight | None) -> Found | None:
    if ":" not in text and "/" not in text:
        return None
    try:
        ref = EntityRef.parse(text, default_kind="component")
    except InputError:
        return None
    return by_reference(connection, ref, sight)


def _facets(
    connection: Connection,
    request: SearchRequest,
    wanted: Wanted,
    ranked: list[tuple[float, Found]],
    index: FacetIndex,
) -> dict[str, list[Count]]:
    """Count each facet under all that is chosen but its own."""
    counted = {}
    for name in FACETS:
        chosen = [item for item in request.chosen if item.operator == name]
        items = [item for _, item in ranked]
        if chosen:
            others = tuple(item for item in request.chosen if item.operator != name)
            filters = (*request.query.filters, *others)
            narrowing = narrow(connection, filters, request.searcher, wanted.sight)
            items, _ = candidates(connection, replace(wanted, narrowing=narrowing))
        selected = {value for item in chosen for value in item.values}
        counted[name] = count(index, name, items, selected)
    return counted


def _meant(connection: Connection, query: Query, sight: Sight | None) -> str:
    meant = suggest(connection, query.words, sight)
    return str(replace(query, words=meant, phrases=())) if meant else ""


def _hits(
    connection: Connection,
    page: Sequence[tuple[float, Found]],
    words: Words,
    request: SearchRequest,
    sight: Sight | None,
) -> list[SearchHit]:
    items = [item for _, item in page]
    owners = titles_of(connection, {item.owner for item in items if not item.document}, sight)
    texts = _texts(connection, items) if request.details else {}
    return [_hit(item, value, words, owners, texts) for value, item in page]


def _hit(
    item: Found,
    value: float,
    words: Words,
    owners: Mapping[str, str],
    texts: Mapping[tuple[bool, int], str],
) -> SearchHit:
    text = texts.get((item.document, item.id), "")
    owner = owners.get(item.owner) or item.owner.partition("/")[2]
    facts = (item.about or item.ref.partition("/")[2],) if item.document else (
        item.type, owner, item.name
    )  # fmt: skip
    ref = EntityRef.parse(item.ref) if item.ref else None
    return SearchHit(
        title=item.title,
        path=item.path if item.document or ref is None else ref.path(),
        kind=item.kind,
        subtitle=" · ".join(fact for fact in facts if fact and fact != item.title),
        ref=ref,
        marked=words.mark(item.title),
        score=value,
        passage=passage(text, words) or beginning(text),
        about=item.about,
        changed=item.changed,
    )


def _texts(connection: Connection, items: Sequence[Found]) -> dict[tuple[bool, int], str]:
    """Give what the things of a page say: descriptions of entities, texts of documents."""
    found: dict[tuple[bool, int], str] = {}
    entity, document = models.entity.c, models.search_document.c
    ids = [item.id for item in items if not item.document]
    for row in connection.execute(select(entity.id, entity.document).where(entity.id.in_(ids))):
        metadata: Mapping[str, Any] = orjson.loads(row.document)["metadata"]
        found[(False, row.id)] = str(metadata.get("description") or "")
    ids = [item.id for item in items if item.document]
    for row in connection.execute(select(document.id, document.text).where(document.id.in_(ids))):
        found[(True, row.id)] = row.text
    return found


def titles_of(
    connection: Connection, refs: Iterable[str], sight: Sight | None = None
) -> dict[str, str]:
    """Give what entities that are seen are called, by their references."""
    entity = models.entity.c
    wanted = sorted(ref for ref in refs if ref)
    statement = select(entity.id, entity.ref, entity.title).where(entity.ref.in_(wanted))
    return {
        row.ref: row.title
        for row in connection.execute(statement)
        if sight is None or row.id in sight.rows
    }
