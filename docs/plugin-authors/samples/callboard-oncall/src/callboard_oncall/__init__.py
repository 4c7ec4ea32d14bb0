"""Who is on call: a card, a column and a job that reads the rota."""

from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel

from callboard import hookimpl
from callboard.contributions import CatalogColumn, EntityCard, Job
from callboard.entities import Entity
from callboard.i18n import Translator

CALLBOARD_CONTRACT = 1

_ = Translator("oncall")
HERE = Path(__file__).parent


class Settings(BaseModel):
    """`plugins.settings.oncall` of `callboard.yaml`."""

    rota: Path


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
def callboard_jobs() -> list[Job]:
    from callboard_oncall.rota import read_rota

    return [Job(name="rota", title=_("Read the rota"), run=read_rota, every=timedelta(minutes=5))]


@hookimpl
def callboard_entity_cards() -> list[EntityCard]:
    from callboard_oncall.views import draw_card

    title = _("On call")
    return [EntityCard(name="oncall", title=title, render=draw_card, applies=has_owner, width=4)]


@hookimpl
def callboard_catalog_columns() -> list[CatalogColumn]:
    from callboard_oncall.views import people

    return [CatalogColumn(name="oncall", title=_("On call"), values=people)]


def has_owner(entity: Entity) -> bool:
    return entity.owner is not None
