"""Where runs are shown: their pages, a tab of entities, a column of lists and a card at home."""

from typing import Final

from callboard.contributions import CatalogColumn, EntityTab, HomeCard, NavItem, Page
from callboard.entities import Entity
from callboard.i18n import Translator
from callboard_ci_tekton import views
from callboard_ci_tekton.pages.reading import READ, READ_UNMATCHED
from callboard_ci_tekton.pages.views import draw_run
from callboard_ci_tekton.parts import Part

_ = Translator("ci_tekton")


def _may_be_built(entity: Entity) -> bool:
    return entity.ref.kind in ("component", "resource", "system", "api")


NAVIGATION: Final = (
    NavItem(
        name="runs",
        title=_("Pipelines"),
        path="/ci_tekton/",
        icon="branch",
        letter="q",
        section="deliver",
        permission=READ,
    ),
)
PAGES: Final = (
    Page(name="runs", title=_("Pipelines"), path="", render=views.draw_runs, permission=READ),
    Page(name="run", title=_("Pipeline run"), path="runs/{id}", render=draw_run, permission=READ),
    Page(
        name="unmatched",
        title=_("Runs without an entity"),
        path="unmatched",
        render=views.draw_unmatched,
        submit=views.submit_unmatched,
        permission=READ_UNMATCHED,
    ),
)
TABS: Final = (
    EntityTab(
        name="runs",
        title=_("CI"),
        render=views.draw_tab,
        note=views.note_tab,
        applies=_may_be_built,
        permission=READ,
    ),
)
COLUMNS: Final = (
    CatalogColumn(name="last_run", title=_("Last run"), values=views.last_runs, permission=READ),
)
CARDS: Final = (
    HomeCard(
        name="failing",
        title=_("Failing on my services"),
        render=views.draw_failing,
        permission=READ,
    ),
)
PART: Final = Part(
    navigation=NAVIGATION,
    pages=PAGES,
    entity_tabs=TABS,
    catalog_columns=COLUMNS,
    home_cards=CARDS,
)
