"""All contributions of all plugins, typed, checked and in a stable order."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from types import UnionType
from typing import Any, Final, Generic, Literal, TypeVar, Union, get_args, get_origin

from callboard import contributions as c

T = TypeVar("T", covariant=True)

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
"""Names of contributions are parts of addresses, of keys in tables and of elements on pages."""


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
    entity_sources: tuple[Contributed[c.EntitySource | c.FileSource | c.Sources], ...] = ()
    entity_processors: tuple[Contributed[c.EntityProcessor], ...] = ()
    kinds: tuple[Contributed[c.Kind | c.EntityField], ...] = ()
    search_sources: tuple[Contributed[c.SearchSource], ...] = ()
    acts: tuple[Contributed[c.Act], ...] = ()
    waiting: tuple[Contributed[c.Waiting], ...] = ()
    page_notes: tuple[Contributed[c.PageNote], ...] = ()
    activity: tuple[Contributed[c.Activity], ...] = ()
    jobs: tuple[Contributed[c.Job], ...] = ()
    event_handlers: tuple[Contributed[c.EventHandler], ...] = ()
    webhooks: tuple[Contributed[c.Webhook], ...] = ()
    delivery_follows: tuple[Contributed[c.DeliveryFollows], ...] = ()
    permissions: tuple[Contributed[c.Permission], ...] = ()
    deciders: tuple[Contributed[c.Decider], ...] = ()
    metrics: tuple[Contributed[c.Metric], ...] = ()
    checks: tuple[Contributed[c.Checks], ...] = ()
    commands: tuple[Contributed[c.Command], ...] = ()
    cluster_watches: tuple[Contributed[c.ClusterWatch], ...] = ()
    cluster_rules: tuple[Contributed[c.ClusterRule], ...] = ()
    code_hosts: tuple[Contributed[c.CodeHosts], ...] = ()
    demo_parts: tuple[Contributed[c.DemoPart], ...] = ()


CONTRIBUTION_TYPES: Final[Mapping[str, type | UnionType]] = {
    "navigation": c.NavItem,
    "pages": c.Page,
    "routes": c.Routes,
    "home_cards": c.HomeCard,
    "entity_cards": c.EntityCard,
    "entity_tabs": c.EntityTab,
    "entity_badges": c.EntityBadge,
    "catalog_columns": c.CatalogColumn,
    "entity_sources": c.EntitySource | c.FileSource | c.Sources,
    "entity_processors": c.EntityProcessor,
    "kinds": c.Kind | c.EntityField,
    "search_sources": c.SearchSource,
    "acts": c.Act,
    "waiting": c.Waiting,
    "page_notes": c.PageNote,
    "activity": c.Activity,
    "jobs": c.Job,
    "event_handlers": c.EventHandler,
    "webhooks": c.Webhook,
    "delivery_follows": c.DeliveryFollows,
    "permissions": c.Permission,
    "deciders": c.Decider,
    "metrics": c.Metric,
    "checks": c.Checks,
    "commands": c.Command,
    "cluster_watches": c.ClusterWatch,
    "cluster_rules": c.ClusterRule,
    "code_hosts": c.CodeHosts,
    "demo_parts": c.DemoPart,
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


def check_contribution(item: Any, kind: type | UnionType) -> None:
    """Raise `TypeError` or `ValueError` for what pages, jobs or tables could not use.

    Titles, orders and kinds are used outside of guarded calls, so a wrong one is refused here.
    """
    if not isinstance(item, kind):
        raise TypeError(f"gave {type(item).__name__}, expected {_written(kind)}")
    kinds: tuple[Any, ...] = get_args(kind) or (kind,)
    chosen = next(one for one in kinds if isinstance(item, one))
    name = getattr(item, "name", None)
    who = f"gave {chosen.__name__}" + (f" {name!r}" if name is not None else "")
    if isinstance(name, str) and not NAME.fullmatch(name):
        expected = "expected a name of letters, digits, '-', '_' and '.', 80 at most"
        raise ValueError(f"{who}, {expected}")
    for field in fields(chosen):
        value = getattr(item, field.name)
        if not _fits(value, field.type):
            given = repr(value) if get_origin(field.type) is Literal else type(value).__name__
            raise TypeError(f"{who} with {field.name} {given}, expected {_written(field.type)}")


def _fits(value: Any, hint: Any) -> bool:
    """Say whether a value has the type of a field, looked at from the outside only."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, item) for item in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    return isinstance(value, origin or hint)


def _written(hint: Any) -> str:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return " or ".join(_written(item) for item in get_args(hint))
    if origin is Literal:
        return " or ".join(str(item) for item in get_args(hint))
    found: type = origin or hint
    return "nothing" if found is type(None) else found.__name__
