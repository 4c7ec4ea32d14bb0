"""What the address of the page of deliveries asks for."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from callboard.i18n import Text, Translator
from callboard_web.log_filters import LogFilters
from callboard_web.preferences import Reader
from callboard_web.webhooks.reading import Question
from callboard_web.webhooks.words import STATE_WORDS, VERDICT_WORDS

_: Final = Translator("callboard")

LABELS: Final[Mapping[str, Text]] = {
    "hook": _("Webhook"),
    "verdict": _("Verdict"),
    "state": _("State"),
    "event": _.context("delivery", "Event"),
    "since": _("From"),
    "until": _("Until"),
}


def filters_of(pairs: Iterable[tuple[str, str]], reader: Reader) -> LogFilters[Question]:
    """Read an address; what is typed wrongly narrows nothing and is told of."""
    return LogFilters.of(
        pairs,
        reader,
        path="/deliveries",
        names=LABELS,
        known={"state": STATE_WORDS, "verdict": VERDICT_WORDS},
        question=_question,
    )


def _question(given: Mapping[str, Any]) -> Question:
    plugin, _dot, hook = given["hook"].partition(".")
    return Question(**{**given, "plugin": plugin, "hook": hook})


def moment_in(text: str) -> datetime | None:
    """Read a time as machines write it (ISO 8601, UTC without a zone); None for what is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
