"""What is shown of entities: cards, tabs, badges and columns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from callboard.contributions.pages import Fragment, PageContext, Status, Width
from callboard.entities import Entity, EntityRef
from callboard.i18n import Text


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityContext(PageContext):
    """A request for something about one entity."""

    entity: Entity


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnContext(PageContext):
    """A request for one cell for each of these entities: all rows of the page at once.

    They have the relations they declare themselves; ask `host.catalog` for those of others.
    """

    entities: Sequence[Entity]


def _always(entity: Entity) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityCard:
    """A card on the overview of the entities that `applies` accepts."""

    name: str
    title: Text
    render: Callable[[EntityContext], Fragment | None]
    applies: Callable[[Entity], bool] = _always
    width: Width = 6
    order: int = 100
    permission: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TabNote:
    """What a tab says beside its title before it is opened: a count, or a status and its words.

    Example: `TabNote(status="bad", words=_("last run failed"))`, or `TabNote(count=3)`.
    """

    count: int | None = None
    status: Status | None = None
    words: Text = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityTab:
    """A tab of an entity's page, with a URL of its own.

    Its address ends in `<plugin>.<name>`, or in the plugin's name alone where both are the same.
    `note` is asked on every page of the entity, so it must be cheap: one query at most; None says
    that there is nothing to tell. With `subpages` it also answers to addresses below its own; what
    follows is `path["rest"]`, empty at the tab itself, and None says that there is no such page.
    """

    name: str
    title: Text
    render: Callable[[EntityContext], Fragment | None]
    applies: Callable[[Entity], bool] = _always
    order: int = 100
    permission: str = ""
    subpages: bool = False
    note: Callable[[EntityContext], TabNote | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A status beside an entity's title; `detail` says why, `path` leads to the evidence."""

    status: Status
    label: Text
    detail: Text = ""
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityBadge:
    """Computes a badge for an entity's header; None where there is nothing to say."""

    name: str
    render: Callable[[EntityContext], Badge | None]
    applies: Callable[[Entity], bool] = _always
    order: int = 100
    permission: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell of a catalog column. `at` is shown as an age in the reader's language."""

    text: Text = ""
    status: Status | None = None
    at: datetime | None = None
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogColumn:
    """A column of the catalog list, computed for all rows of a page in one call.

    With a permission about entities, it is asked for those rows only for which the reader has it.
    """

    name: str
    title: Text
    values: Callable[[ColumnContext], Mapping[EntityRef, Cell]]
    kinds: frozenset[str] = frozenset({"component"})
    order: int = 100
    permission: str = ""
