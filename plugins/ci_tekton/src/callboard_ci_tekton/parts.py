"""A domain of the plugin and what it adds to the portal, gathered by `contributing`."""

from dataclasses import dataclass

from callboard import contributions as c


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one domain contributes, by hook; its routes are in its `routes`."""

    cluster_watches: tuple[c.ClusterWatch, ...] = ()
    cluster_rules: tuple[c.ClusterRule, ...] = ()
    navigation: tuple[c.NavItem, ...] = ()
    pages: tuple[c.Page, ...] = ()
    entity_tabs: tuple[c.EntityTab, ...] = ()
    catalog_columns: tuple[c.CatalogColumn, ...] = ()
    home_cards: tuple[c.HomeCard, ...] = ()
    waiting: tuple[c.Waiting, ...] = ()
    demo_parts: tuple[c.DemoPart, ...] = ()
    jobs: tuple[c.Job, ...] = ()
    event_handlers: tuple[c.EventHandler, ...] = ()
    delivery_follows: tuple[c.DeliveryFollows, ...] = ()
    permissions: tuple[c.Permission, ...] = ()
    metrics: tuple[c.Metric, ...] = ()
