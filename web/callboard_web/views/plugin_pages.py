"""Whole pages of plugins in the portal's shell, and their API routes."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from callboard.contributions import Page
from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard.plugins import Contributed
from callboard_web.portal import Crumb, portal_of

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

log = logging.getLogger(__name__)

_ = Translator("callboard")


def page_routes(runtime: "Runtime") -> list[Route]:
    """Give a route for each page that plugins contribute."""
    routes = []
    for item in runtime.plugins.contributions.pages:
        path = item.value.path.strip("/")
        routes.append(Route(f"/{item.plugin}/{path}", _endpoint(item)))
        if not path:
            routes.append(Route(f"/{item.plugin}", _endpoint(item)))
    return routes


def _endpoint(page: Contributed[Page]) -> Callable[[Request], Response]:
    def draw(request: Request) -> Response:
        portal = portal_of(request)
        drawn = portal.slots.page(page, portal.asker(request))
        if drawn is None:
            raise NotFoundError(_("The plugin %(plugin)s has no such page.", plugin=page.plugin))
        context = {
            "title": page.value.title,
            "drawn": drawn,
            "crumbs": (Crumb(page.value.title),),
        }
        status = 500 if drawn.error else 200
        return portal.page(request, "plugin_page.html", context, status=status)

    return draw


def include_api_routes(app: FastAPI, runtime: "Runtime") -> None:
    """Add the plugins' API routes; one whose router cannot be made is left out and listed."""
    for item in runtime.plugins.contributions.routes:
        router = runtime.plugins.call(
            item,
            "API routes",
            lambda item=item: item.value.router(runtime.host(item.plugin)),  # type: ignore[misc]
            expected=APIRouter,
        )
        if isinstance(router, APIRouter):
            app.include_router(router, prefix=f"/api/plugins/{item.plugin}")
