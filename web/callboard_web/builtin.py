"""The portal's own contributions, registered like those of any plugin.

Each domain gives its `Part`; none of them imports the web framework, which commands do not need.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from callboard import contributions as c
from callboard import hookimpl
from callboard.i18n import Text, Translator
from callboard_web.access import parts as access
from callboard_web.activity import parts as activity_parts
from callboard_web.administration import parts as administration_parts
from callboard_web.announcements import parts as announcements_parts
from callboard_web.audit import parts as audit_parts
from callboard_web.clusters import parts as clusters
from callboard_web.deletions import parts as deletions
from callboard_web.entities import cards, raw
from callboard_web.graph import parts as graph
from callboard_web.history import parts as history
from callboard_web.home import parts as home
from callboard_web.locations import parts as locations
from callboard_web.me import parts as me_parts
from callboard_web.organisation import parts as organisation
from callboard_web.palette import parts as palette
from callboard_web.parts import Part
from callboard_web.personal import parts as personal
from callboard_web.saved_views import parts as saved_views
from callboard_web.sessions import parts as sessions
from callboard_web.sign_in import parts as sign_in
from callboard_web.tokens import parts as tokens
from callboard_web.usage import parts as usage
from callboard_web.webhooks import parts as webhooks

_: Final = Translator("callboard")


def _administer(name: str, title: Text, icon: str, order: int, permission: str) -> c.NavItem:
    return c.NavItem(
        name=name, title=title, path=f"/{name}", icon=icon, section="administer", order=order,
        permission=permission,
    )  # fmt: skip


SHELL: Final = Part(
    navigation=(
        c.NavItem(name="home", title=_("Home"), path="/", icon="home", order=10, letter="h"),
        c.NavItem(
            name="catalog",
            title=_("Catalog"),
            path="/catalog",
            icon="catalog",
            order=20,
            letter="c",
        ),
        _administer("sources", _("Sources"), "branch", 10, "catalog.source.read"),
        _administer("problems", _("Problems"), "flag", 20, "catalog.source.read"),
        _administer("jobs", _("Jobs"), "clock", 30, "portal.job.read"),
        _administer("plugins", _("Plugins"), "plug", 40, "portal.plugin.read"),
    ),
    permissions=(
        c.Permission(name="portal.job.read", title=_("See jobs and their runs"), role="maintainer"),
        c.Permission(
            name="portal.plugin.read", title=_("See plugins and their errors"), role="maintainer"
        ),
        c.Permission(name="portal.metrics.read", title=_("Read metrics"), role="maintainer"),
        c.Permission(name="portal.maintenance.switch", title=_("Close the portal and open it")),
    ),
)

PARTS: Final[tuple[Part, ...]] = (
    SHELL,
    graph.PART,
    organisation.PART,
    cards.PART,
    raw.PART,
    history.PART,
    administration_parts.PART,
    announcements_parts.PART,
    audit_parts.PART,
    access.PART,
    me_parts.PART,
    home.PART,
    saved_views.PART,
    personal.PART,
    palette.PART,
    activity_parts.PART,
    sessions.PART,
    sign_in.PART,
    tokens.PART,
    webhooks.PART,
    clusters.PART,
    locations.PART,
    deletions.PART,
    usage.PART,
)


@hookimpl
def callboard_migrations() -> Path:
    return Path(__file__).parent / "migrations"


@hookimpl
def callboard_navigation() -> Iterable[c.NavItem]:
    return [item for part in PARTS for item in part.navigation]


@hookimpl
def callboard_home_cards() -> Iterable[c.HomeCard]:
    return [item for part in PARTS for item in part.home_cards]


@hookimpl
def callboard_entity_cards() -> Iterable[c.EntityCard]:
    return [item for part in PARTS for item in part.entity_cards]


@hookimpl
def callboard_entity_tabs() -> Iterable[c.EntityTab]:
    return [item for part in PARTS for item in part.entity_tabs]


@hookimpl
def callboard_entity_badges() -> Iterable[c.EntityBadge]:
    return [item for part in PARTS for item in part.entity_badges]


@hookimpl
def callboard_search_sources() -> Iterable[c.SearchSource]:
    return [item for part in PARTS for item in part.search_sources]


@hookimpl
def callboard_acts() -> Iterable[c.Act]:
    return [item for part in PARTS for item in part.acts]


@hookimpl
def callboard_waiting() -> Iterable[c.Waiting]:
    return [item for part in PARTS for item in part.waiting]


@hookimpl
def callboard_activity() -> Iterable[c.Activity]:
    return [item for part in PARTS for item in part.activity]


@hookimpl
def callboard_jobs() -> Iterable[c.Job]:
    return [item for part in PARTS for item in part.jobs]


@hookimpl
def callboard_permissions() -> Iterable[c.Permission]:
    return [item for part in PARTS for item in part.permissions]
