"""What is pushed, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from callboard.i18n import Text
from callboard.identity import Subject
from callboard_catalog.descriptors import Fault

Mode = Literal["full", "delta"]
"""Whether a push names all entities of its source, or only some that changed."""

Result = Literal[
    "created", "updated", "unchanged", "removed", "rejected", "conflict", "deleted"
]  # fmt: skip
"""What a push did with an entity. `conflict`: another source holds the name, and the document
waits; `deleted`: somebody deleted the entity, and it stays away."""


@dataclass(frozen=True, slots=True)
class PushedDocument:
    """A document that was sent: its number, from 0, the line it begins at, what it holds.

    `fault` says why it could not be told apart; then there is no value.
    """

    index: int
    value: Any
    line: int = 0
    fault: Fault | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """What is handed in: documents and, of a delta, references to take out."""

    source: str
    mode: Mode
    documents: Sequence[PushedDocument] = ()
    removed: Sequence[str] = ()
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class PushError:
    """A fault of a document: the path of its key, and what was expected where that can be said."""

    code: str
    message: Text
    key: str = ""
    expected: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityResult:
    """What came of one document or reference. `ref` is empty where it cannot be read.

    `index` and `line` say which document it was; they are None and 0 for what was only taken out.
    `held_by` is the source that holds the name, for `conflict`.
    """

    ref: str
    result: Result
    index: int | None = None
    line: int = 0
    errors: Sequence[PushError] = ()
    warnings: Sequence[PushError] = ()
    held_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PushResult:
    """What a push did, or would do; `new` says that its source was not there before.

    `kept` says that nothing was taken out, as it is not known which entity a document is that
    could not be read.
    """

    source: str
    mode: Mode
    dry_run: bool
    new: bool
    kept: bool
    results: Sequence[EntityResult] = field(default=())

    @property
    def counts(self) -> dict[str, int]:
        """How many of each result there are."""
        counts: dict[str, int] = {}
        for item in self.results:
            counts[item.result] = counts.get(item.result, 0) + 1
        return counts


@dataclass(frozen=True, slots=True, kw_only=True)
class PushedSource:
    """A source that is pushed: whose it is, and the last push that brought anything new."""

    name: str
    owner: str
    pushed_by: str
    pushed_at: datetime
    mode: Mode


def owner_of(subject: Subject) -> str:
    """Give who owns what one pushes: the service account or the person, not the single token."""
    account = next((name for name in subject.names if name.startswith("service:")), "")
    if account:
        return account
    own = subject.on_behalf_of if subject.principal.kind == "token" else None
    return str(own or subject.principal)
