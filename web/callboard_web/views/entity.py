"""The page of one entity: header, tabs with addresses of their own, cards."""

import difflib
import json
from collections.abc import Container, Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from callboard.contributions import Badge, EntityTab
from callboard.entities import Entity, EntityRef
from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard.plugins import Contributed, PluginError
from callboard_catalog.search import SearchHit
from callboard_web.documents import raw_json, raw_yaml
from callboard_web.entities.grid import Place, arrange
from callboard_web.entities.missing import missing_page
from callboard_web.entities.places import is_pushed, places_of, problem_lines
from callboard_web.entities.reading import Reading, ask, reading_of
from callboard_web.entities.words import links_of
from callboard_web.faults import EntityNotFoundError
from callboard_web.formats import entity_url
from callboard_web.portal import Crumb, Portal, portal_of, wants_fragment
from callboard_web.routing import guarded, reading
from callboard_web.usage.looking import note_look
from callboard_web.words import PROBLEM_KINDS, PROBLEM_STATUS, problem_advice

_: Final = Translator("callboard")

CLOSE_MATCHES: Final = 5
CANDIDATES: Final = 30
MOST_WORDS: Final = 4
PROBLEM_LIMIT: Final = 20
READ: Final = _("Read, nothing new")
READ_CHANGED: Final = _("Read, changed")
READING_FAILED: Final = _("Could not be read")


def entity(request: Request) -> Response:
    """Draw an entity's overview or one of its tabs."""
    portal = portal_of(request)
    ref = _ref(request)
    found = portal.runtime.catalog.get(ref)
    if found is None:
        page = missing_page(portal, request, ref)
        if page is None:
            raise EntityNotFoundError(ref.name, _close(portal, ref))
        return page
    asker = portal.asker(request)
    segment = request.path_params.get("tab", "")
    rest = request.path_params.setdefault("rest", "")
    tabs = tab_segments(portal.slots.tabs_of(found), portal.builtin)
    if segment and segment not in tabs:
        _require_tab(portal, request, found, segment)
        raise _no_part(found, segment)
    if rest and not tabs[segment].value.subpages:
        raise _no_part(found, rest)
    context = _context(portal, request, found, tabs, segment)
    if segment:
        drawn = portal.slots.entity_tab(tabs[segment], found, asker)
        if drawn is None and request.path_params["rest"]:
            raise _no_part(found, request.path_params["rest"])
        context |= {"cards": [], "tab": drawn}
    else:
        cards = portal.slots.entity_cards(found, asker)
        places = arrange([item.width for item in cards])
        context |= {"cards": list(zip(cards, places, strict=True)), "tab": None}
    if wants_fragment(request):
        return portal.fragment(request, "_entity.html", context)
    note_look(portal, request, found.ref)
    return portal.page(request, "entity.html", context)


def _require_tab(portal: Portal, request: Request, found: Entity, segment: str) -> None:
    """Raise `NotAllowedError` for a tab that is there for others."""
    every = tab_segments(portal.runtime.plugins.contributions.entity_tabs, portal.builtin)
    if segment in every and every[segment].value.permission:
        portal.require(request, every[segment].value.permission, found.ref)


def _no_part(found: Entity, name: str) -> NotFoundError:
    return NotFoundError(
        _("%(title)s has no part named %(name)s.", title=found.title, name=name),
        hint=_("Open one of its tabs."),
    )


def card(request: Request) -> Response:
    """Draw one card of an entity again, at the place it had."""
    portal = portal_of(request)
    found = _find(portal, request)
    key = request.path_params["key"]
    drawn = portal.slots.entity_cards(found, portal.asker(request), only=key)
    if not drawn:
        raise NotFoundError(_("This entity has no such card."))
    place = Place.parse(request.query_params.get("place", "")) or arrange([drawn[0].width])[0]
    retry = f"{request.url.path}?place={place.key}"
    context = {"card": drawn[0], "place": place, "retry": retry, "again": entity_url(found.ref)}
    return portal.fragment(request, "_card.html", context)


def raw(request: Request) -> Response:
    """Answer an entity as it is served, as text, in YAML or JSON."""
    portal = portal_of(request)
    found = _find(portal, request)
    as_json = request.query_params.get("format") == "json"
    text = raw_json(found) if as_json else raw_yaml(found)
    kind = "application/json" if as_json else "text/plain"
    name = f"{found.ref.kind}-{found.ref.name}.{'json' if as_json else 'yaml'}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return PlainTextResponse(text, media_type=kind, headers=headers)


def refresh(request: Request) -> Response:
    """Ask for the source to be read again."""
    portal = portal_of(request)
    found = _find(portal, request)
    portal.require(request, "catalog.entity.refresh", found.ref)
    source = _source(portal, found)
    if not source:
        raise NotFoundError(_("The source of this entity is not known."))
    return _told(portal, request, found, str(ask(portal, found, source)))


def refreshing(request: Request) -> Response:
    """Tell how far the reading of the source is that `run` names, or the one on its way."""
    portal = portal_of(request)
    return _told(portal, request, _find(portal, request), request.query_params.get("run", ""))


