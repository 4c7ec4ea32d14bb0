"""What pages and the API show of deliveries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    func,
    literal,
    select,
    union_all,
)

from callboard.database.types import UtcDateTime
from callboard_web.webhooks.masking import unpack
from callboard_web.webhooks.models import delivery
from callboard_web.webhooks.store import _COLUMNS, Delivery, State, delivery_of

HookKey = tuple[str, str]
"""A plugin, and the last part of the address of one of its hooks."""

HOOKS: Final = 100
"""Hooks that are asked about by one statement."""

LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What of the deliveries is looked for; empty is anything."""

    plugin: str = ""
    hook: str = ""
    verdict: str = ""
    state: str = ""
    event: str = ""
    since: datetime | None = None
    until: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Fares:
    """How a hook fares. `refused` and `failed` count what came since the last good one."""

    last_good: datetime | None = None
    last_refused: datetime | None = None
    refused: int = 0
    failed: int = 0


def page(
    connection: Connection, question: Question, *, before: int = 0, limit: int = 50
) -> Sequence[Delivery]:
    """Give deliveries, the newest first; `before` is the last number of the page before."""
    statement = _narrowed(select(*_COLUMNS), question).order_by(delivery.c.id.desc()).limit(limit)
    if before:
        statement = statement.where(delivery.c.id < before)
    return [delivery_of(row) for row in connection.execute(statement)]


def _narrowed(statement: Select[Any], question: Question) -> Select[Any]:
    for name in ("plugin", "hook", "verdict", "state", "event"):
        if value := getattr(question, name):
            statement = statement.where(delivery.c[name] == value)
    if question.verdict == "refused":  # which is a state too, and there is an index of states
        statement = statement.where(delivery.c.state == "refused")
    if question.since:
        statement = statement.where(delivery.c.last_at >= question.since)
    if question.until:
        statement = statement.where(delivery.c.received_at < question.until)
    return statement


def find(connection: Connection, number: int) -> Delivery | None:
    """Give one delivery, or None where there is none (any more)."""
    row = connection.execute(select(*_COLUMNS).where(delivery.c.id == number)).one_or_none()
    return delivery_of(row) if row else None


def body_of(connection: Connection, number: int) -> bytes:
    """Give what was sent, empty for a refused delivery."""
    query = select(delivery.c.body).where(delivery.c.id == number)
    return unpack(connection.execute(query).scalar())


def fares(connection: Connection) -> Mapping[HookKey, Fares]:
    """Say how each hook fares that has had a delivery."""
    hooks = _hooks()
    # In a step of its own: PostgreSQL would take one statement for a dear one, and compile it.
    keys = connection.execute(select(hooks).where(hooks.c.hook.is_not(None))).all()
    return {
        (row.plugin, row.hook): Fares(
            last_good=row.last_good,
            last_refused=row.last_refused,
            refused=int(row.refused),
            failed=row.failed,
        )
        for start in range(0, len(keys), HOOKS)
        for row in connection.execute(_fares(keys[start : start + HOOKS]))
    }


def _fares(keys: Iterable[Row[Any]]) -> Select[Any]:
    """Look up what is told of each hook in the index; what went well is not counted for it."""
    hooks = union_all(
        *(select(literal(key.plugin).label("plugin"), literal(key.hook).label("hook"))
          for key in keys)
    ).subquery("hooks")  # fmt: skip
    of_hook = and_(delivery.c.plugin == hooks.c.plugin, delivery.c.hook == hooks.c.hook)
    last = select(func.max(delivery.c.last_at)).where(of_hook).correlate(hooks)
    good = and_(delivery.c.verdict == "verified", delivery.c.state == "done")
    refused = and_(delivery.c.verdict == "refused", delivery.c.state == "refused")
    known = select(
        hooks.c.plugin,
        hooks.c.hook,
        last.where(good).scalar_subquery().label("last_good"),
        last.where(refused).scalar_subquery().label("last_refused"),
    ).subquery("known")
    later = and_(
        delivery.c.plugin == known.c.plugin,
        delivery.c.hook == known.c.hook,
        delivery.c.last_at > func.coalesce(known.c.last_good, literal(LONG_AGO, UtcDateTime)),
    )
    failed = and_(delivery.c.verdict == "verified", delivery.c.state == "failed")
    times = select(func.coalesce(func.sum(delivery.c.times), 0)).where(later, refused)
    number = select(func.count()).select_from(delivery).where(later, failed)
    return select(
        known,
        times.correlate(known).scalar_subquery().label("refused"),
        number.correlate(known).scalar_subquery().label("failed"),
    )


def _hooks() -> CTE:
    """Give the hooks that have had deliveries, and a row without one after those of a plugin."""
    plugins = _each(delivery.c.plugin)
    hook = func.min(delivery.c.hook)
    first = select(hook).where(delivery.c.plugin == plugins.c.plugin).correlate(plugins)
    found = (
        select(plugins.c.plugin, first.scalar_subquery().label("hook"))
        .where(plugins.c.plugin.is_not(None))
        .cte("hooks", recursive=True)
    )
    same = delivery.c.plugin == found.c.plugin
    further = select(hook).where(same, delivery.c.hook > found.c.hook).correlate(found)
    return found.union_all(
        select(found.c.plugin, further.scalar_subquery()).where(found.c.hook.is_not(None))
    )


def _each(column: ColumnElement[str]) -> CTE:
    """Give each value of the first column of an index once, then none: from one to the next.

    `SELECT DISTINCT` reads every row instead.
    """
    name = str(column.key)
    found = select(func.min(column).label(name)).where(column != "").cte(f"{name}s", recursive=True)
    further = select(func.min(column)).where(column > found.c[name]).correlate(found)
    return found.union_all(
        select(further.scalar_subquery()).select_from(found).where(found.c[name].is_not(None))
    )


def kept(connection: Connection) -> Sequence[tuple[str, str, State, int]]:
    """Give how many deliveries of each plugin and hook are in each state. Reads a whole index."""
    columns = (delivery.c.plugin, delivery.c.hook, delivery.c.state)
    query = select(*columns, func.count()).group_by(*columns)
    return [(*row,) for row in connection.execute(query)]


def events_of(connection: Connection, limit: int = 100) -> Sequence[str]:
    """Give the kinds of events that were told of, for the filter."""
    every = _each(delivery.c.event)
    query = select(every.c.event).where(every.c.event.is_not(None)).limit(limit)
    return sorted(connection.execute(query).scalars())


UNKNOWN: Final = Fares()
