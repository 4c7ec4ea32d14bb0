"""What the address of a page about the past asks for."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Self
from urllib.parse import urlencode

from callboard.entities import EntityRef
from callboard.errors import InputError
from callboard.i18n import Text, Translator
from callboard_catalog.history.values import DIFFERENCES, PastRequest
from callboard_catalog.reading import stored_form
from callboard_web.log_filters import moment_of
from callboard_web.preferences import Reader

_: Final = Translator("callboard")

PATH: Final = "/catalog/past"
SHOWN: Final = ("was", *DIFFERENCES)
LONGEST: Final = 300
MOMENT: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Asked:
    """The values of the form as they were typed, the time they name, and what is wrong with them.

    `show` is `was` for the list as it was, or what has happened since: `came`, `changed`, `left`.
    """

    text: str = ""
    at: datetime | None = None
    show: str = "was"
    kind: str = ""
    namespace: str = ""
    owner: str = ""
    after: str = ""
    fault: Text = ""

    @classmethod
    def of(cls, given: Mapping[str, str], reader: Reader) -> Self:
        """Read an address; what is typed wrongly is told of."""
        values = {
            name: given.get(name, "").replace("\0", "").strip()[:LONGEST]
            for name in ("at", "show", "kind", "namespace", "owner", "after")
        }
        at = read_moment(values["at"], reader)
        fault: Text = ""
        if values["at"] and at is None:
            fault = _("Expected a day, or a day and a time: 2026-03-02 or 2026-03-02 08:30.")
        elif at and at > reader.now:
            fault, at = _("This time has not come yet."), None
        return cls(
            text=values["at"],
            at=at,
            show=values["show"] if values["show"] in SHOWN else "was",
            kind=values["kind"].lower(),
            namespace=values["namespace"].lower(),
            owner=values["owner"],
            after=values["after"],
            fault=fault,
        )

    def request(self, at: datetime, limit: int) -> PastRequest:
        """Give the same as history takes it; an owner that is no reference finds nothing."""
        try:
            owner = EntityRef.parse(self.owner, default_kind="group") if self.owner else None
        except InputError:
            owner = EntityRef.of("group", "-", "-")
        return PastRequest(
            at=at, kind=self.kind, namespace=self.namespace,
            owner=stored_form(owner) if owner else "", after=self.after, limit=limit,
        )  # fmt: skip

    def url(self, **changed: Any) -> str:
        """Give the address with some of it changed; an empty value takes it out."""
        asked = replace(self, **changed)
        values = {
            "at": written(asked.at) if asked.at and asked.text == self.text else asked.text,
            "show": "" if asked.show == "was" else asked.show,
            "kind": asked.kind, "namespace": asked.namespace, "owner": asked.owner,
            "after": asked.after,
        }  # fmt: skip
        query = urlencode({name: value for name, value in values.items() if value})
        return f"{PATH}?{query}" if query else PATH


def read_moment(text: str, reader: Reader) -> datetime | None:
    """Read a time in the reader's zone, or one that names its zone; None for any other text."""
    found = moment_of(text, reader)
    if found is None and len(text) <= LONGEST:
        try:
            given = datetime.fromisoformat(text.replace(" ", "+"))
            found = given.astimezone(UTC) if given.tzinfo else None
        except (ValueError, OverflowError):
            return None
    return found


def written(at: datetime) -> str:
    """Write a time so that it reads back the same in every zone."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def past_address(ref: EntityRef, at: datetime, *, before: bool = False) -> str:
    """Give the address of an entity as it was at a time, or right before a change of that time."""
    moment = at - MOMENT if before else at
    return f"{PATH}/entity?{urlencode({'at': written(moment), 'ref': str(ref)})}"
