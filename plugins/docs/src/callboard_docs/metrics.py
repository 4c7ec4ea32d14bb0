"""Figures for `/metrics`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from callboard.contributions import Sample
from callboard_docs.queries import count_states

if TYPE_CHECKING:
    from callboard.host import Host


def count_sites(host: "Host") -> Iterable[Sample]:
    """How many documentations there are, by whether they can be read."""
    with host.read() as connection:
        counts = count_states(connection)
    return [Sample(value=count, labels={"state": state}) for state, count in counts.items()]
