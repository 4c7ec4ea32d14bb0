"""Events, what handles them, and how they read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callboard.contributions.pages import PageContext, Status
from callboard.i18n import Text

if TYPE_CHECKING:
    from callboard.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """A fact of the event log, such as kind `catalog.entity.updated`, subject an entity ref."""

    id: int
    kind: str
    subject: str
    data: Mapping[str, Any]
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventContext:
    """Events in their order, a batch at a time."""

    host: "Host"
    events: Sequence[Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventHandler:
    """Is given every event whose kind is listed or begins with a listed `prefix.`, in order.

    At least once: the cursor moves when `handle` returns.
    """

    name: str
    kinds: tuple[str, ...]
    handle: Callable[[EventContext], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityContext(PageContext):
    """A request to put events into words: all that are on the page at once."""

    events: Sequence[Event]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityItem:
    """An event as a person reads it. `path` leads to what it tells of."""

    text: Text
    path: str = ""
    detail: Text = ""
    status: Status | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Activity:
    """Puts events into words, for lists of what happened.

    It is asked for events whose kind is listed or begins with a listed `prefix.`, and answers by
    the event's id; what it leaves out is not shown.
    """

    name: str
    title: Text
    kinds: tuple[str, ...]
    describe: Callable[[ActivityContext], Mapping[int, ActivityItem]]
    permission: str = ""
