"""Figures for `/metrics`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from callboard.contributions import Sample
from callboard_scm_git.queries import load_repositories

if TYPE_CHECKING:
    from callboard.host import Host


def count_repositories(host: "Host") -> Iterable[Sample]:
    """How many repositories there are, by whether they can be read."""
    with host.read() as connection:
        rows = load_repositories(connection)
    refused = sum(1 for row in rows if row.next_try_at)
    failing = sum(1 for row in rows if row.failing_since) - refused
    waiting = sum(1 for row in rows if row.read_at is None and not row.failing_since)
    read = len(rows) - failing - refused - waiting
    counts = {"read": read, "failing": failing, "refused": refused, "waiting": waiting}
    return [Sample(value=count, labels={"state": state}) for state, count in counts.items()]


def longest_failure(host: "Host") -> Iterable[Sample]:
    """For how long the repository that fails longest could not be read, in seconds."""
    now = host.now()
    with host.read() as connection:
        rows = load_repositories(connection)
    ages = [(now - row.failing_since).total_seconds() for row in rows if row.failing_since]
    return [Sample(value=max(ages, default=0.0))]
