"""Figures of projects for `/metrics`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from callboard.contributions import Sample
from callboard_ci_tekton.models import project

if TYPE_CHECKING:
    from callboard.host import Host


def count_failing(host: "Host") -> Iterable[Sample]:
    """How many projects could not be read the last time, by host."""
    if not host.settings.gitlab.enabled:
        return []
    failing = func.count(project.c.failing_since).label("failing")
    query = select(project.c.host, failing).group_by(project.c.host)
    with host.read() as connection:
        rows = connection.execute(query).all()
    return [Sample(value=row.failing, labels={"host": row.host}) for row in rows]
