"""The columns of the catalog's list: which are shown, and what stands in them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from callboard.entities import Entity, EntityRef
from callboard.i18n import Text
from callboard.kinds import EntityField
from callboard_catalog.descriptors.kinds import value_at
from callboard_catalog.query import ListResult
from callboard_web.catalog_query import COLUMN_SORTS, COLUMNS, CatalogQuery
from callboard_web.entities.words import plain
from callboard_web.slots import Asker, Column

if TYPE_CHECKING:
    from callboard_web.portal import Portal

ADDED: Final = "field."
"""What names of columns of added fields begin with; no plugin has this name."""

COOKIE: Final = "callboard_columns"
DENSITY_COOKIE: Final = "callboard_catalog_density"

WITHOUT_TYPE: Final = frozenset({"user", "location"})
WITHOUT_OWNER: Final = frozenset({"group", "user", "location"})
WITH_LIFECYCLE: Final = frozenset({"component", "api", "template", "all"})
WIDTHS: Final = {"kind": "p2", "type": "p2", "owner": "p2"}
"""The classes by which columns leave on narrow screens; the others go first."""


@dataclass(frozen=True, slots=True)
class Head:
    """A column's head. `sort` is the order it asks for; `plugin` is whose it is."""

    name: str
    title: Text
    sort: str = ""
    plugin: str = ""
    classes: str = ""
    shown: bool = True


def usual(kind: str) -> tuple[str, ...]:
    """Give the columns of the host that a list of a kind has where nothing else was chosen."""
    wanted = {
        "kind": kind == "all",
        "type": kind not in WITHOUT_TYPE,
        "owner": kind not in WITHOUT_OWNER,
        "lifecycle": kind in WITH_LIFECYCLE,
        "changed": True,
    }
    return tuple(name for name, is_wanted in wanted.items() if is_wanted)


def fits(name: str, kind: str) -> bool:
    """Say whether a column of the host can hold anything for a kind."""
    without = {"type": WITHOUT_TYPE, "owner": WITHOUT_OWNER}
    if name == "lifecycle":
        return kind in WITH_LIFECYCLE
    return kind not in without.get(name, ())


def offered(portal: "Portal", query: CatalogQuery, remembered: Sequence[str]) -> list[Head]:
    """Give all columns a list can have, in their order, and say which of them are shown."""
    contributed = portal.slots.permitted(portal.runtime.plugins.contributions.catalog_columns)
    own = [item for item in contributed if not query.kinds or set(query.kinds) & item.value.kinds]
    chosen = set(query.columns) or {name for name in remembered if fits(name, query.kind)}
    if not chosen:
        chosen = {*usual(query.kind), *(item.key for item in own if len(query.kinds) == 1)}
    added = [
        Head(f"{ADDED}{field.name}", field.title, classes="p3",
             shown=f"{ADDED}{field.name}" in chosen)
        for field in portal.runtime.catalog.entity_fields
        if field.column and _may_have(field, query)
    ]  # fmt: skip
    heads = [
        Head(name, title, COLUMN_SORTS.get(name, ""), "", _classes(name), name in chosen)
        for name, title in COLUMNS.items()
    ]
    plugins = [
        Head(item.key, item.value.title, "", item.plugin, "p2", item.key in chosen) for item in own
    ]
    return [*heads[:-1], *added, *plugins, heads[-1]]


def _may_have(field: EntityField, query: CatalogQuery) -> bool:
    kinds = {kind.lower() for kind in field.kinds}
    return not kinds or not query.kinds or bool(kinds & set(query.kinds))


def _classes(name: str) -> str:
    return "r p3" if name == "changed" else WIDTHS.get(name, "p3")


@dataclass(frozen=True, slots=True)
class Table:
    """What a page of the list shows: the heads, and what plugins know of its entities."""

    result: ListResult
    heads: Sequence[Head]
    plugins: Mapping[str, Column]
    added: Mapping[str, EntityField]

    def owner_title(self, ref: EntityRef) -> str:
        """Give what an owner, system or domain is called."""
        return self.result.titles.get(ref, ref.name)

    def part(self, entity: Entity, kind: str) -> EntityRef | None:
        """Give the system or domain that an entity is part of."""
        return next((ref for ref in entity.related("partOf") if ref.kind == kind), None)

    def value(self, entity: Entity, name: str) -> Any:
        """Give what a column says of an entity: text, a list, a time, a reference or a cell."""
        if name in self.plugins:
            return self.plugins[name].cells.get(entity.ref)
        if name in self.added:
            value = value_at(entity.document, self.added[name].path)[1]
            return None if value is None else plain(value)
        if name in ("system", "domain"):
            return self.part(entity, name)
        if name in ("source", "changed"):
            place = self.result.places.get(entity.ref)
            return place and (place.source if name == "source" else place.updated_at)
        return getattr(entity, name)


def table(portal: "Portal", heads: Sequence[Head], result: ListResult, asker: Asker) -> Table:
    """Ask the plugins for the columns that are shown, once for the whole page."""
    keys = {head.name for head in heads if head.plugin}
    columns = portal.slots.columns(keys, result.entities, asker) if keys else []
    added = {f"{ADDED}{field.name}": field for field in portal.runtime.catalog.entity_fields}
    return Table(result, heads, {column.key: column for column in columns}, added)


def exact(value: datetime | None) -> str:
    """Give a time as programs read it, in UTC (ISO 8601)."""
    return value.isoformat(timespec="seconds").replace("+00:00", "Z") if value else ""
