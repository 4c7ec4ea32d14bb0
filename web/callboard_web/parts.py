"""A domain of the portal and what it adds to pages, gathered by `callboard_web.builtin`."""

from dataclasses import dataclass

from callboard import contributions as c


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one domain of the portal contributes, by hook; its routes are in its `views`."""

    navigation: tuple[c.NavItem, ...] = ()
    home_cards: tuple[c.HomeCard, ...] = ()
    entity_cards: tuple[c.EntityCard, ...] = ()
    entity_tabs: tuple[c.EntityTab, ...] = ()
    entity_badges: tuple[c.EntityBadge, ...] = ()
    search_sources: tuple[c.SearchSource, ...] = ()
    acts: tuple[c.Act, ...] = ()
    waiting: tuple[c.Waiting, ...] = ()
    activity: tuple[c.Activity, ...] = ()
    jobs: tuple[c.Job, ...] = ()
    permissions: tuple[c.Permission, ...] = ()
