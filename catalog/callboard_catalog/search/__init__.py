"""Full text over entities and what plugins add, on SQLite and PostgreSQL, also for Chinese.

A query is read by `parse`, answered by `find`, and completed by `Completer`.
"""

from callboard_catalog.search.complete import Completer, Completion
from callboard_catalog.search.counts import Count
from callboard_catalog.search.filters import NOBODY, Searcher
from callboard_catalog.search.index import DOCUMENT_TEXT, ENTITY_TEXT, TextIndex, TextRow
from callboard_catalog.search.operators import IS_VALUES, OPERATORS, Filter, Query, parse
from callboard_catalog.search.service import (
    MOST_RANKED,
    SearchHit,
    SearchRequest,
    SearchResult,
    find,
    place_of,
    search,
)
from callboard_catalog.search.words import Words, words_of

__all__ = [
    "DOCUMENT_TEXT",
    "ENTITY_TEXT",
    "IS_VALUES",
    "MOST_RANKED",
    "NOBODY",
    "OPERATORS",
    "Completer",
    "Completion",
    "Count",
    "Filter",
    "Query",
    "SearchHit",
    "SearchRequest",
    "SearchResult",
    "Searcher",
    "TextIndex",
    "TextRow",
    "Words",
    "find",
    "parse",
    "place_of",
    "search",
    "words_of",
]
