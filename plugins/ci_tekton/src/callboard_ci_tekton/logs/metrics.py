"""Figures on logs for `/metrics`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from callboard.contributions import Sample
from callboard_ci_tekton.logs.hub import hub_of
from callboard_ci_tekton.models import log

if TYPE_CHECKING:
    from callboard.host import Host


def tell_bytes(host: "Host") -> Iterable[Sample]:
    """Bytes that kept logs take in their place."""
    with host.read() as connection:
        query = select(func.coalesce(func.sum(log.c.stored), 0))
        return [Sample(value=float(connection.execute(query).scalar_one()))]


def count_logs(host: "Host") -> Iterable[Sample]:
    """How many logs are in each state."""
    query = select(log.c.state, func.count().label("number")).group_by(log.c.state)
    with host.read() as connection:
        rows = connection.execute(query).all()
    return [Sample(value=row.number, labels={"state": row.state}) for row in rows]


def count_failing(host: "Host") -> Iterable[Sample]:
    """How many logs could not be kept so far, though it was tried."""
    query = select(func.count()).where(log.c.state == "waiting", log.c.attempts > 0)
    with host.read() as connection:
        return [Sample(value=float(connection.execute(query).scalar_one()))]


def count_followed(host: "Host") -> Iterable[Sample]:
    """How many logs this process follows."""
    return [Sample(value=hub_of(host).followed)]


def count_readers(host: "Host") -> Iterable[Sample]:
    """How many people read them as they are written."""
    return [Sample(value=hub_of(host).readers)]
