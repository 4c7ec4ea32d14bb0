"""The relations of entities as they are sent: worked out once, kept until one of them changes.

A row of `finished_relations` is made of rows of `relation` and of nothing else, and says all that
there is: it is for those who see everything. Whoever changes rows of `relation` takes away what was
made of them, in the same transaction (`unfinish`); a job makes it again (`Finisher`). Until then it
is worked out by who reads it, so that a missing row is never wrong.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any, Final

import orjson
from sqlalchemy import Connection, TextClause, delete, select, text

from callboard.database import Database
from callboard_catalog import models
from callboard_catalog.store.bulk import chunks, lock_catalog, one_of, rows_where

ENTITY: Final = models.entity
FINISHED: Final = models.finished_relations
RELATION: Final = models.relation.c
AT_ONCE: Final = 500
"""Entities that are finished in one transaction, for which others that write have to wait."""

MOST_WAITS: Final = 30
"""How often the work is put off while the catalog changes."""

Row = tuple[int, str, str, str, str]
"""A row of `relation`, in the order of its columns."""

_ITEMS: Final = {
    "sqlite": """CAST((SELECT group_concat(item) FROM (
        SELECT '{"type":' || json_quote(type) || ',"targetRef":' || json_quote(target) || '}'
        AS item FROM ({ends} ORDER BY 1, 2))) AS BLOB)""",
    "postgresql": """convert_to((SELECT string_agg(item, ',') FROM (
        SELECT '{"type":' || to_json(type) || ',"targetRef":' || to_json(target) || '}'
        AS item FROM ({ends}) AS ends ORDER BY type COLLATE "C", target COLLATE "C") AS items),
        'UTF8')""",
}
_ENDS: Final = """SELECT type, target_ref AS target FROM relation
        WHERE source_ref = entity.ref{seen}
        UNION SELECT reverse, source_ref FROM relation WHERE target_ref = entity.ref{seen}"""
_NONE: Final = {"sqlite": "x''", "postgresql": "''::bytea"}


def items_sql(dialect: str, seen: str = "") -> str:
    """Give the expression that makes the bytes of a row of `entity` of its relations, or NULL.

    They are the members of a JSON list, ordered by type and reference in code points. `seen` is
    more of a condition on rows of `relation`, which begins with ` AND `.
    """
    return _ITEMS[dialect].replace("{ends}", _ENDS.replace("{seen}", seen))


def given_sql(dialect: str) -> str:
    """Give the condition that a row of `entity` has one of the numbers of the parameter `rows`."""
    if dialect == "sqlite":
        return "entity.id IN (SELECT value FROM json_each(:rows))"
    return "entity.id = ANY(:rows)"


def given(connection: Connection, rows: Sequence[int]) -> Any:
    """Give the value of the parameter `rows`."""
    return orjson.dumps(rows).decode() if connection.dialect.name == "sqlite" else rows


# Taking away


def unfinish(connection: Connection, origins: Collection[int], rows: Iterable[Row]) -> None:
    """Take away what is made of rows of `relation` that are about to change.

    `origins` are the entities of which the rows go, `rows` those that come; to be called before
    they do. What goes and comes again the same is no change.
    """
    if connection.scalar(select(FINISHED.c.entity_id).limit(1)) is None:
        return
    columns = list(models.relation.columns)
    going = {tuple(row) for row in rows_where(connection, columns, RELATION.origin_id, origins)}
    changed = going.symmetric_difference(rows)
    refs = {row[1] for row in changed} | {row[3] for row in changed}
    for chunk in chunks(refs):
        numbers = select(ENTITY.c.id).where(one_of(connection, ENTITY.c.ref, chunk))
        connection.execute(delete(FINISHED).where(FINISHED.c.entity_id.in_(numbers)))


# Making


class Finisher:
    """Makes what is missing; may be killed and run any time, by several processes at once."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._done = -1
        self._last = -1
        self._waits = 0

    def run(self) -> int:
        """Make what is missing and give how much that was.

        It looks for that only if the catalog has changed, and waits while it does: what a source
        that is being read has brought by now would soon be made once more.
        """
        with self._database.read() as connection:
            generation = connection.scalar(select(models.state.c.generation)) or 0
        if generation == self._done:
            return 0
        moving = self._last not in (-1, generation)
        self._last = generation
        if moving and self._waits < MOST_WAITS:
            self._waits += 1
            return 0
        found = finish(self._database)
        self._done, self._waits = generation, 0
        return found


def finish(database: Database) -> int:
    """Make what is missing of all entities, some in a transaction; gives how much that was."""
    total = after = 0
    while True:
        with database.read() as connection:
            rows = list(connection.scalars(_missing(), {"after": after, "most": AT_ONCE}))
        if not rows:
            return total
        with database.write() as connection:
            lock_catalog(connection)
            total += connection.execute(
                _making(connection.dialect.name), {"rows": given(connection, rows)}
            ).rowcount
        after = rows[-1]


_LACKS: Final = (
    "NOT EXISTS (SELECT 1 FROM finished_relations WHERE finished_relations.entity_id = entity.id)"
)


def _missing() -> TextClause:
    return text(f"SELECT id FROM entity WHERE id > :after AND {_LACKS} ORDER BY id LIMIT :most")


def _making(dialect: str) -> TextClause:
    return text(
        "INSERT INTO finished_relations (entity_id, items) "
        f"SELECT entity.id, coalesce({items_sql(dialect)}, {_NONE[dialect]}) "
        f"FROM entity WHERE {given_sql(dialect)} AND {_LACKS}"
    )
