"""What is found beside entities."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from callboard.entities import EntityRef
from callboard.i18n import Text

if TYPE_CHECKING:
    from callboard.host import Host


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchDocument:
    """Something that search finds beside entities. `key` is unique within the search source."""

    key: str
    title: str
    path: str
    text: str = ""
    tags: tuple[str, ...] = ()
    entity: EntityRef | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSource:
    """Gives the documents to be found; read on schedule, only what changed is written.

    `changed_by` are kinds of events, as of `EventHandler`, after which it is read again within a
    minute or two; one that takes long to read is not read more often than it can bear.

    Documents about an entity are found by those who may see it, and all of them by those only who
    have `permission`.
    """

    name: str
    title: Text
    read: Callable[["Host"], Iterable[SearchDocument]]
    every: timedelta = timedelta(minutes=10)
    icon: str = "file"
    changed_by: tuple[str, ...] = ()
    permission: str = ""
