"""The way to the plugin's pages, for the top of the window."""

from collections.abc import Mapping
from typing import Final

from callboard.contributions import Crumb
from callboard.entities import EntityRef
from callboard.i18n import Translator
from callboard_ci_tekton.building import run_path

_ = Translator("ci_tekton")

TAB: Final = "ci_tekton.runs"
PIPELINES: Final = Crumb(_("Pipelines"), "/ci_tekton/")
LIBRARY: Final = Crumb(_("Pipeline library"), "/ci_tekton/library")


def of_entity(ref: EntityRef, title: str) -> tuple[Crumb, ...]:
    """Give the way to what belongs to an entity: its own runs are on the way."""
    return (PIPELINES, Crumb(title, ref.path(TAB)))


def of_run(entities: Mapping[EntityRef, str]) -> tuple[Crumb, ...]:
    """Give the way to a run of entities, given with their titles; one alone is on the way."""
    if len(entities) != 1:
        return (PIPELINES,)
    ((ref, title),) = entities.items()
    return of_entity(ref, title)


def below_run(number: int, name: str) -> tuple[Crumb, ...]:
    """Give the way to what is done with a run."""
    return (PIPELINES, Crumb(name, run_path(number)))
