"""Every change of the table of deliveries, each a step of the caller's transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Connection, Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from callboard import events
from callboard.database.types import read_text, write_text
from callboard.i18n import Text
from callboard.jobs.models import job_run
from callboard_web.webhooks.models import delivery

State = Literal["waiting", "working", "done", "failed", "refused"]
Verdict = Literal["verified", "refused"]

STATES: Final[tuple[State, ...]] = ("waiting", "working", "done", "failed", "refused")
OPEN: Final = ("waiting", "working")
BATCH: Final = 1_000
RECEIVED: Final = "portal.webhook.received"
FAILED: Final = "portal.webhook.failed"
REFUSED: Final = "portal.webhook.refused"
REPLAYED: Final = "portal.webhook.replayed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A delivery as its row says, without its body; see `models.delivery`."""

    id: int
    plugin: str
    hook: str
    webhook: str
    key: str
    received_at: datetime
    last_at: datetime
    times: int
    address: str
    request_id: str
    event: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    size: int
    verdict: Verdict
    reason: Text
    state: State
    outcome: Text
    repository: str
    links: Sequence[tuple[Text, str]]
    attempts: int
    run: int | None
    finished_at: datetime | None

    @property
    def subject(self) -> str:
        return f"delivery:{self.id}"

    @property
    def can_be_replayed(self) -> bool:
        return self.state in ("done", "failed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What is kept of a delivery when it comes. `body` is compressed, None for a refused one."""

    plugin: str
    hook: str
    webhook: str
    key: str
    at: datetime
    address: str
    request_id: str
    event: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes | None
    size: int
    reason: Text = ""


_COLUMNS: Final = [column for column in delivery.c if column.name != "body"]


def delivery_of(row: Row[Any]) -> Delivery:
    """Give a row of `_COLUMNS` as it is known elsewhere."""
    values = dict(row._mapping)
    links = [(read_text(words), path) for words, path in values.pop("links")]
    return Delivery(**values, links=links)


def keep(connection: Connection, arrival: Arrival) -> int | None:
    """Keep a verified delivery and give its number; None where it is there already."""
    dialect: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = (
        dialect.insert(delivery)
        .values(_row(arrival, "verified", "waiting"))
        .on_conflict_do_nothing(
            index_elements=["plugin", "hook", "key"],
            index_where=delivery.c.verdict == "verified",
        )
        .returning(delivery.c.id)
    )
    number = connection.execute(statement).scalar_one_or_none()
    if number is not None:
        data = {"hook": arrival.hook, "event": arrival.event}
        events.publish(connection, RECEIVED, f"delivery:{number}", data, at=arrival.at)
    return number


def repeated(connection: Connection, arrival: Arrival) -> Delivery:
    """Count one that has come again, and give it as it is."""
    same = and_(
        delivery.c.plugin == arrival.plugin,
        delivery.c.hook == arrival.hook,
        delivery.c.key == arrival.key,
        delivery.c.verdict == "verified",
    )
    counted = {"times": delivery.c.times + 1, "last_at": arrival.at}
    changed = update(delivery).where(same).values(counted).returning(*_COLUMNS)
    return delivery_of(connection.execute(changed).one())


def keep_refused(connection: Connection, arrival: Arrival) -> int:
    """Keep that a delivery was refused and give the number of the row."""
    statement = insert(delivery).values(_row(arrival, "refused", "refused"))
    number = int(connection.execute(statement.returning(delivery.c.id)).scalar_one())
    data = {"hook": arrival.hook, "address": arrival.address}
    events.publish(connection, REFUSED, f"delivery:{number}", data, at=arrival.at)
    return number


def count_refused(connection: Connection, number: int, further: int, last: datetime) -> None:
    """Count more that were refused for the same reason."""
    counted = {"times": delivery.c.times + further, "last_at": last}
    connection.execute(update(delivery).where(delivery.c.id == number).values(counted))


def _row(arrival: Arrival, verdict: Verdict, state: State) -> dict[str, Any]:
    return {
        "plugin": arrival.plugin,
        "hook": arrival.hook,
        "webhook": arrival.webhook,
        "key": arrival.key,
        "received_at": arrival.at,
        "last_at": arrival.at,
        "times": 1,
        "address": arrival.address[:64],
        "request_id": arrival.request_id[:64],
        "event": arrival.event[:120],
        "headers": dict(arrival.headers),
        "query": dict(arrival.query),
        "body": arrival.body,
        "size": arrival.size,
        "verdict": verdict,
        "reason": arrival.reason,
        "state": state,
        "outcome": "",
        "repository": "",
        "links": [],
        "attempts": 0,
    }


def submitted(connection: Connection, number: int, run: int) -> None:
    """Note the run that is to handle a delivery."""
    connection.execute(update(delivery).where(delivery.c.id == number).values(run=run))


def begin(connection: Connection, number: int, run: int) -> tuple[Delivery, bytes | None] | None:
    """Begin an attempt; None where there is nothing (more) to do.

    One that is being worked on was given up by another run: a job and key run one at a time.
    """
    statement = (
        update(delivery)
        .where(delivery.c.id == number, delivery.c.state.in_(OPEN))
        .values(state="working", attempts=delivery.c.attempts + 1, run=run)
        .returning(*_COLUMNS, delivery.c.body)
    )
    row = connection.execute(statement).one_or_none()
    if row is None:
        return None
    values = dict(row._mapping)
    body = values.pop("body")
    links = [(read_text(words), path) for words, path in values.pop("links")]
    return Delivery(**values, links=links), body


def end(
    connection: Connection,
    begun: Delivery,
    state: State,
    outcome: Text,
    *,
    repository: str = "",
    links: Sequence[tuple[Text, str]] = (),
    at: datetime,
) -> bool:
    """Write what came of an attempt; False where another has begun meanwhile."""
    values = {
        "state": state,
        "outcome": outcome,
        "repository": repository,
        "links": [(write_text(words), path) for words, path in links],
        "finished_at": None if state in OPEN else at,
    }
    ours = and_(
        delivery.c.id == begun.id,
        delivery.c.state == "working",
        delivery.c.attempts == begun.attempts,
    )
    kept = connection.execute(update(delivery).where(ours).values(values)).rowcount == 1
    if kept and state == "failed":
        _tell_failed(connection, begun.id, begun.hook, at)
    return kept


def _tell_failed(connection: Connection, number: int, hook: str, at: datetime) -> None:
    events.publish(connection, FAILED, f"delivery:{number}", {"hook": hook}, at=at)


def again(connection: Connection, number: int, states: Sequence[State]) -> Delivery | None:
    """Let a delivery wait to be handled once more, if it is in one of these states."""
    statement = (
        update(delivery)
        .where(delivery.c.id == number, delivery.c.state.in_(states))
        .values(state="waiting", finished_at=None)
        .returning(*_COLUMNS)
    )
    row = connection.execute(statement).one_or_none()
    return delivery_of(row) if row else None


def give_up(connection: Connection, why: Text, at: datetime) -> int:
    """Fail deliveries whose run has ended without a word: killed at the last attempt, timed out,
    cancelled. Give how many there were."""
    joined = delivery.outerjoin(job_run, job_run.c.id == delivery.c.run)
    query = (
        select(delivery.c.id, delivery.c.hook, job_run.c.error)
        .select_from(joined)
        .where(
            delivery.c.state.in_(OPEN),
            or_(job_run.c.id.is_(None), job_run.c.state.not_in(("waiting", "running"))),
        )
        .limit(BATCH)
    )
    rows = connection.execute(query).all()
    for row in rows:
        ended = {"state": "failed", "outcome": row.error or why, "finished_at": at}
        connection.execute(update(delivery).where(delivery.c.id == row.id).values(ended))
    for row in rows:
        _tell_failed(connection, row.id, row.hook, at)
    return len(rows)


def prune(connection: Connection, *, before: datetime, most: int, refused: int) -> int:
    """Delete what is too old or too much, a batch at most, and give how many rows.

    What still has to be worked stays, and so does the newest genuine one of each hook: when a
    hook worked last must be known however long ago that is.
    """
    newest = (
        select(func.max(delivery.c.id))
        .where(delivery.c.verdict == "verified")
        .group_by(delivery.c.plugin, delivery.c.hook)
    )
    too_much = or_(
        delivery.c.last_at < before,
        delivery.c.id <= _beyond(connection, most),
        and_(
            delivery.c.verdict == "refused",
            delivery.c.id <= _beyond(connection, refused, verdict="refused"),
        ),
    )
    chosen = (
        select(delivery.c.id)
        .where(too_much, delivery.c.state.not_in(OPEN), delivery.c.id.not_in(newest))
        .limit(BATCH)
    )
    return connection.execute(delete(delivery).where(delivery.c.id.in_(chosen))).rowcount


def _beyond(connection: Connection, most: int, verdict: Verdict | None = None) -> int:
    """Give the number of the newest row that is beyond a bound, or 0."""
    query = select(delivery.c.id).order_by(delivery.c.id.desc()).offset(most).limit(1)
    if verdict:
        query = query.where(delivery.c.verdict == verdict)
    return connection.execute(query).scalar() or 0
