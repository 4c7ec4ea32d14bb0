"""Pipeline runs of Tekton: followed in clusters, matched to entities, kept when they are pruned.

Runs, tasks and steps are written to tables as the clusters tell of them; pages read those tables.
Each domain gives its `Part`, gathered in `contributing`; modules are imported by the hooks that
need them, so that importing the plugin costs nothing.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from callboard import contributions as c
from callboard import hookimpl

if TYPE_CHECKING:
    from fastapi import APIRouter
    from pydantic import BaseModel

    from callboard.host import Host
    from callboard_ci_tekton.parts import Part

CALLBOARD_CONTRACT: Final = 1

_HERE: Final = Path(__file__).parent


def _parts() -> "tuple[Part, ...]":
    from callboard_ci_tekton.contributing import PARTS

    return PARTS


@hookimpl
def callboard_settings() -> "type[BaseModel]":
    from callboard_ci_tekton.settings import CiTektonSettings

    return CiTektonSettings


@hookimpl
def callboard_shutdown(host: "Host") -> None:
    from callboard_ci_tekton.logs.hub import close_hub

    close_hub(host)


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
def callboard_routes() -> Iterable[c.Routes]:
    def router(host: "Host") -> "APIRouter":
        from callboard_ci_tekton.routes import make_router

        return make_router(host)

    return [c.Routes(router=router, permission="ci_tekton.run.read")]


@hookimpl
def callboard_cluster_watches() -> Iterable[c.ClusterWatch]:
    return [item for part in _parts() for item in part.cluster_watches]


@hookimpl
def callboard_cluster_rules() -> Iterable[c.ClusterRule]:
    return [item for part in _parts() for item in part.cluster_rules]


@hookimpl
def callboard_navigation() -> Iterable[c.NavItem]:
    return [item for part in _parts() for item in part.navigation]


@hookimpl
def callboard_pages() -> Iterable[c.Page]:
    return [item for part in _parts() for item in part.pages]


@hookimpl
def callboard_entity_tabs() -> Iterable[c.EntityTab]:
    return [item for part in _parts() for item in part.entity_tabs]


@hookimpl
def callboard_catalog_columns() -> Iterable[c.CatalogColumn]:
    return [item for part in _parts() for item in part.catalog_columns]


@hookimpl
def callboard_home_cards() -> Iterable[c.HomeCard]:
    return [item for part in _parts() for item in part.home_cards]


@hookimpl
def callboard_waiting() -> Iterable[c.Waiting]:
    return [item for part in _parts() for item in part.waiting]


@hookimpl
def callboard_demo_parts() -> Iterable[c.DemoPart]:
    return [item for part in _parts() for item in part.demo_parts]


@hookimpl
def callboard_jobs() -> Iterable[c.Job]:
    return [item for part in _parts() for item in part.jobs]


@hookimpl
def callboard_event_handlers() -> Iterable[c.EventHandler]:
    return [item for part in _parts() for item in part.event_handlers]


@hookimpl
def callboard_delivery_follows() -> Iterable[c.DeliveryFollows]:
    return [item for part in _parts() for item in part.delivery_follows]


@hookimpl
def callboard_permissions() -> Iterable[c.Permission]:
    return [item for part in _parts() for item in part.permissions]


@hookimpl
def callboard_metrics() -> Iterable[c.Metric]:
    return [item for part in _parts() for item in part.metrics]
