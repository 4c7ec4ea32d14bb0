"""What every source can do."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, Self

from callboard.contributions import SourceTrouble
from callboard.i18n import Text

LONGEST_WORDS = 200
"""Characters of an author's name, and of a commit's subject, that are kept."""


CONTRIBUTED: Final = "plugin"
"""The type of sources that plugins give."""

PUSHED: Final = "push"
"""The type of sources that are not read: others push to them."""

LOCATIONS: Final = "locations"
"""The type of the source of all registered locations."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of a source. `blob` changes when its content does; `fault` says why it is not read,
    `code` what is shown as its kind. Targets of its Locations and placeholders are found below the
    folder `root` only; empty is the whole source.
    """

    path: str
    blob: str
    size: int
    fault: Text = ""
    code: str = "too-large"
    root: str = ""


class Snapshot(Protocol):
    """One state of a source."""

    @property
    def version(self) -> str:
        """What `Reader.version` gives while nothing changes."""

    @property
    def files(self) -> Mapping[str, FoundFile]:
        """Every file by its path: relative to the root, or a URL."""

    @property
    def roots(self) -> Collection[str]:
        """The paths of the descriptors the source itself names."""

    def read(self, paths: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Yield the content of files, in any order; what has gone meanwhile is left out."""

    def location(self, path: str) -> str:
        """Give the location annotation of a file, such as `url:https://…` or `file:…`."""

    def web(self, path: str) -> "WebAddress":
        """Give where a person sees the file."""

    def commit(self, paths: Sequence[str]) -> "ChangeCommit | None":
        """Give the commit that changed one of the files last; None where there is no history."""


@dataclass(frozen=True, slots=True)
class ChangeCommit:
    """Who changed a file, when, and what they said: the first line of the commit's message."""

    hash: str
    author: str
    subject: str
    at: datetime

    def to_data(self) -> dict[str, str]:
        """Give it as plain JSON values, bounded, of characters that databases take."""
        return {
            "hash": self.hash,
            "author": _storable(self.author),
            "subject": _storable(self.subject),
            "at": self.at.isoformat(),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Self:
        """Give what `to_data` was given."""
        at = datetime.fromisoformat(data["at"])
        return cls(data["hash"], data["author"], data["subject"], at)


def _storable(text: str) -> str:
    return text[:LONGEST_WORDS].replace("\0", "\ufffd")


@dataclass(frozen=True, slots=True)
class WebAddress:
    """Links to a file for people; empty where none is known."""

    view: str = ""
    edit: str = ""
    source: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    """Further annotations of what is in the file, such as the name of its repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A place entities come from, whatever its type.

    `address` is what a person recognises it by, without secrets. `fingerprint` changes when its
    settings do, so that everything is read again. `trouble` is asked once its files were read.
    """

    name: str
    type: str
    title: Text
    address: str
    every: timedelta
    fingerprint: str
    reader: "Reader" = field(repr=False)
    trouble: Callable[[], SourceTrouble | None] | None = field(default=None, repr=False)


class Reader(Protocol):
    """Reads one source. Both calls may take long; they run in jobs only."""

    def version(self, known: str) -> str:
        """Give the present version, as cheaply as can be. `known` is the one last read whole."""

    def snapshot(self, version: str) -> Snapshot:
        """Give the state at that version, or at a newer one."""

    def kept(self, path: str, blob: str) -> bytes | None:
        """Give a file that was read, from what is on this machine; None where it is not."""
