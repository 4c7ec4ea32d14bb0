"""All contributions of all plugins, typed, checked and in a stable order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Final, Generic, TypeVar

from callboard import contributions as c

T = TypeVar("T", covariant=True)


@dataclass(frozen=True, slots=True)
class Contributed(Generic[T]):
    """One contribution and the plugin it comes from."""

    plugin: str
    value: T

    @property
    def key(self) -> str:
        """`<plugin>.<name>`, the same in every process; the plugin's name alone if it has none."""
        name = getattr(self.value, "name", "")
        return f"{self.plugin}.{name}" if name else self.plugin


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributions:
    """What the loaded plugins add, by hook, in the order (order, plugin, name)."""

    navigation: tuple[Contributed[c.NavItem], ...] = ()
    pages: tuple[Contributed[c.Page], ...] = ()
    routes: tuple[Contributed[c.Routes], ...] = ()
    home_cards: tuple[Contributed[c.HomeCard], ...] = ()
    entity_cards: tuple[Contributed[c.EntityCard], ...] = ()
    entity_tabs: tuple[Contributed[c.EntityTab], ...] = ()
    entity_badges: tuple[Contributed[c.EntityBadge], ...] = ()
    catalog_columns: tuple[Contributed[c.CatalogColumn], ...] = ()
    entity_sources: tuple[Contributed[c.EntitySource], ...] = ()
    entity_processors: tuple[Contributed[c.EntityProcessor], ...] = ()
    kinds: tuple[Contributed[c.Kind], ...] = ()
    search_sources: tuple[Contributed[c.SearchSource], ...] = ()
    jobs: tuple[Contributed[c.Job], ...] = ()
    event_handlers: tuple[Contributed[c.EventHandler], ...] = ()
    webhooks: tuple[Contributed[c.Webhook], ...] = ()
    permissions: tuple[Contributed[c.Permission], ...] = ()
    metrics: tuple[Contributed[c.Metric], ...] = ()
    commands: tuple[Contributed[c.Command], ...] = ()


CONTRIBUTION_TYPES: Final[Mapping[str, type]] = {
    "navigation": c.NavItem,
    "pages": c.Page,
    "routes": c.Routes,
    "home_cards": c.HomeCard,
    "entity_cards": c.EntityCard,
    "entity_tabs": c.EntityTab,
    "entity_badges": c.EntityBadge,
    "catalog_columns": c.CatalogColumn,
    "entity_sources": c.EntitySource,
    "entity_processors": c.EntityProcessor,
    "kinds": c.Kind,
    "search_sources": c.SearchSource,
    "jobs": c.Job,
    "event_handlers": c.EventHandler,
    "webhooks": c.Webhook,
    "permissions": c.Permission,
    "metrics": c.Metric,
    "commands": c.Command,
}
"""The hook (without its `callboard_`) and the type of what it returns."""


def arrange(collected: Mapping[str, Iterable[Contributed[Any]]]) -> Contributions:
    """Put what was collected, by hook, in its stable order."""
    ordered = {
        item.name: tuple(sorted(collected.get(item.name, ()), key=_position))
        for item in fields(Contributions)
    }
    return Contributions(**ordered)


def _position(contributed: Contributed[Any]) -> tuple[int, str, str]:
    value = contributed.value
    return (getattr(value, "order", 100), contributed.plugin, getattr(value, "name", ""))
