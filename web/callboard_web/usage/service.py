"""What is kept of looks: read as the asker may see it, shown or not, deleted when it is old."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Subquery,
    delete,
    exists,
    func,
    literal,
    null,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from callboard.audit import record
from callboard.database import Database
from callboard.entities import EntityRef
from callboard_catalog import models as catalog_models
from callboard_catalog.reading import stored_form
from callboard_catalog.service import CatalogService
from callboard_web.personal import models as personal_models
from callboard_web.usage.models import looker, named, shown, usage, usage_sum
from callboard_web.usage.recorder import PERSON, SECRET
from callboard_web.usage.settings import UsageSettings
from callboard_web.usage.sums import PERIODS, advance, count_all, first_of, summed_until

Show = Literal["most", "never"]
Ordered = tuple[Select[Any], tuple[ColumnElement[Any], ...]]
ENTITY: Final = catalog_models.entity
NAMES: Final = 12
"""People whose names a card shows."""

LATE: Final = timedelta(hours=1)
"""How long after a day what tells its people apart is kept: looks are still on their way."""


@dataclass(frozen=True, slots=True)
class Day:
    """The looks of people at one entity on one day, how many people, and looks of machines."""

    day: date
    looks: int = 0
    people: int = 0
    machines: int = 0


@dataclass(frozen=True, slots=True)
class Named:
    """A person who chose to be shown, with how often and when last they looked."""

    key: str
    looks: int
    last: date

    @property
    def ref(self) -> EntityRef | None:
        """Their User entity."""
        name = self.key.removeprefix(PERSON)
        return EntityRef.parse(name) if name.startswith("user:") and "/" in name else None


@dataclass(frozen=True, slots=True)
class Used:
    """An entity and the looks at it; `people` is of the day with most, `last` the last day."""

    ref: EntityRef
    title: str
    owner: str
    looks: int
    people: int
    machines: int
    last: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRequest:
    """Which entities: those looked at, most looks first, or those nobody looked at."""

    show: Show = "most"
    days: int = 30
    kind: str = ""
    owner: str = ""
    limit: int = 50
    offset: int = 0
    count_to: int | None = None
    """Of more than so many it is told only that there are more; None counts all."""


@dataclass(frozen=True, slots=True)
class UsagePage:
    """A page of entities, how many there are in all, and the first day that is counted.

    `following` says that the page is not the last, `more` that there are more than `total`.
    """

    items: Sequence[Used]
    total: int
    first: date | None
    following: bool = False
    more: bool = False


@dataclass(frozen=True, slots=True)
class KeptOfPerson:
    """What is kept under a person's name: since when they are shown, and for how many looks."""

    since: datetime | None = None
    looks: int = 0


