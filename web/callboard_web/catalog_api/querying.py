"""Entities by a query, page by page: by parameters (GET) or by a body with a predicate (POST)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from callboard_catalog.rest.model import EntityPage, EntityQuery, Order, Position
from callboard_web.catalog_api.model import Answer, ApiRequest, Endpoint, Entities, Parameter
from callboard_web.catalog_api.reading import (
    answered,
    fields_of,
    order_of,
    queries_of,
    where,
)
from callboard_web.catalog_api.schemas import (
    COUNT,
    FIELDS,
    FILTER,
    LIMIT,
    MOST_LISTED,
    NAME,
    OFFSET,
    PAGE,
    PREDICATE,
    TEXT,
    TOTAL_ITEMS,
    listed,
    shaped,
)

CURSOR: Final = "by-query"
DEFAULT_LIMIT: Final = 200
UID: Final = "metadata.uid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A query as it was put, which its cursors carry on. `total` is None where it is to count."""

    filters: Sequence[str] = ()
    predicate: Any = None
    order: Order | None = None
    text: str = ""
    text_fields: Sequence[str] = ()
    position: Position | None = None
    total: int | None = None


def by_query(request: ApiRequest) -> Answer:
    """Answer a page of what the parameters ask for, or of what a cursor goes on with."""
    return answered(request, _plan(request))


def _plan(request: ApiRequest) -> Entities:
    cursor = request.first("cursor")
    asked = _went_on(request, cursor) if cursor else _by_parameters(request)
    return _page(
        request,
        asked,
        limit=request.number("limit", DEFAULT_LIMIT),
        offset=request.number("offset", 0),
        fields=fields_of(request.all("fields")),
        counted=request.first("totalItems") != "exclude",
    )


def by_body(request: ApiRequest) -> Answer:
    """Answer the same of a body, with a predicate."""
    body = request.json() or {}
    asked = _went_on(request, body["cursor"]) if "cursor" in body else _by_body(body)
    planned = _page(
        request,
        asked,
        limit=body.get("limit", DEFAULT_LIMIT),
        offset=body.get("offset", 0),
        fields=fields_of(body.get("fields", ())),
        counted=body.get("totalItems") != "exclude",
    )
    return answered(request, planned)


def _by_parameters(request: ApiRequest) -> Asked:
    key, _, direction = request.first("orderField").partition(",")
    return Asked(
        filters=request.all("filter"),
        order=order_of(key, direction.strip()) if request.first("orderField") else None,
        text=request.first("fullTextFilterTerm").strip(),
        text_fields=fields_of(request.all("fullTextFilterFields")),
    )


def _by_body(body: Mapping[str, Any]) -> Asked:
    order, text = body.get("orderBy"), body.get("fullTextFilter", {})
    return Asked(
        predicate=body.get("query"),
        order=order_of(order[0]["field"], order[0].get("order", "")) if order else None,
        text=text.get("term", "").strip(),
        text_fields=fields_of(text.get("fields", ())),
    )


def _page(
    request: ApiRequest,
    asked: Asked,
    *,
    limit: int,
    offset: int,
    fields: Sequence[str],
    counted: bool,
) -> Entities:
    counts = counted and asked.total is None
    page = queries_of(request).page(_query(asked, limit, offset, counts))
    total = page.total if counts else asked.total or 0
    info = _info(request, asked, page, total) if limit else {}
    tail = b',"totalItems":%d,"pageInfo":%b}' % (total, orjson.dumps(info))
    return Entities(rows=page.rows, fields=fields, begin=b'{"items":', end=tail)


def _query(asked: Asked, limit: int, offset: int, counts: bool) -> EntityQuery:
    sorted_by = (asked.order.key if asked.order else UID,)
    return EntityQuery(
        where=where(asked.filters, asked.predicate),
        text=asked.text,
        text_fields=tuple(field.lower() for field in asked.text_fields) or sorted_by,
        order=(asked.order,) if asked.order else (),
        only_sorted=True,
        limit=min(limit, MOST_LISTED),
        offset=0 if asked.position else offset,
        position=asked.position,
        total=counts,
    )


# Cursors


def _info(request: ApiRequest, asked: Asked, page: EntityPage, total: int) -> Mapping[str, str]:
    places = {"nextCursor": page.following, "prevCursor": page.preceding}
    return {
        name: _cursor(request, asked, place, total)
        for name, place in places.items()
        if place is not None
    }


def _cursor(request: ApiRequest, asked: Asked, place: Position, total: int) -> str:
    order = asked.order and [asked.order.key, asked.order.descending]
    content = [
        list(asked.filters), asked.predicate, order, asked.text, list(asked.text_fields),
        [place.value, place.row, place.back], total, str(request.subject.principal),
    ]  # fmt: skip
    return request.portal.cursors.make(CURSOR, content)


def _went_on(request: ApiRequest, cursor: str) -> Asked:
    """Read a cursor; raises `InputError`. Who did not get it is given a total of their own."""
    content = request.portal.cursors.read(CURSOR, cursor)
    filters, predicate, order, text, text_fields, place, total, who = content
    return Asked(
        filters=filters,
        predicate=predicate,
        order=Order(*order) if order else None,
        text=text,
        text_fields=text_fields,
        position=Position(*place),
        total=total if who == str(request.subject.principal) else None,
    )


_CURSOR_ABOUT: Final = (
    "Where to go on, from nextCursor or prevCursor; it brings query and order with it."
)
_TOTAL_ABOUT: Final = "Whether all that match are counted, which costs time; without, it is 0."

ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/entities/by-query",
        view=by_query,
        plan=_plan,
        about="A page of the entities that match.",
        lists=True,
        parameters=(
            FILTER,
            FIELDS,
            LIMIT,
            OFFSET,
            Parameter(
                name="orderField",
                schema=TEXT,
                about="`key`, `key,asc` or `key,desc`; the first one counts. What lacks the key "
                "is left out.",
                repeated=True,
            ),
            Parameter(name="cursor", schema=NAME, about=_CURSOR_ABOUT),
            Parameter(name="totalItems", schema=TOTAL_ITEMS, about=_TOTAL_ABOUT),
            Parameter(
                name="fullTextFilterTerm",
                schema=TEXT,
                about="Text within one of the fullTextFilterFields, in any case.",
            ),
            Parameter(
                name="fullTextFilterFields",
                schema=TEXT,
                about="Keys joined by commas; without them the key of the order.",
                repeated=True,
            ),
        ),
        answers={200: PAGE},
        kept=True,
    ),
    Endpoint(
        method="POST",
        path="/entities/by-query",
        view=by_body,
        about="A page of the entities that match, asked by a body; without one, the first 200.",
        lists=True,
        body=shaped(
            cursor=NAME,
            limit=COUNT,
            offset=COUNT,
            orderBy=listed(
                shaped(("field",), field=NAME, order={"type": "string", "enum": ["asc", "desc"]}),
                maxItems=100,
            ),
            fullTextFilter=shaped(term=TEXT, fields=listed(TEXT, maxItems=1000)),
            fields=listed(TEXT, maxItems=1000),
            totalItems=TOTAL_ITEMS,
            query=PREDICATE,
        ),
        answers={200: PAGE},
        kept=True,
    ),
)
