"""Rows of what was pushed and of what rules said, a fixed number of statements for any number."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from callboard_ci_tekton.models import delivery, push, run
from callboard_ci_tekton.push.model import News, Verdict

DONE: Final = ("started", "forwarded")
"""States of a rule's answer that nothing takes back: what it asked for has happened."""

_NEWS: Final = tuple(News.__dataclass_fields__)


def news_of(row: Row[Any]) -> News:
    """Give a row of `push` as rules see it."""
    values = {name: getattr(row, name) for name in _NEWS}
    values["files"] = None if row.files is None else tuple(row.files)
    return News(**values)


def load_push(connection: Connection, number: int) -> Row[Any] | None:
    """Give a row of `push`; None where it is kept no longer."""
    return connection.execute(select(push).where(push.c.id == number)).one_or_none()


def load_delivery(connection: Connection, number: int) -> Row[Any] | None:
    """Give what a rule said, with the news it answered and how its run fares."""
    joined = delivery.join(push, push.c.id == delivery.c.push_id).outerjoin(
        run, run.c.id == delivery.c.run_id
    )
    wanted = (
        *delivery.c,
        *(push.c[name].label(f"push_{name}") for name in (*_NEWS, "key", "delivery")),
        run.c.state.label("run_state"),
    )
    query = select(*wanted).select_from(joined).where(delivery.c.id == number)
    return connection.execute(query).one_or_none()


def known_keys(connection: Connection, keys: Collection[str]) -> dict[str, Any]:
    """Give the rows of `push` by their keys."""
    query = select(push.c.id, push.c.key, push.c.state).where(push.c.key.in_(sorted(keys)))
    return {row.key: row for row in connection.execute(query)}


def add_pushes(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write news that are not known yet."""
    if rows:
        connection.execute(insert(push), list(rows))


def set_push(connection: Connection, number: int, **values: Any) -> None:
    """Change a row of `push`."""
    connection.execute(update(push).where(push.c.id == number).values(**values))


def set_delivery(connection: Connection, number: int, **values: Any) -> None:
    """Change what is known of a rule's answer."""
    connection.execute(update(delivery).where(delivery.c.id == number).values(**values))


def write_verdicts(connection: Connection, number: int, verdicts: Sequence[Verdict]) -> list[int]:
    """Write what rules said to news and give the rows that are to be started.

    What has happened already stays as it is, however often the same news are looked at.
    """
    query = select(delivery).where(delivery.c.push_id == number)
    known = {row.rule: row for row in connection.execute(query)}
    waiting = []
    for position, verdict in enumerate(verdicts):
        had = known.get(verdict.rule)
        if had is not None and had.state in DONE:
            continue
        values = _row(position, verdict)
        if had is None:
            made = insert(delivery).values(push_id=number, rule=verdict.rule, **values)
            row = connection.execute(made.returning(delivery.c.id)).scalar_one()
        else:
            row = had.id
            set_delivery(connection, row, **values)
        if verdict.plan is not None:
            waiting.append(int(row))
    return waiting


def _row(position: int, verdict: Verdict) -> dict[str, Any]:
    plan = verdict.plan
    state = "waiting" if plan else "failed" if verdict.failed else "ignored"
    return {
        "position": position,
        "state": state,
        "reason": verdict.reason,
        "plan": plan.to_data() if plan else {},
        "pipeline": plan.pipeline if plan else "",
        "cluster": plan.cluster if plan else "",
        "namespace": plan.namespace if plan else "",
        "name": "",
        "event": "",
        "context": verdict.context,
        "told": "",
        "told_error": "",
    }
