"""Figures of the charts, by entity and day."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from alembic import op

from callboard.database import Json, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

PAGE = 5000

day = sa.table(
    "ci_tekton_day",
    sa.column("entity", sa.String),
    sa.column("day", sa.Date),
    sa.column("runs", sa.Integer),
    sa.column("succeeded", sa.Integer),
    sa.column("durations", Json),
    sa.column("queues", Json),
)
match = sa.table(
    "ci_tekton_match",
    sa.column("run_id", sa.Integer),
    sa.column("entity", sa.String),
    sa.column("created_at", UtcDateTime),
)
run = sa.table(
    "ci_tekton_run",
    sa.column("id", sa.Integer),
    sa.column("state", sa.String),
    sa.column("duration", sa.Integer),
    sa.column("queued", sa.Integer),
)


def upgrade() -> None:
    op.create_table(
        "ci_tekton_day",
        sa.Column("entity", sa.String(250), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("runs", sa.Integer, nullable=False),
        sa.Column("succeeded", sa.Integer, nullable=False),
        sa.Column("durations", Json, nullable=False),
        sa.Column("queues", Json, nullable=False),
    )
    for (entity, on), runs in groupby(_ended(), lambda row: (row.entity, row.created_at.date())):
        op.get_bind().execute(sa.insert(day), _row(entity, on, list(runs)))


def _ended() -> Iterator[Any]:
    """Give the runs that count, by entity and time: a page in memory at once."""
    place = (match.c.entity, match.c.created_at, match.c.run_id)
    wanted = (
        sa.select(*place, run.c.state, run.c.duration, run.c.queued)
        .join(run, run.c.id == match.c.run_id)
        .where(run.c.state.in_(("succeeded", "failed", "timed_out")))
        .order_by(*place)
        .limit(PAGE)
    )
    query = wanted
    while rows := op.get_bind().execute(query).all():
        yield from rows
        last = rows[-1]
        query = wanted.where(
            sa.tuple_(*place) > sa.tuple_(*(
                sa.literal(value, column.type)
                for value, column in zip(last[:3], place, strict=True)
            ))
        )  # fmt: skip


def _row(entity: str, on: date, runs: Sequence[Any]) -> dict[str, Any]:
    return {
        "entity": entity,
        "day": on,
        "runs": len(runs),
        "succeeded": sum(item.state == "succeeded" for item in runs),
        "durations": sorted(item.duration for item in runs if item.duration is not None),
        "queues": sorted(item.queued for item in runs if item.queued is not None),
    }
