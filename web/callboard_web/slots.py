"""Places on pages that contributions fill, each in isolation."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import NoneType
from typing import Any, TypeVar

from markupsafe import Markup

from callboard.contributions import (
    Badge,
    CatalogColumn,
    Cell,
    ColumnContext,
    Crumb,
    EntityBadge,
    EntityCard,
    EntityContext,
    EntityTab,
    FormContext,
    Fragment,
    HomeCard,
    Page,
    PageContext,
    SeeOther,
    TabNote,
)
from callboard.entities import Entity, EntityRef
from callboard.errors import CallboardError
from callboard.host import Host
from callboard.hosting import Services
from callboard.i18n import Message, Text
from callboard.plugins import Contributed, PluginError, Plugins
from callboard_web.preferences import Reader
from callboard_web.rendering import Renderer

_DRAWN = (Fragment, NoneType)
_ANSWERED = (*_DRAWN, CallboardError)
_TAKEN = (*_ANSWERED, SeeOther)
T = TypeVar("T")
FORM_LIMIT = timedelta(seconds=30)
"""How long a plugin may take to answer a form."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A contribution on a page: what it drew, or the error that stands in its place."""

    key: str
    plugin: str
    builtin: bool
    title: Text
    width: int
    content: Markup | None = None
    error: PluginError | None = None
    rejected: bool = False
    crumbs: tuple[Crumb, ...] = ()


@dataclass(frozen=True, slots=True)
class Column:
    """A plugin's column with a cell for some entities of the page, or its error."""

    key: str
    plugin: str
    title: Text
    cells: Mapping[EntityRef, Cell]
    error: PluginError | None = None


@dataclass(frozen=True, slots=True)
class Asker:
    """The request that slots are filled for."""

    reader: Reader
    path: Mapping[str, str]
    query: Mapping[str, str]
    mine: tuple[EntityRef, ...] = ()
    token: str = ""

    def common(self, host: Host) -> dict[str, Any]:
        return {
            "host": host,
            "principal": host.asker.principal,
            "locale": self.reader.locale,
            "time_zone": self.reader.time_zone,
            "path": self.path,
            "query": self.query,
            "mine": self.mine,
        }


