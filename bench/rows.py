"""What a portal has beside its catalog after a year: changes, faults, deliveries, looks, audit."""

import random
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, func, select, update

from callboard.audit.models import audit_entry
from callboard.database import Database
from callboard_catalog import models
from callboard_catalog.store.bulk import insert_rows
from callboard_web.usage.models import usage
from callboard_web.usage.sums import advance
from callboard_web.webhooks.models import delivery

AGE: Final = timedelta(days=60)
"""How long ago all entities came."""

EVERY: Final = 10
"""Of so many entities one has changed, and of ten times as many one has a fault."""

LEFT: Final = 1_000
CHUNK: Final = 20_000
DAYS: Final = 20


def fill(database: Database, number: int) -> None:
    """Write `number` looks, deliveries and audit entries, and changes and faults of entities."""
    dice = random.Random(7)
    now = datetime.now(UTC)
    with database.write() as connection:
        if connection.scalar(select(func.count()).select_from(delivery)):
            advance(connection, now.date())
            return
        connection.execute(update(models.entity).values(created_at=now - AGE, updated_at=now - AGE))
        entity = models.entity.c
        columns = (entity.id, entity.ref, entity.uid, entity.owner, entity.file_id)
        rows = connection.execute(select(*columns).order_by(entity.id)).all()
        source = connection.scalar(select(models.source.c.id)) or 0
        document = connection.scalar(select(entity.document).limit(1)) or b"{}"
        _changes(connection, rows, zlib.compress(document), now, dice)
        _faults(connection, rows[:: EVERY * 10], source, now)
        looked = [rows[dice.randrange(len(rows))].ref for _ in range(number // DAYS)]
        days = [(now - timedelta(days=day)).date() for day in range(DAYS)]
        _write(connection, usage, ("ref", "day", "looks", "people", "machines"), (
            (ref, day, dice.randrange(50), dice.randrange(5), dice.randrange(9))
            for ref in sorted(set(looked)) for day in days
        ))  # fmt: skip
        advance(connection, now.date())
        _deliveries(connection, number, now, dice)
        _entries(connection, [row.ref for row in rows[:5_000]], number, now)
    if database.dialect == "sqlite":
        with database.write() as connection:
            connection.exec_driver_sql("ANALYZE")
        return
    # As it does by itself some time after so much was written.
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT")
        connection.exec_driver_sql("VACUUM ANALYZE")


def _write(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterator[Sequence[Any]]
) -> None:
    part: list[Sequence[Any]] = []
    for row in rows:
        part.append(row)
        if len(part) == CHUNK:
            insert_rows(connection, table, columns, part)
            part = []
    insert_rows(connection, table, columns, part)


def _changes(
    connection: Connection, rows: Sequence[Any], before: bytes, now: datetime, dice: random.Random
) -> None:
    columns = ("ref", "uid", "at", "action", "source", "path", "head", "changed", "before",
               "created", "owner", "hash")  # fmt: skip
    changed = {"paths": ["metadata.title"]}
    shared = ("generated", "catalog-info.yaml", "", changed, before, now - AGE)
    moments = sorted(now - timedelta(minutes=dice.randrange(40_000)) for _ in rows[::EVERY])
    # All of one moment would be taken for changed whenever one of them is.
    table = models.entity
    connection.execute(
        update(table).where(table.c.id == bindparam("row")).values(updated_at=bindparam("at")),
        [{"row": row.id, "at": at} for at, row in zip(moments, rows[::EVERY], strict=True)],
    )
    gone = [
        (f"component:default/gone-{number}", "", "group:default/gone") for number in range(LEFT)
    ]
    updated = [(row.ref, row.uid, row.owner) for row in rows[::EVERY]]
    _write(connection, models.entity_version, columns, (
        (ref, uid, at, "updated", *shared, owner, "before")
        for at, (ref, uid, owner) in zip(moments, updated, strict=True)
    ))  # fmt: skip
    _write(connection, models.entity_version, columns, (
        (ref, uid, now - timedelta(days=1), "removed", *shared, owner, "before")
        for ref, uid, owner in gone
    ))  # fmt: skip


def _faults(connection: Connection, rows: Sequence[Any], source: int, now: datetime) -> None:
    since = now - timedelta(days=3)
    _write(
        connection,
        models.rejected,
        ("source_id", "file_id", "position", "line", "severity", "code", "message", "ref",
         "owner", "since"),
        (
            (source, row.file_id, 0, 1, severity, "schema.type", "Expected a text.",
             row.ref, row.owner, since)
            for severity in ("error", "warning") for row in rows
        ),
    )  # fmt: skip
    _write(
        connection,
        models.claim,
        ("ref", "source_id", "file_id", "position", "line", "document", "pairs", "hash", "since"),
        ((row.ref, source, row.file_id, 1, 9, b"{}", [], "hash", since) for row in rows),
    )
    _write(
        connection, models.dangling, ("origin_id", "type", "other", "since"),
        ((row.id, "dependsOn", f"component:default/lost-{row.id}", since) for row in rows),
    )  # fmt: skip
    stale = ((row.id, since) for row in rows)
    _write(connection, models.stale, ("entity_id", "since"), stale)


def _deliveries(connection: Connection, number: int, now: datetime, dice: random.Random) -> None:
    columns = ("plugin", "hook", "webhook", "key", "received_at", "last_at", "times", "address",
               "request_id", "event", "headers", "query", "size", "verdict", "reason", "state",
               "outcome", "repository", "links", "attempts")  # fmt: skip
    states = ("done",) * 18 + ("failed", "refused")

    def row(at: int) -> Sequence[Any]:
        moment, state = now - timedelta(minutes=number - at), dice.choice(states)
        verdict = "refused" if state == "refused" else "verified"
        return (
            "scm-hosts", f"host-{at % 5}", "push", f"key-{at}", moment, moment, 1, "192.0.2.1",
            f"request-{at}", "push", {}, {}, 900, verdict, "", state, "", "group/repo", [], 1,
        )  # fmt: skip

    _write(connection, delivery, columns, map(row, range(number)))


def _entries(connection: Connection, refs: Sequence[str], number: int, now: datetime) -> None:
    columns = ("at", "actor", "on_behalf_of", "action", "subject", "before", "after", "address",
               "request_id", "result")  # fmt: skip
    actions = ("catalog.source.refresh", "catalog.entity.delete", "portal.view.save")

    def row(at: int) -> Sequence[Any]:
        return (
            now - timedelta(minutes=number - at), f"user:default/u{at % 500}", "",
            actions[at % len(actions)], refs[at % len(refs)], None,
            None, "192.0.2.1", f"request-{at}", "ok",
        )  # fmt: skip

    _write(connection, audit_entry, columns, map(row, range(number)))
