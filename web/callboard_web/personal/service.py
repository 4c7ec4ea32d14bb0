"""Stars, visits and who someone is. None of it is audited: it changes nothing for anyone else."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Table, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from callboard.database import Database
from callboard.entities import EntityRef
from callboard.identity import acting_for
from callboard_catalog.reading import stored_form
from callboard_catalog.service import CatalogService
from callboard_web.personal import models

MOST_VISITS: Final = 200
"""Pages kept for each person; the one not opened for longest goes first."""

MOST_STARS: Final = 500
KNOWN: Final = 5_000
"""People whose groups are kept in memory."""

HIGHEST: Final = 20
"""How many groups above each other are followed."""

Groups = tuple[EntityRef, ...]


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who uses the portal. `key` is empty for one of whom nothing is kept.

    `me` is their User entity and `name` its title; `mine` is it and the groups above it, the
    nearest first, or nothing where it is not in the catalog.
    """

    key: str = ""
    me: EntityRef | None = None
    name: str = ""
    mine: tuple[EntityRef, ...] = ()
    home: Mapping[str, Any] = field(default_factory=dict)


NOBODY: Final = Person()


@dataclass(frozen=True, slots=True)
class Visit:
    """A page someone opened, how often and when last."""

    path: str
    title: str
    ref: EntityRef | None
    count: int
    last_at: datetime


