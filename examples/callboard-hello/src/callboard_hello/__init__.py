"""Greets components: an example of a Callboard plugin.

The module has hooks and nothing else. Each hook returns data and imports what the data needs when
it is called, so that importing the plugin stays cheap, whoever imports it.
"""

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from callboard import hookimpl
from callboard.contributions import CatalogColumn, EntityCard, EntitySource, Job, NavItem, Page
from callboard.entities import Entity
from callboard.i18n import Translator

# The contract this plugin was written for. Another one is refused with a reason, not half loaded.
CALLBOARD_CONTRACT = 1

# Marks texts for translation. They are translated when they are shown: each reader has a language.
_ = Translator("hello")
HERE = Path(__file__).parent


class Settings(BaseModel):
    """`plugins.settings.hello` of `callboard.yaml`."""

    greeting: str = "Hello"


@hookimpl
def callboard_settings() -> type[BaseModel]:
    return Settings


@hookimpl
def callboard_migrations() -> Path:
    return HERE / "migrations"


@hookimpl
def callboard_templates() -> Path:
    return HERE / "templates"


@hookimpl
def callboard_translations() -> Path:
    return HERE / "locales"


@hookimpl
def callboard_navigation() -> Iterable[NavItem]:
    return [NavItem(name="greetings", title=_("Greetings"), path="/hello/")]


@hookimpl
def callboard_pages() -> Iterable[Page]:
    from callboard_hello.views import draw_page

    return [Page(name="greetings", title=_("Greetings"), path="", render=draw_page)]


@hookimpl
def callboard_entity_cards() -> Iterable[EntityCard]:
    from callboard_hello.views import draw_card

    return [
        EntityCard(
            name="greeting",
            title=_("Greeting"),
            render=draw_card,
            applies=is_component,
            width=4,
        )
    ]


def is_component(entity: Entity) -> bool:
    return entity.ref.kind == "component"


@hookimpl
def callboard_catalog_columns() -> Iterable[CatalogColumn]:
    from callboard_hello.views import greeted_at

    return [CatalogColumn(name="greeted", title=_("Greeted"), values=greeted_at)]


@hookimpl
def callboard_entity_sources() -> Iterable[EntitySource]:
    from callboard_hello.greetings import read_example

    return [EntitySource(name="example", title=_("Example"), read=read_example)]


@hookimpl
def callboard_jobs() -> Iterable[Job]:
    from callboard_hello.greetings import greet

    return [Job(name="greet", title=_("Greet components"), run=greet, every=timedelta(hours=1))]
