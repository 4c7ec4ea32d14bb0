"""Roles, bindings and where they are written, for those who look after them."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from callboard.access import Binding, Role
from callboard.access.service import CHANGE
from callboard.errors import NotFoundError
from callboard.i18n import Text, Translator
from callboard_web.access.service import areas_of
from callboard_web.access.subjects import Directory
from callboard_web.access.views import READ_POLICY, sections, text_of
from callboard_web.access.words import (
    CHANGED_IN,
    ORIGINS,
    area_of,
    selector_words,
    source_words,
    title_of,
)
from callboard_web.portal import Crumb, Portal, portal_of
from callboard_web.routing import guarded

_: Final = Translator("callboard")

PAGE_ROWS: Final = 50
MOST_SHOWN: Final = 10
EFFECTS: Final = (
    ("allow", _.context("bindings", "Giving")),
    ("deny", _.context("bindings", "Forbidding")),
)
STATES: Final = {
    "ok": ("ok", _.context("policy source", "In force")),
    "waiting": ("wait", _.context("policy source", "Not read yet")),
    "failing": ("bad", _.context("policy source", "Failing")),
    "off": ("skip", _.context("policy source", "Off")),
}


def roles(request: Request) -> Response:
    """List the roles, each with how many permissions it has and how often it is given."""
    portal = portal_of(request)
    access = portal.runtime.services.access
    policy = access.policy
    given: dict[str, int] = {}
    for binding in policy.bindings:
        given[binding.role] = given.get(binding.role, 0) + 1
    context = {
        "roles": [
            (role, len(access.permissions_of(role.name)), given.get(role.name, 0))
            for role in policy.roles.values()
        ],
        "permissions": len(access.permissions),
        "bindings": len(policy.bindings),
        **shared(portal, request),
    }
    return portal.page(request, "access/roles.html", context)


def shared(portal: Portal, request: Request) -> dict[str, Any]:
    """Give what all pages of policies need."""
    access = portal.runtime.services.access
    return {
        **sections(portal, request),
        "source_words": source_words,
        "selector_words": selector_words,
        "role_title": lambda name: title_of(access.policy.roles.get(name), name),
        "changed_in": CHANGED_IN,
        "origins": ORIGINS,
        "may_change": access.settings.pages and portal.allows(request, CHANGE),
    }


def role_of(portal: Portal, name: str) -> Role:
    """Give a role that is in force; raises `NotFoundError`."""
    found = portal.runtime.services.access.policy.roles.get(name)
    if found is None:
        raise NotFoundError(
            _("There is no role %(name)s.", name=name[:80]), hint=_("The page Access lists them.")
        )
    return found


def role(request: Request) -> Response:
    """Show what is in one role, by which of its lines, and who has it."""
    portal = portal_of(request)
    access = portal.runtime.services.access
    found = role_of(portal, text_of(request, "name"))
    directory = Directory(portal)
    bindings = [item for item in access.policy.bindings if item.role == found.name]
    names = access.permissions_of(found.name)
    areas: dict[str, list[tuple[Any, Text]]] = {}
    for name in sorted(names):
        permission = access.permissions[name]
        areas.setdefault(area_of(name), []).append((permission, _by(portal, found, name)))
    context = {
        "role": found,
        "areas": [(title, areas[name]) for name, title in areas_of(portal, areas)],
        "count": len(names),
        "bindings": rows_of(directory, bindings[:MOST_SHOWN]),
        "given": len(bindings),
        "crumbs": (Crumb(_("Access"), "/access"), Crumb(found.title or found.name)),
        **shared(portal, request),
    }
    return portal.page(request, "access/role.html", context)


def _by(portal: Portal, found: Role, permission: str) -> Text:
    """Say by which pattern, or from which included role, a role has a permission."""
    if permission in found.permissions:
        return ""
    access = portal.runtime.services.access
    for name in found.includes:
        if permission in access.permissions_of(name):
            return _("by the role %(role)s", role=title_of(access.policy.roles.get(name), name))
    patterns = ", ".join(item for item in found.permissions if "*" in item or "?" in item)
    return _("by %(patterns)s", patterns=patterns)


def rows_of(
    directory: Directory, bindings: Sequence[Binding]
) -> list[tuple[Binding, Any, tuple[Text, ...]]]:
    """Give bindings with their subjects and selectors in words."""
    return [
        (item, directory.all_named(item.subjects), selector_words(item.on)) for item in bindings
    ]


def bindings(request: Request) -> Response:
    """List the bindings, narrowed by subject, role, effect and where they are written."""
    portal = portal_of(request)
    access = portal.runtime.services.access
    directory = Directory(portal)
    filters = {name: text_of(request, name) for name in ("subject", "role", "effect", "origin")}
    found = narrowed(access.policy.bindings, directory, filters)
    found.sort(key=lambda item: -item.number)  # those made in pages first, the newest of all
    offset = offset_of(request, len(found))
    context = {
        "rows": rows_of(directory, found[offset : offset + PAGE_ROWS]),
        "total": len(access.policy.bindings),
        "found": len(found),
        "filters": filters,
        "filtered": any(filters.values()),
        "suggested": directory.suggest(""),
        "roles": [(item.name, item.title) for item in access.policy.roles.values()],
        "effects": EFFECTS,
        "pager": pager("/access/bindings", filters, offset, len(found)),
        **shared(portal, request),
    }  # fmt: skip
    return portal.page(request, "access/bindings.html", context)


def narrowed(
    found: Sequence[Binding], directory: Directory, filters: dict[str, str]
) -> list[Binding]:
    """Give the bindings that fit all filters; a subject by a part of its name or title."""
    wanted = filters["subject"].casefold()
    known: dict[str, bool] = {}

    def named(name: str) -> bool:
        if name not in known:
            known[name] = wanted in name.casefold() or wanted in directory.title(name).casefold()
        return known[name]

    return [
        item
        for item in found
        if (not wanted or any(named(name) for name in item.subjects))
        and filters["role"] in ("", item.role)
        and filters["effect"] in ("", item.effect)
        and filters["origin"] in ("", item.origin)
    ]


def offset_of(request: Request, total: int) -> int:
    """Give where the page begins: a multiple of its rows, within the list."""
    given = request.query_params.get("from", "")
    wanted = int(given) if given.isascii() and given.isdigit() and len(given) < 8 else 0
    last = max(total - 1, 0) // PAGE_ROWS * PAGE_ROWS
    return min(wanted // PAGE_ROWS * PAGE_ROWS, last)


def pager(path: str, parameters: dict[str, str], offset: int, total: int) -> dict[str, Any]:
    """Give what `organisation/_pager.html` needs."""

    def url(place: int) -> str:
        kept = {name: value for name, value in parameters.items() if value}
        query = urlencode({**kept, **({"from": place} if place else {})})
        return f"{path}?{query}" if query else path

    following = offset + PAGE_ROWS
    return {
        "first": offset + 1 if total else 0,
        "last": min(following, total),
        "total": total,
        "previous": url(offset - PAGE_ROWS) if offset else "",
        "next": url(following) if following < total else "",
    }


def sources(request: Request) -> Response:
    """Show where policies come from, how each place fares, and what is wrong in them."""
    portal = portal_of(request)
    access = portal.runtime.services.access
    context = {
        "sources": access.sources,
        "faults": access.faults,
        "states": STATES,
        **shared(portal, request),
    }
    return portal.page(request, "access/sources.html", context)


ROUTES = [
    guarded("/access", roles, READ_POLICY),
    guarded("/access/role", role, READ_POLICY),
    guarded("/access/bindings", bindings, READ_POLICY),
    guarded("/access/sources", sources, READ_POLICY),
]
