"""Figures for `/metrics`."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from callboard.contributions import Sample
from callboard_scm_hosts.queries import STATES, load_counts, load_discoveries, load_states

if TYPE_CHECKING:
    from callboard.host import Host


def count_repositories(host: "Host") -> Iterable[Sample]:
    """How many repositories there are, by discovery and state."""
    with host.read() as connection:
        counts = load_counts(connection)
    return [
        Sample(value=found.get(state, 0), labels={"discovery": name, "state": state})
        for name, found in sorted(counts.items())
        for state in STATES
    ]


def count_requests(host: "Host") -> Iterable[Sample]:
    """How many requests each host was sent, by what came of them."""
    with host.read() as connection:
        states = load_states(connection)
    return [
        Sample(value=value, labels={"host": name, "result": result})
        for name, state in sorted(states.items())
        for result, value in (
            ("not_modified", state.not_modified),
            ("failed", state.failures),
            ("answered", max(0, state.requests - state.not_modified - state.failures)),
        )
    ]


def tell_remaining(host: "Host") -> Iterable[Sample]:
    """How many requests each host said it still allows."""
    with host.read() as connection:
        states = load_states(connection)
    return [
        Sample(value=state.remaining, labels={"host": name})
        for name, state in sorted(states.items())
        if state.remaining is not None
    ]


def longest_failure(host: "Host") -> Iterable[Sample]:
    """For how long each discovery has been failing, in seconds."""
    now = host.now()
    with host.read() as connection:
        rows = load_discoveries(connection)
    return [
        Sample(
            value=(now - row.failing_since).total_seconds() if row.failing_since else 0.0,
            labels={"discovery": name},
        )
        for name, row in sorted(rows.items())
    ]
