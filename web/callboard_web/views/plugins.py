"""Plugins: their state and why, what they add, what went wrong."""

import inspect
from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from callboard import CONTRACT
from callboard.errors import NotFoundError
from callboard.i18n import Text, Translator
from callboard.plugins import Contributions, PluginRecord, PluginState
from callboard.settings.reference import describe_fields
from callboard_web.portal import Crumb, Portal, portal_of
from callboard_web.routing import guarded

_: Final = Translator("callboard")

STATE_STATUS: Final = {
    PluginState.LOADED: "ok",
    PluginState.DISABLED: "skip",
    PluginState.FAILED: "bad",
    PluginState.INCOMPATIBLE: "block",
}
STATE_WORDS: Final = {
    PluginState.LOADED: _.context("plugin", "On"),
    PluginState.DISABLED: _.context("plugin", "Off"),
    PluginState.FAILED: _.context("plugin", "Failed"),
    PluginState.INCOMPATIBLE: _.context("plugin", "Incompatible"),
}
ADDS: Final[Mapping[str, Text]] = {
    "navigation": _("Navigation"),
    "pages": _("Pages"),
    "routes": _("API routes"),
    "home_cards": _("Home cards"),
    "entity_cards": _("Entity cards"),
    "entity_tabs": _("Entity tabs"),
    "entity_badges": _("Badges"),
    "catalog_columns": _("Catalog columns"),
    "entity_sources": _("Entity sources"),
    "entity_processors": _("Entity processors"),
    "kinds": _("Kinds"),
    "search_sources": _("Search sources"),
    "acts": _("Acts"),
    "waiting": _("What waits for people"),
    "page_notes": _("Notes on pages"),
    "activity": _("Words for events"),
    "jobs": _("Jobs"),
    "event_handlers": _("Event handlers"),
    "webhooks": _("Webhooks"),
    "delivery_follows": _("What follows from deliveries"),
    "permissions": _("Permissions"),
    "deciders": _("Deciders"),
    "metrics": _("Metrics"),
    "checks": _("Checks of the doctor"),
    "commands": _("Commands"),
    "cluster_watches": _("Watches of clusters"),
    "cluster_rules": _("Rights in clusters"),
    "code_hosts": _("Hosts of repositories"),
    "demo_parts": _("Parts of the demo"),
}
PLACES: Final[Mapping[str, Text]] = {
    "page": _("page"),
    "form": _("form"),
    "API routes": _("API routes"),
    "home card": _("home card"),
    "entity card": _("entity card"),
    "entity tab": _("entity tab"),
    "entity badge": _("badge"),
    "entity source": _("entity source"),
    "entity processor": _("entity processor"),
    "catalog column": _("catalog column"),
    "search source": _("search source"),
    "what waits": _("what waits"),
    "note": _("note on pages"),
    "activity": _("activity"),
    "webhook": _("webhook"),
    "delivery": _("page of a delivery"),
    "metric": _("metric"),
}
"""What the beginnings of the places mean that calls and errors are noted under."""

_RANK: Final = {PluginState.FAILED: 0, PluginState.INCOMPATIBLE: 1}


def plugins(request: Request) -> Response:
    """List every plugin that was found, those that failed first."""
    portal = portal_of(request)
    records = list(portal.runtime.plugins.records.values())
    context = {
        "records": sorted(records, key=lambda item: (_rank(item), item.name)),
        "states": {state: sum(item.state is state for item in records) for state in PluginState},
        "adds": {item.name: _adds(portal, item.name) for item in records},
        "errors": list(reversed(portal.runtime.plugins.errors))[:20],
        "place_words": place_words,
        "contract": CONTRACT,
        "state_status": STATE_STATUS,
        "state_words": STATE_WORDS,
    }
    return portal.page(request, "plugins.html", context)


def plugin(request: Request) -> Response:
    """Show one plugin."""
    portal = portal_of(request)
    name = request.path_params["name"]
    record = portal.runtime.plugins.records.get(name)
    if record is None:
        raise NotFoundError(
            _("There is no plugin named %(name)s.", name=name), hint=_("It may be uninstalled.")
        )
    errors = [item for item in portal.runtime.plugins.errors if item.plugin == name]
    model = record.settings_model
    context = {
        "record": record,
        "adds": _adds(portal, name),
        "errors": list(reversed(errors)),
        "costs": portal.runtime.plugins.guard.costs_of(name),
        "options": [
            (key, takes, default, Translator(name)(text) if text else "")
            for key, takes, default, text in (describe_fields(model) if model else ())
        ],
        "settings_text": inspect.getdoc(model) if model else "",
        "place_words": place_words,
        "contract": CONTRACT,
        "state_status": STATE_STATUS,
        "state_words": STATE_WORDS,
        "crumbs": (Crumb(_("Plugins"), "/plugins"), Crumb(record.name)),
    }
    return portal.page(request, "plugin.html", context)


def place_words(place: str) -> tuple[Text, str]:
    """Give the words for a place on a page, and whom or what it was for: `entity card, api:x`."""
    for start in sorted(PLACES, key=len, reverse=True):
        rest = place.removeprefix(start)
        if rest != place and rest[:1] in ("", " ", ","):
            return PLACES[start], rest.strip(" ,")
    return place, ""


def _rank(record: PluginRecord) -> int:
    return _RANK.get(record.state, 2 if record.errors else 4 if record.builtin else 3)


def _adds(portal: Portal, name: str) -> list[tuple[Text, int]]:
    contributions = portal.runtime.plugins.contributions
    found = []
    for item in fields(Contributions):
        number = sum(value.plugin == name for value in getattr(contributions, item.name))
        if number:
            found.append((ADDS[item.name], number))
    return found


ROUTES = [
    guarded("/plugins", plugins, "portal.plugin.read"),
    guarded("/plugins/{name}", plugin, "portal.plugin.read"),
]
