"""Figures for `/metrics`, of the last day."""

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from callboard.contributions import Sample
from callboard_ci_tekton.models import run
from callboard_ci_tekton.runs.states import UNFINISHED
from callboard_ci_tekton.statistics import grouped, load_finished

if TYPE_CHECKING:
    from callboard.host import Host


def count_open(host: "Host") -> Iterable[Sample]:
    """How many runs have not ended, by cluster and state."""
    query = (
        select(run.c.cluster, run.c.state, func.count().label("number"))
        .where(run.c.state.in_(UNFINISHED))
        .group_by(run.c.cluster, run.c.state)
    )
    with host.read() as connection:
        rows = connection.execute(query).all()
    return [
        Sample(value=row.number, labels={"cluster": row.cluster, "state": row.state})
        for row in rows
    ]


def tell_oldest(host: "Host") -> Iterable[Sample]:
    """How long ago the oldest run was created that has not ended, by cluster and state."""
    query = (
        select(run.c.cluster, run.c.state, func.min(run.c.created_at).label("first"))
        .where(run.c.state.in_(UNFINISHED))
        .group_by(run.c.cluster, run.c.state)
    )
    with host.read() as connection:
        rows = connection.execute(query).all()
    return [
        Sample(
            value=max(0.0, (host.now() - row.first).total_seconds()),
            labels={"cluster": row.cluster, "state": row.state},
        )
        for row in rows
    ]


def tell_finished(host: "Host") -> Iterable[Sample]:
    """Of the runs of the last day, by pipeline: how many, how good, how long, how long they waited.

    All are of one reading of these runs.
    """
    with host.read() as connection:
        rows = load_finished(connection, host.now() - timedelta(days=1))
    return [
        Sample(of=name, value=value, labels={"pipeline": item.name})
        for item in grouped(rows, by_team=False)
        for name, value in (
            ("finished_runs", item.runs), ("success_ratio", item.success_rate),
            ("duration_seconds", item.duration_median), ("queue_seconds", item.queue_median),
        )
        if value is not None
    ]  # fmt: skip
