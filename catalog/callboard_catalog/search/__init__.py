"""Full text over entities and what plugins add, on SQLite and PostgreSQL, also for Chinese."""

from callboard_catalog.search.index import DOCUMENT_TEXT, ENTITY_TEXT, TextIndex, TextRow
from callboard_catalog.search.service import SearchHit, search
from callboard_catalog.search.words import Words, words_of

__all__ = [
    "DOCUMENT_TEXT",
    "ENTITY_TEXT",
    "SearchHit",
    "TextIndex",
    "TextRow",
    "Words",
    "search",
    "words_of",
]
