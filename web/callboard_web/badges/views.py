"""The pictures, and the page that gives the lines to paste into a README."""

from dataclasses import replace
from typing import Final
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from callboard.access.service import READ
from callboard.entities import Entity, EntityRef
from callboard.errors import InputError
from callboard.i18n import Translator
from callboard.identity import acting_for, asking
from callboard_web.badges.picture import draw
from callboard_web.badges.service import SHOWN, Told, of_source
from callboard_web.faults import EntityNotFoundError
from callboard_web.formats import entity_url
from callboard_web.portal import Crumb, Portal, portal_of
from callboard_web.routing import guarded, reading

_: Final = Translator("callboard")

SECONDS: Final = 300
"""How long those who pass a badge on may show it without asking again."""


def badge(request: Request) -> Response:
    """Answer a badge as a picture; where badges are public, as one that other sites may show."""
    portal = portal_of(request)
    show = request.query_params.get("show", "")
    if show not in SHOWN:
        raise InputError(_("There is no badge that shows %(what)s.", what=repr(show[:40])))
    return _badge(portal, request, show)


def problems(request: Request) -> Response:
    """Answer the badge that says whether an entity's file is in order, at an address of its own."""
    return _badge(portal_of(request), request, "problems")


def source(request: Request) -> Response:
    """Answer the badge that says how a source fares."""
    portal = portal_of(request)
    catalog = portal.runtime.catalog
    with acting_for(None if portal.runtime.portal.public_badges else asking()):
        found = catalog.source(request.path_params["name"])
        if found is None:
            return _picture(portal, request, Told(_("catalog"), _("not found"), "idle"), 404)
        return _picture(portal, request, of_source(found, catalog), 200)


def _badge(portal: Portal, request: Request, show: str) -> Response:
    # The setting opens them to everybody, and caches keep one for all.
    with acting_for(None if portal.runtime.portal.public_badges else asking()):
        found = portal.runtime.catalog.get(_ref(request))
        if found is None:
            told = Told(_("catalog"), _("not found"), "idle")
            return _picture(portal, request, told, 404)
        return _picture(portal, request, SHOWN[show][1](found, portal.runtime.catalog), 200)


def _picture(portal: Portal, request: Request, told: Told, status: int) -> Response:
    # The language is the one asked for, or English: what passes a badge on keeps one for everyone.
    wanted = request.query_params.get("language", "en")
    languages = portal.runtime.portal.languages
    language = wanted if wanted in languages else "en"
    reader = replace(portal.reader(request), language=language)
    label, value = (portal.renderer.text(text, reader) for text in (told.label, told.value))
    headers = {}
    if portal.runtime.portal.public_badges:
        headers = {
            "cache-control": f"public, max-age={SECONDS}",
            # Other sites show it: that is what it is for.
            "cross-origin-resource-policy": "cross-origin",
            "vary": "Accept-Encoding",
        }
    content = draw(label, value, told.ground)
    return Response(content, status, headers, media_type="image/svg+xml")


def snippets(request: Request) -> Response:
    """Show the badges of an entity with the lines that put them into a README."""
    portal = portal_of(request)
    ref = _ref(request)
    found = portal.runtime.catalog.get(ref)
    if found is None:
        raise EntityNotFoundError(ref.name, ())
    origin = portal.origin(request)
    language = portal.reader(request).language
    context = {
        "entity": found,
        "public": portal.runtime.portal.public_badges,
        "badges": [
            _lines(found, origin, show, title, language) for show, (title, _give) in SHOWN.items()
        ],
        "crumbs": (
            Crumb(_("Catalog"), "/catalog"),
            Crumb(found.title, entity_url(ref)),
            Crumb(_("Badges")),
        ),
    }
    return portal.page(request, "badges.html", context)


def _lines(
    entity: Entity, origin: str, show: str, title: object, language: str
) -> dict[str, object]:
    ref = entity.ref
    parts = (quote(part, safe="") for part in (ref.namespace, ref.kind, ref.name))
    # That of problems has an address that reads well in a README.
    own = "/problems" if show == "problems" else ""
    query = [f"show={show}"] if show and not own else []
    query += [f"language={language}"] if language != "en" else []
    path = f"/badges/{'/'.join(parts)}{own}.svg" + (f"?{'&'.join(query)}" if query else "")
    picture, page = f"{origin}{path}", f"{origin}{entity_url(ref)}"
    name = ref.relative(kind="component")
    return {
        "title": title,
        "path": path,
        "markdown": f"[![{name}]({picture})]({page})",
        "html": f'<a href="{page}"><img src="{picture.replace("&", "&amp;")}" alt="{name}"></a>',
    }


def _ref(request: Request) -> EntityRef:
    path = request.path_params
    return EntityRef.of(path["kind"], path["namespace"], path["name"])


ROUTES = [
    guarded(
        "/badges/{namespace}/{kind}/{name}.svg",
        badge,
        READ,
        about="entity",
        unless="public_badges",
    ),
    guarded(
        "/badges/{namespace}/{kind}/{name}/problems.svg",
        problems,
        READ,
        about="entity",
        unless="public_badges",
    ),
    guarded("/badges/sources/{name}.svg", source, "catalog.source.read", unless="public_badges"),
    reading(
        "/catalog/{namespace}/{kind}/{name}/badge",
        snippets,
    ),
]
