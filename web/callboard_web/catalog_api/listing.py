"""All entities, or a page of them with a `Link` to the next one."""

import hashlib
from typing import Final
from urllib.parse import urlencode

import orjson

from callboard.errors import InputError
from callboard_catalog.rest.model import EntityQuery, Order, Position
from callboard_web.catalog_api.model import Answer, ApiRequest, Endpoint, Entities, Parameter
from callboard_web.catalog_api.reading import (
    answered,
    fields_of,
    order_of,
    queries_of,
    where,
)
from callboard_web.catalog_api.schemas import (
    FIELDS,
    FILTER,
    LIMIT,
    MOST_LISTED,
    NAME,
    OFFSET,
    POSITIVE,
    TEXT,
    listed,
)

CURSOR: Final = "entities"
DEFAULT_LIMIT: Final = 200


def entities(request: ApiRequest) -> Answer:
    """Answer a JSON list: of everything as it is read, or of a page where one is asked for."""
    return answered(request, _plan(request))


def _plan(request: ApiRequest) -> Entities:
    fields = fields_of(request.all("fields"))
    paged = any(request.first(name) for name in ("limit", "offset", "after"))
    query = _page(request) if paged else _everything(request)
    page = queries_of(request).page(query)
    headers = []
    if paged and page.following is not None and query.limit is not None:
        headers = [("link", _next(request, query.limit, page.following))]
    return Entities(rows=page.rows, fields=fields, headers=headers)


def _everything(request: ApiRequest) -> EntityQuery:
    return EntityQuery(
        where=where(request.all("filter")), order=_order(request), limit=None, total=False
    )


def _page(request: ApiRequest) -> EntityQuery:
    order, after = _order(request), request.first("after")
    limit, position = request.number("limit", DEFAULT_LIMIT), None
    if after:
        digest, limit, place = request.portal.cursors.read(CURSOR, after)
        if digest != _digest(request):
            raise InputError("The cursor in after is of another filter or order.")
        position = Position(*place)
    return EntityQuery(
        where=where(request.all("filter")),
        order=order,
        by_reference=not order,
        limit=min(limit, MOST_LISTED),
        offset=0 if position else request.number("offset", 0),
        position=position,
        total=False,
    )


def _order(request: ApiRequest) -> tuple[Order, ...]:
    found = []
    for text in request.all("order"):
        direction, colon, key = text.partition(":")
        if not colon or direction not in ("asc", "desc"):
            raise InputError(
                "Invalid order parameter, expected asc:key or desc:key.",
                hint="Such as order=asc:metadata.name.",
            )
        found.append(order_of(key, direction))
    return tuple(found)


def _digest(request: ApiRequest) -> str:
    asked = orjson.dumps([request.all("filter"), request.all("order")])
    return hashlib.blake2b(asked, digest_size=12).hexdigest()


def _next(request: ApiRequest, limit: int, position: Position) -> str:
    place = [position.value, position.row, position.back]
    after = request.portal.cursors.make(CURSOR, [_digest(request), limit, place])
    kept = [pair for pair in request.query if pair[0] not in ("offset", "after")]
    return f'<{request.path}?{urlencode([*kept, ("after", after)])}>; rel="next"'


ENDPOINTS: Final = (
    Endpoint(
        method="GET",
        path="/entities",
        view=entities,
        plan=_plan,
        about="All entities, streamed; a page of them where limit, offset or after is given, "
        "with a Link header to the next one.",
        lists=True,
        parameters=(
            FILTER,
            FIELDS,
            Parameter(
                name="order",
                schema=TEXT,
                about="`asc:key` or `desc:key`; several sort one within the other. What lacks the "
                "key comes last. Without it a page is in the order of references.",
                repeated=True,
            ),
            Parameter(name="limit", schema=POSITIVE, about=LIMIT.about),
            OFFSET,
            Parameter(
                name="after",
                schema=NAME,
                about="Where to go on, from the Link header; it brings the limit with it.",
            ),
        ),
        answers={200: listed({"$ref": "#/components/schemas/PartialEntity"})},
        kept=True,
    ),
)
