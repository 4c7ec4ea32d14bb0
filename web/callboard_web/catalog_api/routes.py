"""The endpoints as routes of the portal."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from callboard.errors import InputError
from callboard_web.catalog_api import (
    ancestry,
    deletions,
    entities,
    facets,
    history,
    kinds,
    listing,
    locations,
    openapi,
    past,
    problems,
    pushing,
    querying,
    refreshing,
    validating,
)
from callboard_web.catalog_api.answering import respond
from callboard_web.catalog_api.checks import Checks, read_query
from callboard_web.catalog_api.model import MOUNT, ApiRequest, Endpoint
from callboard_web.csrf import read_body
from callboard_web.limits import LIMIT
from callboard_web.portal import portal_of
from callboard_web.routing import GuardedRoute, guarded, public

ENDPOINTS: Final[Sequence[Endpoint]] = (
    *entities.ENDPOINTS,
    *ancestry.ENDPOINTS,
    *listing.ENDPOINTS,
    *querying.ENDPOINTS,
    *facets.ENDPOINTS,
    *history.ENDPOINTS,
    *past.ENDPOINTS,
    *kinds.ENDPOINTS,
    *refreshing.ENDPOINTS,
    *validating.ENDPOINTS,
    *locations.ENDPOINTS,
    *problems.ENDPOINTS,
    *pushing.ENDPOINTS,
    *deletions.ENDPOINTS,
)
"""Every endpoint. Of two whose paths both fit, the first is asked."""

FOUND: Final = (200, 304)


def _view(endpoint: Endpoint) -> Callable[..., Any]:
    checks = Checks(endpoint)

    def answered(request: Request, body: bytes = b"") -> Response:
        answer = respond(request, endpoint, body, lambda: _asked(request, checks, body))
        if answer.status_code in FOUND:
            portal_of(request).runtime.usage.asked(request.scope["path"])
        return answer

    async def with_body(request: Request) -> Response:
        body = await read_body(request, LIMIT)
        return await asyncio.to_thread(answered, request, body)

    # One that reads no body goes to a thread once, permission and all.
    def without_body(request: Request) -> Response:
        return answered(request)

    view = without_body if endpoint.body is None else with_body
    view.__doc__ = endpoint.about
    return view


def _asked(request: Request, checks: Checks, body: bytes) -> ApiRequest:
    """Give what is asked; raises `InputError` where it is not as the endpoint declares."""
    portal = portal_of(request)
    path = request.url.path
    if "\ufffd" in path:
        raise InputError("The path of the address is not UTF-8.")
    query = read_query(request.scope["query_string"])
    checks.query(query)
    return ApiRequest(
        portal=portal,
        subject=portal.subject(request),
        method=request.method,
        path=path.removeprefix(MOUNT),
        parameters=request.path_params,
        query=query,
        body=body,
        content=checks.body(body, request.headers.get("content-type", "")),
    )


def _routes() -> Iterator[tuple[Endpoint, GuardedRoute]]:
    for endpoint in (*ENDPOINTS, openapi.endpoint(ENDPOINTS)):
        path, view, methods = f"{MOUNT}{endpoint.path}", _view(endpoint), [endpoint.method]
        if endpoint.permission:
            yield endpoint, guarded(
                path, view, endpoint.permission,
                about=endpoint.on, methods=methods, lists=endpoint.lists,
            )  # fmt: skip
        else:
            yield endpoint, public(path, view, why=endpoint.why, methods=methods)


PAIRS: Final = list(_routes())
"""Each endpoint with its route."""

ROUTES: Final = [route for _, route in PAIRS]