class Slots:
    """Fills slots by guarded calls, all contributions of one slot side by side.

    What the one who asks has no permission for is not asked of plugins at all.
    """

    def __init__(
        self,
        plugins: Plugins,
        renderer: Renderer,
        host_for: Callable[[str], Host],
        services: Services,
    ) -> None:
        self.plugins = plugins
        self.renderer = renderer
        self.host_for = host_for
        self.services = services

    def permitted(
        self, items: Sequence[Contributed[T]], entity: EntityRef | None = None
    ) -> list[Contributed[T]]:
        """Leave out what the one who asks has no permission for, each asked for once."""
        answers: dict[str, bool] = {}
        for item in items:
            name = item.value.permission  # type: ignore[attr-defined]
            if name not in answers:
                seen = entity is not None and not name  # an entity that is shown may be seen
                answers[name] = seen or self.services.permits(name, entity)
        return [item for item in items if answers[item.value.permission]]  # type: ignore[attr-defined]

    def home_cards(
        self, asker: Asker, only: str = "", without: Collection[str] = ()
    ) -> list[Drawn]:
        """Draw the cards of the home page; those named by `without` are not asked for."""
        given = self.plugins.contributions.home_cards
        cards = _only([item for item in given if item.key not in without], only)
        cards = self.permitted(cards)
        return self._draw(cards, "home card", asker, partial(self._render, asker))

    def entity_cards(self, entity: Entity, asker: Asker, only: str = "") -> list[Drawn]:
        """Draw the cards of an entity's overview."""
        cards = self.permitted(_only(self.plugins.contributions.entity_cards, only), entity.ref)
        render = partial(self._render_entity, asker, entity)
        return self._draw(cards, f"entity card, {entity.ref}", asker, render)

    def page(self, page: Contributed[Page], asker: Asker) -> Drawn | None:
        """Draw a plugin's page; None where it says that there is no such page.

        What it refuses by a `CallboardError` below 500, such as `host.require` does, is raised.
        """
        render = _refusing(partial(self._render, asker))
        drawn = self._draw([page], "page", asker, render, expected=_ANSWERED)
        return drawn[0] if drawn else None

    def submitted(
        self, page: Contributed[Page], asker: Asker, form: Mapping[str, tuple[str, ...]]
    ) -> Drawn | SeeOther | None:
        """Draw what a plugin's page answers to a form that was sent to it; raises as `page`."""

        def submit(item: Contributed[Page]) -> Fragment | SeeOther | None:
            assert item.value.submit is not None
            common = asker.common(self.host_for(item.plugin))
            return item.value.submit(FormContext(form=form, **common))

        results = self._ask([page], "form", _refusing(submit), FORM_LIMIT, _TAKEN)
        if isinstance(results[0], SeeOther):
            return results[0]
        drawn = self._fill([page], "form", asker, results)
        return drawn[0] if drawn else None

    def entity_tab(self, tab: Contributed[EntityTab], entity: Entity, asker: Asker) -> Drawn | None:
        """Draw the content of a tab; None where there is nothing in it."""
        render = partial(self._render_entity, asker, entity)
        drawn = self._draw([tab], f"entity tab, {entity.ref}", asker, render)
        return drawn[0] if drawn else None

    def tabs_of(self, entity: Entity) -> list[Contributed[EntityTab]]:
        """Give the tabs that apply; one that cannot tell is left out and its error is listed."""
        tabs = self.permitted(self.plugins.contributions.entity_tabs, entity.ref)
        answers = self.plugins.call_all(
            [(tab, f"entity tab, {entity.ref}", partial(tab.value.applies, entity), bool)
             for tab in tabs]
        )  # fmt: skip
        return [tab for tab, answer in zip(tabs, answers, strict=True) if answer is True]

    def tab_notes(
        self, tabs: Sequence[Contributed[EntityTab]], entity: Entity, asker: Asker
    ) -> Mapping[str, TabNote]:
        """Give what tabs say beside their titles, by key; nothing for one that fails."""
        asked = [(tab, tab.value.note) for tab in tabs if tab.value.note is not None]
        answers = self.plugins.call_all(
            [(tab, f"note of an entity tab, {entity.ref}",
              partial(self._note, asker, entity, tab, note), (TabNote, NoneType))
             for tab, note in asked]
        )  # fmt: skip
        return {
            tab.key: answer
            for (tab, _), answer in zip(asked, answers, strict=True)
            if isinstance(answer, TabNote)
        }

    def badges(self, entity: Entity, asker: Asker) -> list[Badge | PluginError]:
        """Give the badges beside an entity's title."""
        badges = self.permitted(self.plugins.contributions.entity_badges, entity.ref)
        results = self.plugins.call_all(
            [
                (badge, f"entity badge, {entity.ref}",
                 partial(self._render_entity, asker, entity, badge), (Badge, NoneType))
                for badge in badges
            ]
        )  # fmt: skip
        return [result for result in results if result is not None]

    def columns(
        self, keys: Collection[str], entities: Sequence[Entity], asker: Asker
    ) -> list[Column]:
        """Compute columns of plugins for all rows of a page, one call for each column.

        A column is given the entities of its kinds only.
        """
        columns = [
            (item, self._rows(item, entities))
            for item in self.permitted(self.plugins.contributions.catalog_columns)
            if item.key in keys
        ]
        asked = [(item, rows) for item, rows in columns if rows]
        results = iter(
            self.plugins.call_all(
                [(item, "catalog column", partial(self._values, item, rows, asker), Mapping)
                 for item, rows in asked]
            )
        )  # fmt: skip
        return [self._column(item, next(results) if rows else {}, rows) for item, rows in columns]

    def _rows(
        self, item: Contributed[CatalogColumn], entities: Sequence[Entity]
    ) -> Sequence[Entity]:
        rows = [entity for entity in entities if entity.ref.kind in item.value.kinds]
        if not item.value.permission:
            return rows
        fit = self.services.permitted(item.value.permission, [entity.ref for entity in rows])
        return [entity for entity in rows if entity.ref in fit]

    # Calls into plugins; these run on the guard's threads.

    def _render(
        self, asker: Asker, item: Contributed[HomeCard] | Contributed[Page]
    ) -> Fragment | None:
        return item.value.render(PageContext(**asker.common(self.host_for(item.plugin))))

    def _render_entity(
        self,
        asker: Asker,
        entity: Entity,
        item: Contributed[EntityCard] | Contributed[EntityTab] | Contributed[EntityBadge],
    ) -> Any:
        if not item.value.applies(entity):
            return None
        common = asker.common(self.host_for(item.plugin))
        return item.value.render(EntityContext(entity=entity, **common))

    def _note(
        self,
        asker: Asker,
        entity: Entity,
        item: Contributed[EntityTab],
        note: Callable[[EntityContext], TabNote | None],
    ) -> TabNote | None:
        return note(EntityContext(entity=entity, **asker.common(self.host_for(item.plugin))))

    def _values(
        self, item: Contributed[CatalogColumn], entities: Sequence[Entity], asker: Asker
    ) -> Any:
        common = asker.common(self.host_for(item.plugin))
        given = item.value.values(ColumnContext(entities=entities, **common))
        if not isinstance(given, Mapping):
            return given
        for cell in given.values():
            if isinstance(cell, Cell):
                _check_cell(cell)
        return dict(given)

    # Results

    def _fragment(self, asker: Asker, plugin: str, fragment: Fragment) -> Markup:
        _check_crumbs(fragment)
        return self.renderer.fragment(plugin, fragment, asker.reader, asker.token)

    def _draw(
        self,
        items: Sequence[Contributed[Any]],
        place: str,
        asker: Asker,
        render: Callable[[Any], Any],
        expected: tuple[type, ...] = _DRAWN,
    ) -> list[Drawn]:
        results = self._ask(items, place, render, None, expected)
        return self._fill(items, place, asker, results)

    def _ask(
        self,
        items: Sequence[Contributed[Any]],
        place: str,
        render: Callable[[Any], Any],
        limit: timedelta | None,
        expected: tuple[type, ...],
    ) -> Sequence[Any]:
        """Call the plugins; raises what a page refuses."""
        results = self.plugins.call_all(
            [(item, place, partial(render, item), expected) for item in items], limit=limit
        )
        for result in results:
            if isinstance(result, CallboardError):
                raise result
        return results

    def _fill(
        self, items: Sequence[Contributed[Any]], place: str, asker: Asker, results: Sequence[Any]
    ) -> list[Drawn]:
        given = [
            (item, result)
            for item, result in zip(items, results, strict=True)
            if result is not None
        ]
        fragments = [
            (item, place, partial(self._fragment, asker, item.plugin, result), str)
            for item, result in given
            if isinstance(result, Fragment)
        ]
        contents = iter(self.plugins.call_all(fragments))
        return [
            self._drawn(item, result)
            if isinstance(result, PluginError)
            else self._drawn(item, next(contents), result)
            for item, result in given
        ]

    def _drawn(
        self, item: Contributed[Any], result: Any, fragment: Fragment | None = None
    ) -> Drawn:
        value = item.value
        record = self.plugins.records.get(item.plugin)
        failed = isinstance(result, PluginError)
        return Drawn(
            item.key,
            item.plugin,
            record is not None and record.builtin,
            (fragment.title if fragment else "") or value.title,
            getattr(value, "width", 12),
            None if failed else result,
            result if failed else None,
            fragment is not None and fragment.rejected,
            () if fragment is None or failed else fragment.crumbs,
        )

    def _column(
        self, item: Contributed[CatalogColumn], result: Any, entities: Sequence[Entity]
    ) -> Column:
        cells: dict[EntityRef, Cell] = {}
        if not isinstance(result, PluginError):
            cells = {entity.ref: result[entity.ref] for entity in entities if entity.ref in result}
            wrong = [cell for cell in cells.values() if not isinstance(cell, Cell)]
            if wrong:
                result = self.plugins.call(
                    item, "catalog column", partial(wrong.__getitem__, 0), expected=Cell
                )
        if isinstance(result, PluginError):
            return Column(item.key, item.plugin, item.value.title, {}, result)
        return Column(item.key, item.plugin, item.value.title, cells)


