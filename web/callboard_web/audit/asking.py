"""What the address of the page of the audit log asks for."""

from collections.abc import Iterable, Mapping
from typing import Final

from callboard.audit import Question
from callboard.i18n import Text, Translator
from callboard_web.log_filters import LogFilters
from callboard_web.preferences import Reader

_: Final = Translator("callboard")

RESULTS: Final = ("ok", "denied", "failed")

FILTERS: Final[Mapping[str, Text]] = {
    "text": _("Text"),
    "actor": _.context("audit", "Who"),
    "action": _("What"),
    "subject": _("About"),
    "address": _("From where"),
    "request_id": _("Request"),
    "result": _("Result"),
    "since": _("From"),
    "until": _("Until"),
}


def filters_of(pairs: Iterable[tuple[str, str]], reader: Reader) -> LogFilters[Question]:
    """Read an address; what is typed wrongly narrows nothing and is told of."""
    return LogFilters.of(
        pairs,
        reader,
        path="/audit",
        names=FILTERS,
        known={"result": RESULTS},
        question=lambda given: Question(**given),
    )
