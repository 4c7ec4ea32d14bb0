"""What the address of the page of the audit log asks for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self
from urllib.parse import urlencode

from callboard.audit import Question
from callboard.i18n import Text, Translator
from callboard_web.preferences import Reader

_: Final = Translator("callboard")

TEXTS: Final = ("text", "actor", "action", "subject", "address", "request_id")
TIMES: Final = ("since", "until")
NAMES: Final = (*TEXTS, "result", *TIMES)
LONGEST: Final = 300
RESULTS: Final = ("ok", "denied", "failed")

_FORMATS: Final = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_YEARS: Final = range(2, 9999)

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


@dataclass(frozen=True, slots=True)
class Asked:
    """The values of the form, as they were typed, and what of them could not be understood."""

    values: Mapping[str, str] = field(default_factory=dict)
    faults: Mapping[str, Text] = field(default_factory=dict)
    question: Question = field(default_factory=Question)
    before: int = 0

    @classmethod
    def of(cls, pairs: Iterable[tuple[str, str]], reader: Reader) -> Self:
        """Read an address; what is typed wrongly narrows nothing and is told of."""
        given = dict(pairs)
        values = {name: given.get(name, "").strip()[:LONGEST] for name in NAMES}
        faults: dict[str, Text] = {}
        moments: dict[str, datetime | None] = {}
        for name in TIMES:
            moments[name] = _moment(values[name], reader)
            if values[name] and moments[name] is None:
                faults[name] = _("Expected a day, or a day and a time: 2026-03-02 or "
                                 "2026-03-02 08:30.")  # fmt: skip
        if values["result"] not in RESULTS:
            values["result"] = ""
        narrowing: dict[str, Any] = {**values, **moments}
        before = given.get("before", "")
        number = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else 0
        return cls(
            {name: value for name, value in values.items() if value},
            faults,
            Question(**narrowing),
            number,
        )

    def url(self, path: str = "/audit", **changed: str | int) -> str:
        """Give an address with some of it changed; an empty value takes it out."""
        values = {**self.values, **changed}
        query = urlencode({name: value for name, value in values.items() if value})
        return f"{path}?{query}" if query else path


def _moment(text: str, reader: Reader) -> datetime | None:
    """Read a time in the reader's zone."""
    for form in _FORMATS:
        try:
            local = datetime.strptime(text, form).replace(tzinfo=reader.zone)
        except ValueError:
            continue
        # The first and last years of all are in no other time zone.
        return local.astimezone(UTC) if local.year in _YEARS else None
    return None