def _told(portal: Portal, request: Request, found: Entity, number: str) -> Response:
    source, address = _source(portal, found), entity_url(found.ref)
    if not wants_fragment(request):
        return RedirectResponse(f"{address}?run={number}" if number else address, 303)
    reading = reading_of(portal, found, source, number)
    context = {"entity": found, "reading": reading}
    return portal.fragment(
        request, "_reading.html", context, headers=_said(portal, request, reading)
    )


def _said(portal: Portal, request: Request, reading: Reading | None) -> dict[str, str]:
    """Let the polite region of the page say how a reading ended."""
    if reading is None or reading.state == "reading":
        return {}
    words = (
        READING_FAILED if reading.state == "failed" else READ_CHANGED if reading.changed else READ
    )
    return {"hx-trigger": json.dumps({"say": portal.text(request, words)})}


def _source(portal: Portal, found: Entity) -> str:
    provenance = portal.runtime.catalog.provenance(found.ref)
    return provenance.source if provenance else ""


def tab_segments(
    tabs: Sequence[Contributed[EntityTab]], builtin: Container[str]
) -> dict[str, Contributed[EntityTab]]:
    """Give tabs by the last part of their address.

    It is `<plugin>.<name>`, the name alone of the host's own, and the plugin's name alone where
    both are the same. So an address stays what it is, whatever other plugins are installed.
    """
    return {_segment(tab, builtin): tab for tab in tabs}


def _segment(tab: Contributed[EntityTab], builtin: Container[str]) -> str:
    own = tab.plugin in builtin or tab.value.name == tab.plugin
    return tab.value.name if own else tab.key


def _ref(request: Request) -> EntityRef:
    path = request.path_params
    return EntityRef.of(path["kind"], path["namespace"], path["name"])


def _find(portal: Portal, request: Request) -> Entity:
    ref = _ref(request)
    found = portal.runtime.catalog.get(ref)
    if found is None:
        raise EntityNotFoundError(ref.name, _close(portal, ref))
    return found


def _close(portal: Portal, ref: EntityRef) -> list[SearchHit]:
    """Find what may have been meant: what shares a word, the most alike first."""
    words = ref.name.replace("-", " ").replace("_", " ").split()
    found: dict[EntityRef, SearchHit] = {}
    for text in [*words[:MOST_WORDS], ref.name[:4]]:
        for hit in portal.runtime.catalog.search(text, limit=CANDIDATES):
            if hit.ref and hit.kind == hit.ref.kind:
                found.setdefault(hit.ref, hit)
    alike = difflib.SequenceMatcher(b=ref.name)

    def likeness(other: EntityRef) -> float:
        alike.set_seq1(other.name)
        return alike.ratio() + (0.1 if other.kind == ref.kind else 0)

    return [found[other] for other in sorted(found, key=likeness, reverse=True)[:CLOSE_MATCHES]]


def _above(found: Entity) -> EntityRef | None:
    """Give what an entity belongs to: a system or domain, or the group above a group or person."""
    for relation in ("partOf", "childOf", "memberOf"):
        for ref in found.related(relation):
            if ref.kind in ("system", "domain", "group"):
                return ref
    return None


def _context(
    portal: Portal,
    request: Request,
    found: Entity,
    tabs: Mapping[str, Contributed[EntityTab]],
    segment: str,
) -> dict[str, Any]:
    catalog = portal.runtime.catalog
    asker = portal.asker(request)
    badges = portal.slots.badges(found, asker)
    notes = portal.slots.tab_notes(list(tabs.values()), found, asker)
    above = _above(found)
    with catalog.snapshot():
        named = catalog.titles([ref for ref in (found.owner, above) if ref])
        problems = catalog.problems(found.ref, limit=PROBLEM_LIMIT)
        lines = problem_lines(catalog, problems)
        source = _source(portal, found)
    return {
        "entity": found,
        "above": above,
        "named": named,
        "links": links_of(found),
        "places": places_of(found),
        "badges": [item for item in badges if isinstance(item, Badge)],
        "failed_badges": [item for item in badges if isinstance(item, PluginError)],
        "tabs": [(name, tab.value.title, notes.get(tab.key)) for name, tab in tabs.items()],
        "segment": segment,
        "problems": problems,
        "problem_kinds": PROBLEM_KINDS,
        "problem_status": PROBLEM_STATUS,
        "problem_advice": problem_advice,
        "problem_lines": lines,
        "source": source,
        "pushed": is_pushed(found),
        "reading": reading_of(portal, found, source, request.query_params.get("run", "")),
        "starred": found.ref in portal.personal.stars(portal.person(request).key),
        "address": portal.origin(request) + entity_url(found.ref),
        "crumbs": (
            Crumb(_("Catalog"), "/catalog"),
            Crumb(found.title),
        ),
    }


_BASE: Final = "/catalog/{namespace}/{kind}/{name}"
ROUTES = [
    reading(_BASE, entity),
    reading(f"{_BASE}/cards/{{key}}", card),
    reading(f"{_BASE}/raw/download", raw),
    reading(f"{_BASE}/refresh", refreshing),
    guarded(
        f"{_BASE}/refresh", refresh, "catalog.entity.refresh", about="entity", methods=["POST"]
    ),
    reading(f"{_BASE}/{{tab}}", entity),
    reading(f"{_BASE}/{{tab}}/{{rest:path}}", entity),
]
