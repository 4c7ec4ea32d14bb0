"""The source of entities: commits, contributors, branches, tags and activity of Git repositories.

Each repository is read once for all the entities in it, by a job, into tables of the plugin's own;
pages read those. Modules are imported by the hooks that need them, so that importing the plugin
costs nothing.
"""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from callboard import hookimpl
from callboard.contributions import (
    CatalogColumn,
    Command,
    EntityBadge,
    EntityCard,
    EntityTab,
    EventHandler,
    HomeCard,
    Job,
    Metric,
)
from callboard.i18n import Translator
from callboard.identity import Permission

if TYPE_CHECKING:
    from pydantic import BaseModel
    from typer import Typer

CALLBOARD_CONTRACT: Final = 1

_ = Translator("scm_git")
_HERE: Final = Path(__file__).parent


@hookimpl
def callboard_settings() -> "type[BaseModel]":
    from callboard_scm_git.settings import ScmGitSettings

    return ScmGitSettings


@hookimpl
def callboard_migrations() -> Path:
    return _HERE / "migrations"


@hookimpl
def callboard_templates() -> Path:
    return _HERE / "templates"


@hookimpl
def callboard_translations() -> Path:
    return _HERE / "locales"


@hookimpl
def callboard_entity_cards() -> Iterable[EntityCard]:
    from callboard.repositories import has_source
    from callboard_scm_git.views import draw_card

    return [
        EntityCard(
            name="source",
            title=_("Source"),
            render=draw_card,
            applies=has_source,
            permission="scm_git.repository.read",
        )
    ]


@hookimpl
def callboard_entity_tabs() -> Iterable[EntityTab]:
    from callboard.repositories import has_source
    from callboard_scm_git.views import draw_tab

    return [
        EntityTab(
            name="source",
            title=_("Source"),
            render=draw_tab,
            applies=has_source,
            permission="scm_git.repository.read",
        )
    ]


@hookimpl
def callboard_entity_badges() -> Iterable[EntityBadge]:
    from callboard.repositories import has_source
    from callboard_scm_git.views import stale_badge

    return [
        EntityBadge(
            name="stale",
            render=stale_badge,
            applies=has_source,
            permission="scm_git.repository.read",
        )
    ]


@hookimpl
def callboard_catalog_columns() -> Iterable[CatalogColumn]:
    from callboard_scm_git.views import last_commits

    return [
        CatalogColumn(
            name="last_commit",
            title=_("Last commit"),
            values=last_commits,
            permission="scm_git.repository.read",
        )
    ]


@hookimpl
def callboard_home_cards() -> Iterable[HomeCard]:
    from callboard_scm_git.views import draw_recent

    return [
        HomeCard(
            name="recent_commits",
            title=_("Recent commits"),
            render=draw_recent,
            permission="scm_git.repository.read",
        )
    ]


@hookimpl
def callboard_jobs() -> Iterable[Job]:
    from callboard_scm_git.refresh import run_read, run_read_many, run_refresh

    return [
        Job(
            name="refresh",
            title=_("Read all repositories"),
            run=run_refresh,
            every=timedelta(minutes=15),
            timeout=timedelta(hours=1),
        ),
        Job(name="read", title=_("Read one repository"), run=run_read),
        Job(
            name="read_many",
            title=_("Read repositories that changed together"),
            run=run_read_many,
            timeout=timedelta(hours=1),
        ),
    ]


@hookimpl
def callboard_event_handlers() -> Iterable[EventHandler]:
    from callboard_scm_git.refresh import on_entities

    kinds = ("catalog.entity.created", "catalog.entity.updated")
    return [EventHandler(name="entities", kinds=kinds, handle=on_entities)]


@hookimpl
def callboard_permissions() -> Iterable[Permission]:
    return [
        Permission(
            name="scm_git.repository.read",
            title=_("See commits, contributors, branches and tags"),
            role="viewer",
            about="entity",
        )
    ]


@hookimpl
def callboard_metrics() -> Iterable[Metric]:
    from callboard_scm_git.metrics import count_repositories, longest_failure

    return [
        Metric(
            name="repositories",
            help="Repositories that entities name, by whether they can be read.",
            read=count_repositories,
            labels=("state",),
        ),
        Metric(
            name="longest_failure_seconds",
            help="For how long the repository that fails longest could not be read.",
            read=longest_failure,
        ),
    ]


@hookimpl
def callboard_commands() -> Iterable[Command]:
    return [Command(name="scm-git", help="Repositories of entities.", load=_load_commands)]


def _load_commands() -> "Typer":
    from callboard_scm_git.commands import app

    return app
