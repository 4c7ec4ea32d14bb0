"""Acts of the portal itself that no other domain gives."""

from typing import Final

from callboard.contributions import Act
from callboard.i18n import Translator
from callboard_web.parts import Part

_: Final = Translator("callboard")

SHORTCUTS: Final = "/navigation#shortcuts"
"""Where the list of shortcuts is; the palette opens it in place."""

PART: Final = Part(
    acts=(
        Act(
            name="search-all", title=_("Search with filters"), path="/search", icon="search",
            words=_("find results facets operators"), order=200,
        ),
        Act(
            name="language", title=_("Change the language"), path="/navigation#display-page",
            icon="globe", words=_("Language English Chinese 中文"), order=210,
        ),
        Act(
            name="theme", title=_("Change theme and density"), path="/navigation#display-page",
            icon="theme", words=_("display dark light compact appearance"), order=220,
        ),
        Act(
            name="shortcuts", title=_("Show the keyboard shortcuts"), path=SHORTCUTS,
            icon="help", words=_("keys help"), order=230,
        ),
        Act(
            name="view", title=_("Make a view of the catalog"), path="/catalog?kind=all",
            icon="plus", words=_("create save filter list new"), order=110,
        ),
        Act(
            name="tags", title=_("See all tags"), path="/tags", icon="mark",
            words=_("labels index"), order=112,
        ),
        Act(
            name="types", title=_("See all types"), path="/types", icon="catalog",
            words=_("kinds index service library"), order=114,
        ),
        Act(
            name="read-sources", title=_("Read sources again"), path="/sources",
            icon="sync", words=_("refresh all import sync"), order=120,
            permission="catalog.source.refresh",
        ),
    ),
)  # fmt: skip
