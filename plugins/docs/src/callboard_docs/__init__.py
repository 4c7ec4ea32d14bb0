"""Documentation of repositories: the Markdown that stands beside the code of an entity.

Each repository is read at a commit, by a job, into tables of the plugin's own; pages read those.
Modules are imported by the hooks that need them, so that importing the plugin costs nothing.
"""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from callboard import hookimpl
from callboard.contributions import (
    Activity,
    EntityTab,
    EventHandler,
    Job,
    Metric,
    NavItem,
    Page,
    Routes,
    SearchSource,
)
from callboard.i18n import Translator
from callboard.identity import Permission

if TYPE_CHECKING:
    from fastapi import APIRouter
    from pydantic import BaseModel

    from callboard.host import Host

CALLBOARD_CONTRACT: Final = 1

_ = Translator("docs")
_HERE: Final = Path(__file__).parent


@hookimpl
def callboard_settings() -> "type[BaseModel]":
    from callboard_docs.settings import DocsSettings

    return DocsSettings


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
    return [
        NavItem(
            name="docs",
            title=_("Documentation"),
            path="/docs/",
            icon="docs",
            order=60,
            permission="docs.page.read",
        )
    ]


@hookimpl
def callboard_pages() -> Iterable[Page]:
    from callboard_docs.views import draw_index

    return [
        Page(
            name="docs",
            title=_("Documentation"),
            path="",
            render=draw_index,
            permission="docs.page.read",
        )
    ]


@hookimpl
def callboard_routes() -> Iterable[Routes]:
    return [Routes(router=_make_router, permission="docs.page.read")]


def _make_router(host: "Host") -> "APIRouter":
    from callboard_docs.routes import make_router

    return make_router(host)


@hookimpl
def callboard_entity_tabs() -> Iterable[EntityTab]:
    from callboard_docs.addresses import has_docs
    from callboard_docs.views import draw_tab

    return [
        EntityTab(
            name="docs",
            title=_("Documentation"),
            render=draw_tab,
            applies=has_docs,
            order=50,
            permission="docs.page.read",
            subpages=True,
        )
    ]


@hookimpl
def callboard_search_sources() -> Iterable[SearchSource]:
    from callboard_docs.search import read_sections

    return [
        SearchSource(
            name="pages",
            title=_("Documentation"),
            read=read_sections,
            icon="docs",
            permission="docs.page.read",
            changed_by=("docs.site.read",),
        )
    ]


@hookimpl
def callboard_jobs() -> Iterable[Job]:
    from callboard_docs.refresh import run_read, run_refresh

    return [
        Job(
            name="refresh",
            title=_("Read all documentation"),
            run=run_refresh,
            every=timedelta(minutes=15),
            timeout=timedelta(hours=2),
        ),
        Job(
            name="read",
            title=_("Read the documentation of one repository"),
            run=run_read,
            timeout=timedelta(hours=1),
        ),
    ]


@hookimpl
def callboard_event_handlers() -> Iterable[EventHandler]:
    from callboard_docs.refresh import on_entities

    return [EventHandler(name="entities", kinds=("catalog.entity.",), handle=on_entities)]


@hookimpl
def callboard_activity() -> Iterable[Activity]:
    from callboard_docs.views import activity

    return [activity()]


@hookimpl
def callboard_permissions() -> Iterable[Permission]:
    return [
        Permission(
            name="docs.page.read", title=_("Read documentation"), role="viewer", about="entity"
        )
    ]


@hookimpl
def callboard_metrics() -> Iterable[Metric]:
    from callboard_docs.metrics import count_sites

    return [
        Metric(
            name="sites",
            help="Documentations that entities show, by whether they can be read.",
            read=count_sites,
            labels=("state",),
        )
    ]
