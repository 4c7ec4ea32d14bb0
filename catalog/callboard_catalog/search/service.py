"""Asking the indexes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, RowMapping, bindparam, text

from callboard.entities import EntityRef
from callboard_catalog.search.index import DOCUMENT_TEXT, ENTITY_TEXT, TextIndex
from callboard_catalog.search.words import Words

_CANDIDATES = 60
_KIND_ORDER = {"component": 0, "system": 1, "api": 2, "resource": 3, "domain": 4, "group": 5}


@dataclass(frozen=True, slots=True)
class SearchHit:
    """Something found. `kind` is an entity's kind, or the search source's key `plugin.name`.

    `marked` is the title with U+E000 and U+E001 around what matches. Greater `score` is better.
    """

    title: str
    path: str
    kind: str
    subtitle: str
    ref: EntityRef | None
    marked: str
    score: float


def search(
    connection: Connection, query: str, *, kinds: Sequence[str] = (), limit: int = 20
) -> list[SearchHit]:
    """Find entities and plugins' documents that have every word; the last may be half typed.

    A name that is the query comes first, then names that begin with it, then by rank;
    among the former by kind, components before what belongs to them.
    """
    words = Words.of_query(query)
    if not words:
        return []
    asked = query.strip().lower().replace("\0", "")[:200].encode(errors="replace").decode()
    hits = _entities(connection, words, kinds, max(limit, _CANDIDATES), asked)
    hits += _documents(connection, words, kinds, limit, asked)
    ranked = sorted(hits, key=lambda hit: _order(hit, asked))
    return ranked[:limit]


def _order(hit: SearchHit, asked: str) -> tuple[int, int, float, str]:
    names = {hit.title.lower(), hit.ref.name if hit.ref else ""}
    exact = 0 if asked in names else 1 if any(name.startswith(asked) for name in names) else 2
    # Among names that fit alike a service is wanted more often than its API or database; where
    # only the words fit, how well they do counts first.
    kind = _KIND_ORDER.get(hit.kind, 6)
    return (exact, kind if exact < 2 else 0, -hit.score, hit.title)


def _entities(
    connection: Connection, words: Words, kinds: Sequence[str], limit: int, asked: str
) -> list[SearchHit]:
    narrowed = "AND entity.kind IN :kinds" if kinds else ""
    rows = _ask(
        connection,
        ENTITY_TEXT,
        words,
        f"""SELECT ref, kind, entity.title, type, owner, {{rank}} AS rank
            FROM entity_text JOIN entity ON entity.id = entity_text.rowid
            WHERE {{condition}} {narrowed}
            ORDER BY {_nearness("entity.name", "entity.title")}, rank LIMIT :limit""",
        kinds,
        limit,
        asked,
    )
    found = []
    for row in rows:
        ref = EntityRef.parse(row["ref"])
        facts = (row["type"], row["owner"].partition("/")[2], ref.name)
        found.append(
            SearchHit(
                title=row["title"],
                path=ref.path(),
                kind=row["kind"],
                subtitle=" · ".join(fact for fact in facts if fact and fact != row["title"]),
                ref=ref,
                marked=words.mark(row["title"]),
                score=-row["rank"],
            )
        )
    return found


def _documents(
    connection: Connection, words: Words, kinds: Sequence[str], limit: int, asked: str
) -> list[SearchHit]:
    narrowed = "AND search_document.source IN :kinds" if kinds else ""
    rows = _ask(
        connection,
        DOCUMENT_TEXT,
        words,
        f"""SELECT search_document.title, path, source, ref, {{rank}} AS rank
            FROM search_document_text
            JOIN search_document ON search_document.id = search_document_text.rowid
            WHERE {{condition}} {narrowed}
            ORDER BY {_nearness("search_document.title")}, rank LIMIT :limit""",
        kinds,
        limit,
        asked,
    )
    return [
        SearchHit(
            title=row["title"],
            path=row["path"],
            kind=row["source"],
            subtitle=row["ref"],
            ref=EntityRef.parse(row["ref"]) if row["ref"] else None,
            marked=words.mark(row["title"]),
            score=-row["rank"],
        )
        for row in rows
    ]


def _nearness(*columns: str) -> str:
    """Give the SQL value that puts names that are the query first, then those that begin with it.

    It stands before the rank, or a name among many alike would fall to the limit.
    """
    same = " OR ".join(f"lower({column}) = :asked" for column in columns)
    begins = " OR ".join(
        f"substr(lower({column}), 1, length(:asked)) = :asked" for column in columns
    )
    return f"CASE WHEN {same} THEN 0 WHEN {begins} THEN 1 ELSE 2 END"


def _ask(
    connection: Connection,
    index: TextIndex,
    words: Words,
    statement: str,
    kinds: Sequence[str],
    limit: int,
    asked: str,
) -> Sequence[RowMapping]:
    dialect = connection.dialect.name
    query = text(statement.format(rank=index.rank(dialect), condition=index.condition(dialect)))
    values: dict[str, Any] = {"words": index.query(dialect, words), "limit": limit, "asked": asked}
    if kinds:
        query = query.bindparams(bindparam("kinds", expanding=True))
        values["kinds"] = list(kinds)
    return connection.execute(query, values).mappings().all()
