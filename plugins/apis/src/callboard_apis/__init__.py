"""Definitions of APIs: drawn, searched and compared without calling out.

A definition is read once, by a job, when its entity changes; what was made of it is kept in tables
of the plugin's own, and pages read those. Modules are imported by the hooks that need them, so
that importing the plugin costs nothing.
"""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from callboard import hookimpl
from callboard.contributions import (
    Act,
    Activity,
    EntityTab,
    EventHandler,
    Job,
    NavItem,
    Page,
    SearchSource,
)
from callboard.i18n import Translator
from callboard.identity import Permission

if TYPE_CHECKING:
    from pydantic import BaseModel

CALLBOARD_CONTRACT: Final = 1

_ = Translator("apis")
_HERE: Final = Path(__file__).parent


@hookimpl
def callboard_settings() -> "type[BaseModel]":
    from callboard_apis.settings import ApisSettings

    return ApisSettings


@hookimpl
def callboard_migrations() -> Path:
    return _HERE / "migrations"


@hookimpl
def callboard_templates() -> Path:
    return _HERE / "templates"


@hookimpl
def callboard_static() -> Path:
    return _HERE / "static"


@hookimpl
def callboard_translations() -> Path:
    return _HERE / "locales"


@hookimpl
def callboard_navigation() -> Iterable[NavItem]:
    read = "apis.definition.read"
    return [
        NavItem(name="apis", title=_("APIs"), path="/apis/", icon="api", order=30, permission=read)
    ]


@hookimpl
def callboard_pages() -> Iterable[Page]:
    from callboard_apis.comparing import draw_compare, submit_compare
    from callboard_apis.pages import draw_index
    from callboard_apis.trying import draw_try, submit_try

    read = "apis.definition.read"
    return [
        Page(name="index", title=_("APIs"), path="", render=draw_index, permission=read),
        Page(
            name="compare",
            title=_("Compare definitions"),
            path="compare",
            render=draw_compare,
            submit=submit_compare,
            permission=read,
        ),
        Page(
            name="try",
            title=_("Send a request"),
            path="try",
            render=draw_try,
            submit=submit_try,
            permission="apis.request.send",
        ),
    ]


@hookimpl
def callboard_entity_tabs() -> Iterable[EntityTab]:
    from callboard_apis.views import draw_tab, has_definition

    return [
        EntityTab(
            name="apis",
            title=_("Definition"),
            render=draw_tab,
            applies=has_definition,
            order=10,
            permission="apis.definition.read",
            subpages=True,
        )
    ]


@hookimpl
def callboard_search_sources() -> Iterable[SearchSource]:
    from callboard_apis.finding import read_operations

    return [
        SearchSource(
            name="operations",
            title=_("API operations"),
            read=read_operations,
            icon="api",
            permission="apis.definition.read",
            changed_by=("apis.definition.changed",),
        )
    ]


@hookimpl
def callboard_acts() -> Iterable[Act]:
    return [
        Act(
            name="compare",
            title=_("Compare two API definitions"),
            path="/apis/compare",
            icon="api",
            words=_("breaking changes openapi diff"),
            permission="apis.definition.read",
        )
    ]


@hookimpl
def callboard_activity() -> Iterable[Activity]:
    from callboard_apis.telling import describe

    return [
        Activity(
            name="definitions",
            title=_("Definitions of APIs"),
            kinds=("apis.definition.changed",),
            describe=describe,
            permission="apis.definition.read",
        )
    ]


@hookimpl
def callboard_jobs() -> Iterable[Job]:
    from callboard_apis.keeping import run_prepare, run_refresh

    return [
        Job(
            name="refresh",
            title=_("Look for definitions that are not prepared"),
            run=run_refresh,
            every=timedelta(hours=1),
            quiet=True,
        ),
        Job(name="prepare", title=_("Prepare definitions"), run=run_prepare),
    ]


@hookimpl
def callboard_event_handlers() -> Iterable[EventHandler]:
    from callboard_apis.keeping import on_entities

    return [EventHandler(name="entities", kinds=("catalog.entity.",), handle=on_entities)]


@hookimpl
def callboard_permissions() -> Iterable[Permission]:
    return [
        Permission(
            name="apis.definition.read",
            title=_("See definitions of APIs"),
            role="viewer",
            about="entity",
        ),
        Permission(
            name="apis.request.send",
            title=_("Send requests to APIs"),
            role="developer",
            about="entity",
        ),
    ]
