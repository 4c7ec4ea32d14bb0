"""Clusters and watches in people's words: what is the matter, and what to do."""

from collections.abc import Mapping
from typing import Final

from callboard.contributions import Status
from callboard.i18n import Text, Translator
from callboard.kubernetes.failures import hint_of
from callboard_web.clusters.service import UNHELD, Overview

_: Final = Translator("callboard")

WORDS: Final[Mapping[str, Text]] = {
    "answering": _.context("cluster", "Answering"),
    "unknown": _.context("cluster", "Not asked yet"),
    "watching": _.context("cluster", "Followed"),
    "listing": _.context("cluster", "Reading everything"),
    "waiting": _.context("cluster", "Waiting"),
    UNHELD: _.context("cluster", "Nobody watches"),
    "absent": _.context("cluster", "Kind not served"),
    "down": _.context("cluster", "No answer"),
    "slow": _.context("cluster", "Too slow"),
    "misconfigured": _.context("cluster", "Settings unusable"),
    "unauthenticated": _.context("cluster", "Credentials refused"),
    "forbidden": _.context("cluster", "Not allowed"),
    "busy": _.context("cluster", "Overloaded"),
    "gone": _.context("cluster", "Expired"),
}
FAILED: Final = _.context("cluster", "Failing")

STATUS: Final[Mapping[str, Status]] = {
    "answering": "ok",
    "watching": "ok",
    "listing": "run",
    "waiting": "todo",
    "unknown": "todo",
    "absent": "todo",
    UNHELD: "warn",
    "slow": "warn",
    "busy": "warn",
}

_HINTS: Final[Mapping[str, Text]] = {
    UNHELD: _(
        "A process that runs jobs watches within seconds: start callboard serve or callboard "
        "worker, with jobs.workers above 0."
    ),
    "busy": _("It is tried again by itself, as late as the cluster asks."),
    "failed": _("It is tried again by itself; the log of the API server says more."),
    "gone": _("Everything is read anew by itself."),
}


def words_of(state: str) -> Text:
    """Give a state of a cluster or a watch in two or three words."""
    return WORDS.get(state, FAILED)


def status_of(state: str) -> Status:
    """Give the mark of a state."""
    return STATUS.get(state, "bad")


def next_step(state: str) -> Text:
    """Say what to do about a state; empty where nothing is to be done."""
    if status_of(state) == "ok":
        return ""
    return _HINTS.get(state) or hint_of(state)  # type: ignore[arg-type]


def is_troubled(item: Overview) -> bool:
    """Say whether somebody should look at a cluster, its rights, a watch, or who follows it."""
    states = (item.state.state, *(watch.state for watch in item.watches))
    return (
        any(status_of(state) in {"bad", "warn"} for state in states)
        or any(watch.failing for watch in item.watches)
        or bool(item.needed)
    )