def _refusing(render: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Let a page refuse what is asked for: that is an answer, no failure of the plugin."""

    def draw(item: Any) -> Any:
        try:
            return render(item)
        except CallboardError as error:
            if error.status >= 500:
                raise
            return error

    return draw


def _check_cell(cell: Cell) -> None:
    """Raise for what could not be drawn: rows are drawn outside of guarded calls."""
    at = cell.at
    if not (
        isinstance(cell.text, str | Message)
        and isinstance(cell.status, str | NoneType)
        and (at is None or (isinstance(at, datetime) and at.tzinfo is not None))
    ):
        raise TypeError(f"gave {cell!r}, expected text, a status and a time with a zone")


def _check_crumbs(fragment: Fragment) -> None:
    """Raise for what could not be drawn: crumbs are drawn outside of guarded calls."""
    for crumb in fragment.crumbs:
        if not (
            isinstance(crumb, Crumb)
            and isinstance(crumb.title, str | Message)
            and isinstance(crumb.path, str)
            and (not crumb.path or crumb.path.startswith("/"))
        ):
            raise TypeError(f"gave the crumb {crumb!r}, expected a Crumb with a path like /shop/")


def _only(items: Sequence[Contributed[Any]], key: str) -> Sequence[Contributed[Any]]:
    return [item for item in items if item.key == key] if key else items