class Usage:
    """Reads and deletes what is kept of looks."""

    def __init__(
        self,
        database: Database,
        catalog: CatalogService,
        settings: UsageSettings,
        now: Callable[[], datetime],
    ) -> None:
        self.database = database
        self.catalog = catalog
        self.settings = settings
        self.now = now

    def since(self, days: int) -> date:
        """Give the first of so many days that end today."""
        return first_of(self.now().date(), days)

    def of_entity(self, ref: EntityRef, days: int = 30) -> list[Day]:
        """Give every one of these days, the oldest first. The caller has asked who may see it."""
        first = self.since(days)
        statement = select(usage).where(usage.c.ref == stored_form(ref), usage.c.day >= first)
        with self.database.read() as connection:
            found = {
                row.day: Day(row.day, row.looks, row.people, row.machines)
                for row in connection.execute(statement)
            }
        every = (first + timedelta(days=number) for number in range(days))
        return [found.get(day) or Day(day) for day in every]

    def names(self, ref: EntityRef, days: int = 30) -> Sequence[Named]:
        """Give those who chose to be shown, who looked last first."""
        last = func.max(named.c.day)
        statement = (
            select(named.c.key, func.sum(named.c.looks), last)
            .where(named.c.ref == stored_form(ref), named.c.day >= self.since(days))
            .group_by(named.c.key)
            .order_by(last.desc(), named.c.key)
            .limit(NAMES)
        )
        with self.database.read() as connection:
            return [
                Named(key, int(looks), day) for key, looks, day in connection.execute(statement)
            ]

    def page(self, request: UsageRequest) -> UsagePage:
        """Give a page of the entities that the asker may see."""
        where = self._where(request)
        with self.database.read() as connection:
            statement, order = self._entities(connection, request)
            statement = statement.where(*where)
            further = statement.order_by(*order).limit(request.limit + 1).offset(request.offset)
            rows = connection.execute(further).all()
            items = [_used(row) for row in rows[: request.limit]]
            following = len(rows) > request.limit
            passed = request.offset + len(items)
            total, more = passed, False
            if following or not items:  # otherwise these are the last
                total, more = _number(connection, statement, request.count_to)
            first = connection.scalar(select(func.min(usage.c.day)))
        return UsagePage(items, max(total, passed if items else 0), first, following, more)

    def _entities(self, connection: Connection, request: UsageRequest) -> Ordered:
        """Give the statement for what is asked, and its order.

        Sums are kept of the usual numbers of days; of others, and until the first look of a day
        is written, they are added up.
        """
        kept = request.days in PERIODS and summed_until(connection) == self.now().date()
        first = self.since(request.days)
        columns = (ENTITY.c.ref, ENTITY.c.title, ENTITY.c.owner)
        if request.show == "never":
            nothing = (literal(0).label(name) for name in ("looks", "people", "machines"))
            looked = usage_sum.c.days == request.days if kept else usage.c.day >= first
            of_it = (usage_sum if kept else usage).c.ref == ENTITY.c.ref
            statement = select(*columns, *nothing, null().label("last"))
            return statement.where(~exists().where(of_it, looked)), (ENTITY.c.ref,)
        counted = _kept(request.days) if kept else _added_up(first)
        numbers = (counted.c.looks, counted.c.people, counted.c.machines, counted.c.last)
        joined = counted.join(ENTITY, counted.c.ref == ENTITY.c.ref)
        order = (counted.c.looks.desc(), counted.c.machines.desc(), ENTITY.c.ref)
        return select(*columns, *numbers).select_from(joined), order

    def _where(self, request: UsageRequest) -> list[ColumnElement[bool]]:
        conditions = [self.catalog.seen(ENTITY.c.ref)]
        if request.kind:
            conditions.append(ENTITY.c.kind == request.kind)
        elif request.owner:  # no index begins with the owner
            conditions.append(ENTITY.c.kind.in_(sorted(self.catalog.counts())))
        if request.owner:
            conditions.append(ENTITY.c.owner == request.owner)
        return conditions

    # What a person chose

    def of_person(self, key: str) -> KeptOfPerson:
        """Give what is kept under a person's name."""
        if not key.startswith(PERSON):
            return KeptOfPerson()
        with self.database.read() as connection:
            since = connection.scalar(select(shown.c.since).where(shown.c.key == key))
            looks = connection.scalar(select(func.sum(named.c.looks)).where(named.c.key == key))
        return KeptOfPerson(since, int(looks or 0))

    def show(self, key: str) -> None:
        """Keep and show the name of a person from now on."""
        now = self.now()
        with self.database.write() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            statement = dialect.insert(shown).values(key=key, since=now).on_conflict_do_nothing()
            if connection.scalar(statement.returning(shown.c.key)):
                record(connection, "portal.usage.show", key.removeprefix(PERSON), at=now)

    def hide(self, key: str) -> int:
        """Keep the name of a person no more, delete what is kept, and give how many looks."""
        return self._forget(key, "portal.usage.hide", stays=False)

    def forget(self, key: str) -> int:
        """Delete what is kept under a person's name, and give how many looks that were."""
        return self._forget(key, "portal.usage.forget", stays=True)

    def _forget(self, key: str, action: str, *, stays: bool) -> int:
        with self.database.write() as connection:
            # The choice first, or locked: what is being written of this person is waited for.
            chosen = shown.c.key == key
            if stays:
                connection.execute(select(shown.c.key).where(chosen).with_for_update())
            else:
                connection.execute(delete(shown).where(chosen))
            kept = select(func.sum(named.c.looks)).where(named.c.key == key)
            looks = int(connection.scalar(kept) or 0)
            connection.execute(delete(named).where(named.c.key == key))
            before = {"looks": looks}
            name = key.removeprefix(PERSON)
            record(connection, action, name, before=before, at=self.now())
        return looks


def _kept(days: int) -> Subquery:
    return select(usage_sum).where(usage_sum.c.days == days).subquery()


def _added_up(first: date) -> Subquery:
    return (
        select(
            usage.c.ref,
            func.sum(usage.c.looks).label("looks"),
            func.max(usage.c.people).label("people"),
            func.sum(usage.c.machines).label("machines"),
            func.max(usage.c.day).label("last"),
        )
        .where(usage.c.day >= first)
        .group_by(usage.c.ref)
        .subquery()
    )


def _number(connection: Connection, statement: Select[Any], most: int | None) -> tuple[int, bool]:
    """Count the rows of a statement up to `most`, and say whether there are more."""
    rows = statement.with_only_columns(literal(1), maintain_column_froms=True)
    rows = rows if most is None else rows.limit(most + 1)
    number = connection.scalar(select(func.count()).select_from(rows.subquery())) or 0
    return (number, False) if most is None or number <= most else (most, True)


def _used(row: Any) -> Used:
    return Used(
        EntityRef.parse(row.ref),
        row.title,
        row.owner or "",
        int(row.looks or 0),
        int(row.people or 0),
        int(row.machines or 0),
        row.last,
    )


def tidy(connection: Connection, settings: UsageSettings, now: datetime) -> None:
    """Delete what is old, and what told the people of days that are over apart."""
    before = now.date() - settings.keep
    advance(connection, now.date())
    if connection.execute(delete(usage).where(usage.c.day < before)).rowcount:
        count_all(connection, before)
    connection.execute(delete(named).where(named.c.day < before))
    lasting = (now - LATE).date()
    connection.execute(delete(looker).where(looker.c.day < lasting))
    secret = personal_models.secret
    oldest = f"{SECRET}{lasting.isoformat()}"
    connection.execute(
        delete(secret).where(secret.c.name.startswith(SECRET), secret.c.name < oldest)
    )


def totals(days: Sequence[Day]) -> Mapping[str, int]:
    """Give the looks of these days, the people of the day with most, and looks of machines."""
    return {
        "looks": sum(day.looks for day in days),
        "people": max((day.people for day in days), default=0),
        "machines": sum(day.machines for day in days),
    }
