"""Search: the results page, and what the command palette offers as one types."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from callboard.i18n import Text, Translator
from callboard_catalog.search import (
    OPERATORS,
    Count,
    Query,
    SearchRequest,
    SearchResult,
    parse,
)
from callboard_web.palette.address import FACETS, MOST_CHARACTERS, PER_PAGE, SORTS, Address
from callboard_web.palette.service import Group, Palette, Said
from callboard_web.portal import Portal, portal_of
from callboard_web.routing import reading

_: Final = Translator("callboard")

_OPERATORS: Final[Sequence[tuple[str, str, Text]]] = (
    ("owner", "trade-core", _("what a team or person owns; its name, title or reference")),
    ("kind", "api", _("of a kind; several values are divided by commas")),
    ("type", "service", _("of a type")),
    ("lifecycle", "production", _("at this point of its life")),
    ("tag", "java", _("with a tag")),
    ("system", "shop", _("part of a system")),
    ("domain", "retail", _("of a domain, its systems included")),
    ("source", "main", _("read from a source")),
    ("is", "mine", _("also is:starred, is:orphan (without owner) and is:deprecated")),
    ("in", "catalog", _("only there; or only in what one plugin adds")),
)
"""Each operator, a value where the catalog has none, and what it means."""


@dataclass(frozen=True, slots=True)
class _Facet:
    name: str
    title: Text
    values: Sequence[Count]


def search(request: Request) -> Response:
    """Draw what was found, with facets beside it."""
    portal = portal_of(request)
    palette = palette_of(request)
    address = Address.of(request.query_params.multi_items())
    query = parse(address.text)
    result = palette.find(
        SearchRequest(
            query=query,
            chosen=address.filters(),
            searcher=palette.searcher(portal.person(request), _said(portal, request)),
            sort=address.sort,
            offset=(address.page - 1) * PER_PAGE,
            limit=PER_PAGE,
            details=True,
        )
    )
    return portal.page(
        request,
        "search.html",
        {
            "address": address,
            "query": query,
            "result": result,
            "first": (address.page - 1) * PER_PAGE + 1,
            "pages": -(-result.total // PER_PAGE),
            "facets": _facets(result),
            "chips": _chips(palette, address, result),
            "unknown": _unknown(palette, query),
            "operators": [f"{name}:" for name in OPERATORS],
            "examples": [] if result.hits else _examples(palette.examples()),
            "sorts": SORTS,
            "hit_title": palette.title_of,
            "hit_icon": palette.icon_of,
        },
        headers=_spoken(portal, request, result.total),
    )


def options(request: Request) -> Response:
    """Draw the options below the command palette's field."""
    portal = portal_of(request)
    palette = palette_of(request)
    text = request.query_params.get("q", "")[:MOST_CHARACTERS]
    said, person = _said(portal, request), portal.person(request)
    query = parse(text)
    groups: list[Group] = []
    result = SearchResult([])
    if text.strip():
        groups, result = palette.answer(text, query, person, said)
    else:
        groups = palette.start(person, said)
    number = sum(len(group.options) for group in groups)
    context = {"text": text.strip(), "groups": groups, "total": result.total, "more": result.more}
    headers = _spoken(portal, request, number) if text.strip() else {}
    return portal.fragment(request, "_palette.html", context, headers=headers)


def palette_of(request: Request) -> Palette:
    """Give the palette of the portal, made when it is first asked for."""
    state = request.app.state
    if not hasattr(state, "palette"):
        portal = portal_of(request)
        items = [item for _title, members in portal.navigation for item in members]
        state.palette = Palette(portal.runtime, portal.personal, items)
    palette: Palette = state.palette
    return palette


def _said(portal: Portal, request: Request) -> Said:
    return lambda text: portal.text(request, text)


def _spoken(portal: Portal, request: Request, number: int) -> dict[str, str]:
    count = _.plural("%(number)s result", "%(number)s results", number)
    return {"hx-trigger": json.dumps({"say": portal.text(request, count)})}


def _facets(result: SearchResult) -> list[_Facet]:
    return [
        _Facet(name, title, result.facets[name])
        for name, title in FACETS.items()
        if result.facets.get(name)
    ]


def _chips(palette: Palette, address: Address, result: SearchResult) -> list[dict[str, Any]]:
    labels = {
        (name, count.value): count.label
        for name, counts in result.facets.items()
        for count in counts
    }
    return [
        {
            "title": FACETS[name],
            "label": palette.title_of(value)
            if name == "kind"
            else labels.get((name, value), value),
            "url": address.without(name, value).url(),
        }
        for name, value in address.pairs()
    ]


def _examples(values: Mapping[str, str]) -> list[tuple[str, Text]]:
    """Give each way to narrow as it is typed, and what it means."""
    owner = values.get("owner", "trade-core")
    return [
        *((f"{name}:{values.get(name, value)}", means) for name, value, means in _OPERATORS),
        (f"-owner:{owner}", _("not so; a minus stands before any operator")),
        ('"order service"', _("these words as they stand")),
    ]


def _unknown(palette: Palette, query: Query) -> list[str]:
    """Give the names before a colon that look like operators; a reference begins with a kind."""
    return [f"{name}:" for name in query.unknown if palette.title_of(name) == name]


ROUTES = [
    reading("/search", search),
    reading("/search/palette", options),
]
