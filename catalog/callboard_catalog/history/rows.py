"""Which rows tell of a past time: the statements, that ask nobody by themselves.

Each row has a `ref`, the number of a `version` or none, and of the entity there is `now` or none.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    cast,
    exists,
    func,
    not_,
    null,
    or_,
    select,
    true,
    union,
    union_all,
)

from callboard_catalog import models
from callboard_catalog.facets import among
from callboard_catalog.history.values import PastRequest
from callboard_catalog.sight import Sight

ENTITY: Final = models.entity
VERSION: Final = models.entity_version
NO_NUMBER: Final = cast(null(), models.Key)


class PastRows:
    """Selects the rows of one time, for one who sees what `sight` does now."""

    def __init__(self, connection: Connection, at: datetime, sight: Sight | None = None) -> None:
        self.connection = connection
        self.at = at
        self.sight = sight

    def there(self, request: PastRequest, few: Iterable[int] | None = None) -> Select[Any]:
        """Select what was there: what has changed since, and what has not."""
        earlier = self._there_and_changed(request)
        later = exists().where(VERSION.c.ref == ENTITY.c.ref, VERSION.c.at > self.at)
        same = select(ENTITY.c.ref, NO_NUMBER.label("version"), ENTITY.c.id.label("now")).where(
            ENTITY.c.created_at <= self.at, not_(later), *self._narrowed(ENTITY, request)
        )
        if self.sight is not None:
            same = same.where(self.sight.condition(self.connection))
        if few is not None:
            same = same.where(among(self.connection, few))
        return first_rows([earlier, same], request.limit)

    def _there_and_changed(self, request: PastRequest) -> Select[Any]:
        changed = self.first(request).subquery()
        statement = (
            select(VERSION.c.ref, VERSION.c.id.label("version"), ENTITY.c.id.label("now"))
            .join_from(changed, VERSION, VERSION.c.id == changed.c.id)
            .join(ENTITY, ENTITY.c.ref == VERSION.c.ref, isouter=True)
            .where(self._was_there(), *self._may_be_seen())
        )
        return statement.where(VERSION.c.owner == request.owner) if request.owner else statement

    def upto(self, request: PastRequest, step: int) -> Select[Any]:
        """Select the reference up to which so many have changed."""
        ref = VERSION.c.ref.concat("")  # as in `first`
        changed = select(func.min(VERSION.c.ref)).where(VERSION.c.at > self.at)
        changed = changed.where(*_named(VERSION.c.ref, request)).group_by(ref)
        return changed.order_by(ref).offset(step - 1).limit(1)

    def first(self, request: PastRequest) -> Select[Any]:
        """Select the first change of each entity after the time."""
        first = select(func.min(VERSION.c.id).label("id")).where(VERSION.c.at > self.at)
        # By an expression: else SQLite walks along the index by reference, whose rows it must open
        # to see their time. The one by time has all that is asked for.
        return first.where(*_named(VERSION.c.ref, request)).group_by(VERSION.c.ref.concat(""))

    def _was_there(self) -> ColumnElement[bool]:
        created = VERSION.c.created
        return and_(VERSION.c.before.is_not(None), or_(created.is_(None), created <= self.at))

    def _may_be_seen(self) -> list[Any]:
        """Say that a row of the entity is seen, or that there is none."""
        if self.sight is None:
            return []
        return [or_(ENTITY.c.id.is_(None), self.sight.condition(self.connection))]

    def _narrowed(self, entity: Any, request: PastRequest) -> list[ColumnElement[bool]]:
        found = _named(entity.c.ref, request)
        if request.kind:
            found.append(entity.c.kind == request.kind)
        if request.owner:
            found.append(entity.c.owner == request.owner)
        return found

    def counted_changes(self, request: PastRequest) -> Select[Any]:
        """Count entities with a change since: those there now that one sees, and those gone."""
        first = self.first(request).subquery()
        is_there, is_gone = ENTITY.c.id.is_not(None), ENTITY.c.id.is_(None)
        was_there = self._was_there()
        had_owner, has_owner = (
            table.c.owner == request.owner if request.owner else true()
            for table in (VERSION, ENTITY)
        )
        differs = ENTITY.c.hash != VERSION.c.hash
        counted = {
            "touched": and_(is_there, has_owner),
            "stayed": and_(is_there, was_there, had_owner),
            "changed": and_(is_there, was_there, differs, has_owner),
            "returned": and_(
                is_there,
                not_(was_there),
                or_(VERSION.c.before.is_(None), self._is_new()),
                has_owner,
            ),
            "left": and_(is_gone, was_there, had_owner),
        }
        columns: list[Any] = [
            func.count(case((said, 1))).label(name) for name, said in counted.items()
        ]
        return (
            select(*columns)
            .select_from(first)
            .join(VERSION, VERSION.c.id == first.c.id)
            .join(ENTITY, ENTITY.c.ref == VERSION.c.ref, isouter=True)
            .where(*self._may_be_seen())
        )

    def counted_new(self, request: PastRequest) -> Select[Any]:
        """Count what came since and has not changed again."""
        changed = exists().where(VERSION.c.ref == ENTITY.c.ref, VERSION.c.at > self.at)
        # By reference alone: an index by kind would be read along instead of what is new.
        statement = select(func.count()).where(
            self._is_new(), not_(changed), *_named(ENTITY.c.ref, request)
        )
        if request.owner:
            statement = statement.where(ENTITY.c.owner == request.owner)
        if self.sight is not None:
            statement = statement.where(self.sight.condition(self.connection))
        return statement

    def _is_new(self) -> ColumnElement[bool]:
        # What came has changed since as well, which is in an index.
        return and_(ENTITY.c.updated_at > self.at, ENTITY.c.created_at > self.at)

    def came(self, request: PastRequest) -> Select[Any]:
        """Select what is there now and was not."""
        changed = self.first(request).subquery()
        firsts = select(VERSION.c.ref).join_from(changed, VERSION, VERSION.c.id == changed.c.id)
        # What had been deleted and was restored is as old as before: then its first change says
        # that it was not there.
        new = select(ENTITY.c.ref).where(self._is_new())
        returned = firsts.where(VERSION.c.before.is_(None))
        statement = select(
            ENTITY.c.ref, NO_NUMBER.label("version"), ENTITY.c.id.label("now")
        ).where(
            ENTITY.c.ref.in_(union(new, returned)),
            ENTITY.c.ref.not_in(firsts.where(self._was_there())),
            *self._narrowed(ENTITY, request),
        )
        if self.sight is not None:
            statement = statement.where(self.sight.condition(self.connection))
        return statement

    def changed(self, request: PastRequest) -> Select[Any]:
        """Select what was there and is there, with another document."""
        changed = self.first(request).subquery()
        statement = (
            select(VERSION.c.ref, VERSION.c.id.label("version"), ENTITY.c.id.label("now"))
            .join_from(changed, VERSION, VERSION.c.id == changed.c.id)
            .join(ENTITY, ENTITY.c.ref == VERSION.c.ref)
            .where(
                self._was_there(),
                ENTITY.c.hash != VERSION.c.hash,
                *self._narrowed(ENTITY, request),
            )
        )
        if self.sight is not None:
            statement = statement.where(self.sight.condition(self.connection))
        return statement

    def left(self, request: PastRequest) -> Select[Any]:
        """Select what was there and is gone."""
        changed = self.first(request).subquery()
        statement = (
            select(VERSION.c.ref, VERSION.c.id.label("version"), NO_NUMBER.label("now"))
            .join_from(changed, VERSION, VERSION.c.id == changed.c.id)
            .where(self._was_there(), not_(exists().where(ENTITY.c.ref == VERSION.c.ref)))
        )
        return statement.where(VERSION.c.owner == request.owner) if request.owner else statement


def _named(ref: ColumnElement[Any], request: PastRequest) -> list[ColumnElement[bool]]:
    """Narrow by what a reference says of its kind and namespace, and to those behind the last."""
    found: list[ColumnElement[bool]] = []
    if request.kind:
        found.append(ref.startswith(f"{request.kind}:", autoescape=True))
    if request.namespace:
        found.append(ref.contains(f":{request.namespace}/", autoescape=True))
    if request.after:
        found.append(ref > request.after)
    if request.upto:
        found.append(ref <= request.upto)
    return found


def first_rows(statements: Sequence[Select[Any]], limit: int) -> Select[Any]:
    """Give the first rows of several statements by reference; each is cut for itself before."""
    cut = [
        select(item.order_by(item.selected_columns["ref"]).limit(limit).subquery())
        for item in statements
    ]
    whole = union_all(*cut).subquery() if len(cut) > 1 else cut[0].subquery()
    return select(whole).order_by(whole.c.ref).limit(limit)
