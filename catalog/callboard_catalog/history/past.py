"""The catalog as it was at a time.

An entity was what its first change after that time replaced; without such a change it was what it
is now, if it was there already. So the work grows with what has changed since, and an entity that
never changed costs nothing but its own row.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import orjson
from sqlalchemy import (
    Connection,
    Select,
    select,
)

from callboard.entities import Entity, EntityRef
from callboard_catalog import models
from callboard_catalog.history.rows import ENTITY, VERSION, PastRows, first_rows
from callboard_catalog.history.values import (
    Difference,
    DifferencePage,
    Differing,
    PastCounts,
    PastEntity,
    PastPage,
    PastRequest,
)
from callboard_catalog.reading import stored_form
from callboard_catalog.sight import Sight
from callboard_catalog.store.bulk import chunks
from callboard_catalog.visibility import facts_of_removed

STEP: Final = 500
"""How many changed entities are looked at for a page; all of them where it is not full then."""

MOST_LOOKED_AT: Final = 5_000
"""References looked at for one page, or for one count, of what is gone and may be hidden."""


def exact_from(connection: Connection) -> datetime | None:
    """Give the time from which on the past is known exactly; None where that is all of it."""
    found: datetime | None = connection.scalar(select(models.state.c.exact_from))
    return found


class Past:
    """Reads the catalog of one time, as one sees it who sees what `sight` does now."""

    def __init__(self, connection: Connection, at: datetime, sight: Sight | None = None) -> None:
        self.connection = connection
        self.at = at
        self.sight = sight
        self._rows = PastRows(connection, at, sight)

    # One

    def get(self, ref: EntityRef) -> PastEntity | None:
        """Give an entity as it was; the caller has seen to it that it may be seen."""
        key = stored_form(ref)
        later = select(VERSION).where(VERSION.c.ref == key, VERSION.c.at > self.at)
        first = self.connection.execute(later.order_by(VERSION.c.id).limit(1)).first()
        now = self.connection.execute(
            select(ENTITY.c.ref, ENTITY.c.document, ENTITY.c.created_at).where(ENTITY.c.ref == key)
        ).first()
        if first is not None:
            was_there = first.before is not None and not (
                first.created is not None and first.created > self.at
            )
            return self._as_it_was(first, now is not None) if was_there else None
        if now is None or now.created_at > self.at:
            return None
        return PastEntity(_entity(now.ref, now.document), "same")

    def _as_it_was(self, version: Any, is_there: bool) -> PastEntity:
        return PastEntity(
            _entity(version.ref, zlib.decompress(version.before)),
            "changed" if is_there else "gone",
            version.gap is None or version.gap <= self.at,
        )

    # The list

    def page(self, request: PastRequest, few: Iterable[int] | None = None) -> PastPage:
        """Give a page of what was there. One with many hidden ones may have fewer than asked.

        `few` are the rows there are now of what the request would find, where they are known and
        few: then not all entities are walked along to find them.
        """
        keys, following = self._keys(request, lambda asked: self._rows.there(asked, few), STEP)
        return PastPage(self._entities(keys), following)

    def _keys(
        self, request: PastRequest, statement: Callable[[PastRequest], Select[Any]], step: int
    ) -> tuple[list[Any], str]:
        """Read rows of `ref`, `now` (the row of the entity, or None) and more, page by page.

        What is gone is looked at here: what it was last tells who may see it.
        """
        found: list[Any] = []
        looked_at, after = 0, request.after
        # The changes of one owner are far apart: all are looked at once.
        step = 0 if request.owner else step
        while True:
            asked = replace(request, after=after, limit=request.limit + 1)
            asked = replace(asked, upto=self._upto(asked, step) if step else "")
            rows = self.connection.execute(statement(asked)).all()
            found += self._seen(rows)
            looked_at += len(rows)
            if len(found) > request.limit:
                return found[: request.limit], found[request.limit - 1].ref
            is_through = len(rows) <= request.limit
            if is_through and not asked.upto:
                return found, ""
            after = asked.upto if is_through else rows[-1].ref
            step = 0
            if looked_at >= MOST_LOOKED_AT:
                return found, after

    def _upto(self, request: PastRequest, step: int) -> str:
        """Give the reference up to which so many have changed; empty where no more have.

        Where most that has changed is shown, only these are looked at for a page.
        """
        return self.connection.scalar(self._rows.upto(request, step)) or ""

    def _seen(self, rows: Sequence[Any]) -> list[Any]:
        if self.sight is None:
            return list(rows)
        gone = self._seen_of_gone(row.ref for row in rows if row.now is None)
        return [row for row in rows if row.now is not None or row.ref in gone]

    def _seen_of_gone(self, refs: Iterable[str]) -> set[str]:
        wanted = [EntityRef.parse(ref) for ref in refs]
        if self.sight is None or not wanted:
            return {str(ref) for ref in wanted}
        found = facts_of_removed(self.connection, wanted)
        return {stored_form(ref) for ref, facts in found.items() if self.sight.filter.fits(facts)}

    def _entities(self, keys: Sequence[Any]) -> list[PastEntity]:
        versions = self._versions(row.version for row in keys if row.version is not None)
        present = self._present(row.now for row in keys if row.version is None)
        return [
            PastEntity(_entity(row.ref, present[row.now].document), "same")
            if row.version is None
            else self._as_it_was(versions[row.version], row.now is not None)
            for row in keys
        ]

    def _versions(self, ids: Iterable[int]) -> dict[int, Any]:
        found: dict[int, Any] = {}
        for chunk in chunks(list(ids)):
            rows = self.connection.execute(select(VERSION).where(VERSION.c.id.in_(chunk)))
            found.update((row.id, row) for row in rows)
        return found

    def _present(self, ids: Iterable[int]) -> dict[int, Any]:
        found: dict[int, Any] = {}
        for chunk in chunks(list(ids)):
            statement = select(ENTITY.c.id, ENTITY.c.ref, ENTITY.c.document)
            rows = self.connection.execute(statement.where(ENTITY.c.id.in_(chunk)))
            found.update((row.id, row) for row in rows)
        return found

    # What changed between then and now

    def differences(self, difference: Difference, request: PastRequest) -> DifferencePage:
        """Give a page of what came, changed or left since."""
        statements = {
            "came": self._rows.came,
            "changed": self._rows.changed,
            "left": self._rows.left,
        }

        def rows(asked: PastRequest) -> Select[Any]:
            found = statements[difference](asked)
            return first_rows([found], asked.limit)

        keys, following = self._keys(request, rows, STEP if difference == "changed" else 0)
        versions = self._versions(row.version for row in keys if row.version is not None)
        present = self._present(row.now for row in keys if row.now is not None)
        items = [
            Differing(
                EntityRef.parse(row.ref),
                difference,
                None
                if row.version is None
                else _entity(row.ref, zlib.decompress(versions[row.version].before)),
                None if row.now is None else _entity(row.ref, present[row.now].document),
            )
            for row in keys
        ]
        return DifferencePage(items, following)

    def counts(self, request: PastRequest, now: int) -> PastCounts:
        """Count what there was, and what came, changed or left since.

        `now` is how many of those there are now the request would find: what there was is counted
        from it and from what has changed since. It is one look at all changes.
        """
        changed = self.connection.execute(self._rows.counted_changes(request)).one()
        new = self.connection.scalar(self._rows.counted_new(request)) or 0
        left = self._count_left(request, changed.left)
        same = now - new - changed.touched
        return PastCounts(
            was=None if left is None else same + changed.stayed + left,
            came=new + changed.returned,
            changed=changed.changed,
            left=left,
        )

    def _count_left(self, request: PastRequest, number: int) -> int | None:
        """Give how many of those gone one may see, who are looked at one by one."""
        if self.sight is None or not number:
            return number
        if number > MOST_LOOKED_AT:
            return None
        refs = self.connection.scalars(self._rows.left(request).with_only_columns(VERSION.c.ref))
        return len(self._seen_of_gone(refs.all()))


def _entity(ref: str, document: bytes) -> Entity:
    return Entity(EntityRef.parse(ref), orjson.loads(document))
