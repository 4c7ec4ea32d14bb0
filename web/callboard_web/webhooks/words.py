"""Deliveries in people's words."""

from collections.abc import Mapping
from typing import Final

from callboard.i18n import Text, Translator
from callboard_web.webhooks.reading import Fares
from callboard_web.webhooks.store import State, Verdict

_: Final = Translator("callboard")

STATE_WORDS: Final[Mapping[State, Text]] = {
    "waiting": _.context("delivery", "Waiting"),
    "working": _.context("delivery", "Being worked"),
    "done": _.context("delivery", "Worked"),
    "failed": _.context("delivery", "Failed"),
    "refused": _.context("delivery", "Refused"),
}
STATE_STATUS: Final[Mapping[State, str]] = {
    "waiting": "todo",
    "working": "run",
    "done": "ok",
    "failed": "bad",
    "refused": "block",
}
VERDICT_WORDS: Final[Mapping[Verdict, Text]] = {
    "verified": _.context("delivery", "Genuine"),
    "refused": _.context("delivery", "Refused"),
}
VERDICT_STATUS: Final[Mapping[Verdict, str]] = {"verified": "ok", "refused": "block"}


def health_of(fares: Fares) -> tuple[str, Text]:
    """Give a hook's health as a status and its words."""
    if fares.failed:
        return "bad", _.plural(
            "%(number)s delivery failed since the last good one",
            "%(number)s deliveries failed since the last good one",
            fares.failed,
        )
    if fares.refused:
        return "warn", _.plural(
            "%(number)s delivery refused since the last good one",
            "%(number)s deliveries refused since the last good one",
            fares.refused,
        )
    if fares.last_good:
        return "ok", _("Working")
    return "todo", _("Nothing has come yet")