class Personal:
    """Keeps and gives what belongs to one person."""

    def __init__(
        self, database: Database, catalog: CatalogService, now: Callable[[], datetime]
    ) -> None:
        self.database = database
        self.catalog = catalog
        self.now = now
        self._known: dict[tuple[EntityRef, ...], tuple[int, str, tuple[EntityRef, ...]]] = {}

    def person(self, key: str) -> Person:
        """Give the person of a key."""
        if not key:
            return NOBODY
        table = models.person
        with self.database.read() as connection:
            row = connection.execute(
                select(table.c.ref, table.c.home).where(table.c.key == key)
            ).one_or_none()
        if row is None:
            return Person(key)
        if not row.ref:
            return Person(key, home=row.home)
        me = EntityRef.parse(row.ref)
        return Person(key, me, *self.above((me,)), row.home)

    def signed_in(self, key: str, me: EntityRef | None, name: str, mine: Groups) -> Person:
        """Give the person of a key of whom it is known who they are."""
        if not key:
            return Person("", me, name, mine)
        table = models.person
        with self.database.read() as connection:
            home = connection.scalar(select(table.c.home).where(table.c.key == key))
        return Person(key, me, name, mine, home or {})

    def mine(self, me: EntityRef) -> Groups:
        """Give a user and the groups above it, level by level; empty where there is no such user.

        A group is above by `memberOf`, then by `childOf`. Circles end where they close.
        """
        return self.above((me,))[1]

    def above(self, start: Groups, generation: int | None = None) -> tuple[str, Groups]:
        """Give the title of the first of these, and all of them with the groups above, as `mine`.

        Kept until the catalog changes; `generation` is its own, where it was read already. What is
        not in the catalog is left out.
        """
        if not start:
            return "", ()
        if generation is None:
            generation = self.catalog.generation()
        kept = self._known.get(start)
        if kept is None or kept[0] != generation:
            if len(self._known) >= KNOWN:
                self._known.clear()
            kept = self._known[start] = (generation, *self._look_up(start))
        return kept[1], kept[2]

    def _look_up(self, start: Groups) -> tuple[str, Groups]:
        me = start[0]
        name = me.name
        found: dict[EntityRef, None] = {}
        level = list(start)
        with acting_for(None):  # whose they are does not depend on what they may see
            for _ in range(HIGHEST):
                entities = self.catalog.get_many(level)
                if me in entities:
                    name = entities[me].title
                found.update(dict.fromkeys(ref for ref in level if ref in entities))
                above = [
                    ref
                    for entity in entities.values()
                    for kind in ("memberOf", "childOf")
                    for ref in entity.related(kind)
                ]
                level = [ref for ref in dict.fromkeys(above) if ref not in found]
                if not level:
                    break
        return name, tuple(found)

    def adopt(self, connection: Connection, visitor: str, key: str) -> None:
        """Give what a visitor kept to a person: of each kind where the person has none yet."""
        if not visitor or visitor == key:
            return
        for table in (models.star, models.visit, models.view, models.dismissal):
            has = connection.scalar(select(table.c.key).where(table.c.key == key).limit(1))
            if has is None:
                connection.execute(update(table).where(table.c.key == visitor).values(key=key))
        person = models.person
        home = connection.scalar(select(person.c.home).where(person.c.key == visitor))
        if home and not connection.scalar(select(person.c.home).where(person.c.key == key)):
            changed = {"home": home, "updated_at": self.now()}
            _put(connection, person, {"key": key, "ref": "", **changed}, changed)

    def introduce(self, key: str, me: EntityRef | None) -> None:
        """Keep who someone says they are; None forgets it."""
        self._set_person(key, {"ref": str(me) if me else ""})

    def arrange(self, key: str, home: Mapping[str, Any]) -> None:
        """Keep how someone arranged their home page."""
        self._set_person(key, {"home": dict(home)})

    def _set_person(self, key: str, values: Mapping[str, Any]) -> None:
        changed = {**values, "updated_at": self.now()}
        row = {"ref": "", "home": {}, **changed, "key": key}
        with self.database.write() as connection:
            _put(connection, models.person, row, changed)

    # Stars

    def stars(self, key: str) -> Sequence[EntityRef]:
        """Give what someone starred, the latest first."""
        if not key:
            return []
        table = models.star
        statement = select(table.c.ref).where(table.c.key == key)
        with self.database.read() as connection:
            rows = connection.scalars(statement.order_by(table.c.at.desc(), table.c.ref))
            return [EntityRef.parse(ref) for ref in rows]

    def star(self, key: str, ref: EntityRef, on: bool) -> None:
        """Set or take away a star. The oldest goes where there are too many."""
        table = models.star
        mine = table.c.key == key
        with self.database.write() as connection:
            connection.execute(delete(table).where(mine, table.c.ref == str(ref)))
            if on:
                row = {"key": key, "ref": str(ref), "at": self.now()}
                _put(connection, table, row, {"at": row["at"]})
                _keep_newest(connection, table, table.c.ref, table.c.at, key, MOST_STARS)

    # Visits

    def visited(self, key: str, path: str, title: str, ref: EntityRef | None) -> None:
        """Note that someone opened a page."""
        table = models.visit
        # PostgreSQL takes no zero characters at all.
        title, path = title.replace("\0", "")[:200], path.replace("\0", "")[:500]
        name = stored_form(ref) if ref else ""
        changed = {"title": title, "ref": name, "last_at": self.now()}
        row = {**changed, "key": key, "path": path, "count": 1}
        with self.database.write() as connection:
            _put(connection, table, row, {**changed, "count": table.c.count + 1})
            _keep_newest(connection, table, table.c.path, table.c.last_at, key, MOST_VISITS)

    def forget_visits(self, key: str) -> None:
        """Forget every page someone opened."""
        with self.database.write() as connection:
            connection.execute(delete(models.visit).where(models.visit.c.key == key))

    def visits(self, key: str, *, limit: int = 20, frequent: bool = False) -> Sequence[Visit]:
        """Give the pages someone opened last, or most often."""
        if not key:
            return []
        table = models.visit
        order = (table.c.count.desc(), table.c.last_at.desc())
        statement = (
            select(
                table.c.path,
                table.c.title,
                table.c.ref,
                table.c.count.label("times"),
                table.c.last_at,
            )
            .where(table.c.key == key)
            .order_by(*(order if frequent else order[1:]))
        )
        if self.catalog.sight() is None:
            statement = statement.limit(limit)
        with self.database.read() as connection:
            visits = [
                Visit(
                    row.path,
                    row.title,
                    EntityRef.parse(row.ref) if row.ref else None,
                    row.times,
                    row.last_at,
                )
                for row in connection.execute(statement)
            ]
        # What became hidden since is not told of: its title may be another one by now.
        seen = self.catalog.visible(visit.ref for visit in visits if visit.ref)
        return [visit for visit in visits if visit.ref is None or visit.ref in seen][:limit]


def _put(
    connection: Connection, table: Table, row: Mapping[str, Any], changed: Mapping[str, Any]
) -> None:
    """Write a row, or over the one of the same key, however many do it at once."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table).values(row)
    connection.execute(
        statement.on_conflict_do_update(index_elements=table.primary_key.columns, set_=changed)
    )


def _keep_newest(
    connection: Connection, table: Any, name: Any, time: Any, key: str, most: int
) -> None:
    count = select(func.count()).select_from(table).where(table.c.key == key)
    surplus = (connection.scalar(count) or 0) - most
    if surplus > 0:
        oldest = select(name).where(table.c.key == key).order_by(time, name).limit(surplus)
        names = list(connection.scalars(oldest))
        connection.execute(delete(table).where(table.c.key == key, name.in_(names)))
