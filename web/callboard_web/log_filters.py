"""What the address of a page that lists a log asks for: words, times, and where it begins."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, Self, TypeVar
from urllib.parse import urlencode

from callboard.i18n import Text, Translator
from callboard_web.preferences import Reader

_: Final = Translator("callboard")

Q = TypeVar("Q")

TIMES: Final = ("since", "until")
LONGEST: Final = 300

_FORMATS: Final = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_YEARS: Final = range(2, 9999)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilters(Generic[Q]):
    """The values of the form, as they were typed, and what of them could not be understood."""

    path: str
    values: Mapping[str, str]
    faults: Mapping[str, Text]
    question: Q
    before: int

    @classmethod
    def of(
        cls,
        pairs: Iterable[tuple[str, str]],
        reader: Reader,
        *,
        path: str,
        names: Iterable[str],
        known: Mapping[str, Collection[str]],
        question: Callable[[Mapping[str, Any]], Q],
    ) -> Self:
        """Read an address; what is typed wrongly narrows nothing and is told of.

        `names` are those of the form, `TIMES` among them; `known` has the values of those that
        are chosen. `question` is made of what was understood, times as such.
        """
        given = dict(pairs)
        values = {name: given.get(name, "").strip()[:LONGEST] for name in names}
        moments = {name: moment_of(values[name], reader) for name in TIMES}
        faults: dict[str, Text] = {
            name: _("Expected a day, or a day and a time: 2026-03-02 or 2026-03-02 08:30.")
            for name, moment in moments.items()
            if values[name] and moment is None
        }
        values |= {name: "" for name, choices in known.items() if values[name] not in choices}
        return cls(
            path=path,
            values={name: value for name, value in values.items() if value},
            faults=faults,
            question=question({**values, **moments}),
            before=_number_in(given.get("before", "")),
        )

    def url(self, path: str = "", **changed: str | int) -> str:
        """Give an address with some of it changed; an empty value takes it out."""
        values = {**self.values, **changed}
        query = urlencode({name: value for name, value in values.items() if value})
        address = path or self.path
        return f"{address}?{query}" if query else address


def moment_of(text: str, reader: Reader) -> datetime | None:
    """Read a time in the reader's zone."""
    for form in _FORMATS:
        try:
            local = datetime.strptime(text, form).replace(tzinfo=reader.zone)
        except ValueError:
            continue
        # The first and last years of all are in no other time zone.
        return local.astimezone(UTC) if local.year in _YEARS else None
    return None


def _number_in(text: str) -> int:
    """Give a number, or 0 for what is none that a database holds."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
