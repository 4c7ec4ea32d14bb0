"""What the plugin draws. Everything is read from its own tables."""

from collections.abc import Mapping
from typing import Any, Final

from babel import Locale
from babel.dates import format_date, format_skeleton

from callboard.contributions import (
    Badge,
    Cell,
    ColumnContext,
    EntityContext,
    Fragment,
    PageContext,
)
from callboard.entities import EntityRef
from callboard.i18n import Translator
from callboard.repositories import Place, commit_page, place_of, short_name
from callboard_scm_git.chart import draw_chart
from callboard_scm_git.models import entity
from callboard_scm_git.queries import (
    Source,
    load_figures,
    load_last,
    load_recent,
    load_source,
)
from callboard_scm_git.reading import COMMITS

_ = Translator("scm_git")

CARD_COMMITS: Final = 5
HOME_COMMITS: Final = 8


def draw_card(context: EntityContext) -> Fragment | None:
    """The last commits, and how many branches and tags there are."""
    place = place_of(context.entity)
    if place is None:
        return None
    with context.host.read() as connection:
        source = load_source(connection, place, commits=CARD_COMMITS)
    return Fragment(template="scm_git/card.html", context=_shared(place, source))


def draw_tab(context: EntityContext) -> Fragment | None:
    """Commits, people, branches, tags, and the activity of the year."""
    place = place_of(context.entity)
    if place is None:
        return None
    now = context.host.now()
    with context.host.read() as connection:
        source = load_source(connection, place, commits=COMMITS)
        if source is None or source.repository.read_at is None:
            return Fragment(template="scm_git/waiting.html", context=_shared(place, source))
        figures = load_figures(connection, source.repository.id, now)
    locale = Locale.parse(context.locale.replace("-", "_"))
    return Fragment(
        template="scm_git/tab.html",
        context={
            **_shared(place, source),
            "figures": figures,
            "chart": draw_chart(figures.activity, now),
            "short_day": lambda day: format_skeleton("MMMd", day, locale=locale),
            "long_day": lambda day: format_date(day, "medium", locale=locale),
        },
    )


def _shared(place: Place, source: Source | None) -> dict[str, Any]:
    return {"place": place, "source": source, "name": short_name(place.url), "page": commit_page}


def draw_recent(context: PageContext) -> Fragment | None:
    """The newest commits of all repositories; nothing where none was read yet."""
    seen = context.host.catalog.seen(entity.c.ref)
    with context.host.read() as connection:
        commits = load_recent(connection, seen, limit=HOME_COMMITS)
    if not commits:
        return None
    return Fragment(
        template="scm_git/home.html",
        context={"commits": commits, "short_name": short_name, "page": commit_page},
    )


def last_commits(context: ColumnContext) -> Mapping[EntityRef, Cell]:
    """When something was last committed, for all entities of the page by one query."""
    places = {entity.ref: place_of(entity) for entity in context.entities}
    wanted = {place for place in places.values() if place is not None}
    if not wanted:
        return {}
    with context.host.read() as connection:
        last = load_last(connection, wanted)
    return {
        ref: Cell(
            at=last[place].committed_at,
            status="unknown" if last[place].failing_since else None,
        )
        for ref, place in places.items()
        if place in last
    }


def stale_badge(context: EntityContext) -> Badge | None:
    """A mark for a repository where nobody committed anything for long."""
    place = place_of(context.entity)
    if place is None:
        return None
    whole = Place(place.url)
    with context.host.read() as connection:
        last = load_last(connection, [whole]).get(whole)
    if last is None or last.committed_at is None:
        return None
    quiet = context.host.now() - last.committed_at
    if quiet < context.host.settings.stale_after:
        return None
    detail = _.plural("No commit for %(number)d day.", "No commit for %(number)d days.", quiet.days)
    path = context.entity.ref.path("scm_git.source")
    return Badge(status="warn", label=_("Stale repository"), detail=detail, path=path)
