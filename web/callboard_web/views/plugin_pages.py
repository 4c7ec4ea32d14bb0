"""Whole pages of plugins in the portal's shell, and their API routes."""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from callboard.contributions import Page
from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard.plugins import Contributed
from callboard_web.forms import read_form
from callboard_web.portal import Crumb, portal_of
from callboard_web.routing import GuardedRoute, guarded
from callboard_web.slots import Drawn

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

log = logging.getLogger(__name__)

_ = Translator("callboard")


def page_routes(runtime: "Runtime") -> list[GuardedRoute]:
    """Give a route for each page that plugins contribute; one with no path is listed as faulty."""
    routes: list[GuardedRoute] = []
    for item in runtime.plugins.contributions.pages:
        made = runtime.plugins.call(item, "page", partial(_routes_of, item), expected=list)
        if isinstance(made, list):
            routes.extend(made)
    return routes


def _routes_of(item: Contributed[Page]) -> list[GuardedRoute]:
    path = item.value.path.strip("/")
    paths = [f"/{item.plugin}/{path}"] if path else [f"/{item.plugin}/", f"/{item.plugin}"]
    permission = item.value.permission or "catalog.entity.read"
    routes = [guarded(path, _endpoint(item), permission, about="entity") for path in paths]
    if item.value.submit is not None:
        routes += [
            guarded(path, _submission(item), permission, about="entity", methods=["POST"])
            for path in paths
        ]
    return routes


def _endpoint(page: Contributed[Page]) -> Callable[[Request], Response]:
    def draw(request: Request) -> Response:
        portal = portal_of(request)
        return _answer(request, page, portal.slots.page(page, portal.asker(request)))

    return draw


def _submission(page: Contributed[Page]) -> Callable[[Request], Awaitable[Response]]:
    async def submit(request: Request) -> Response:
        form = await read_form(request)
        fields = {name: form.all(name) for name in form}
        portal = portal_of(request)
        asker = await run_in_threadpool(portal.asker, request)
        drawn = await run_in_threadpool(portal.slots.submitted, page, asker, fields)
        return await run_in_threadpool(_answer, request, page, drawn)

    return submit


def _answer(request: Request, page: Contributed[Page], drawn: Drawn | None) -> Response:
    if drawn is None:
        raise NotFoundError(_("The plugin %(plugin)s has no such page.", plugin=page.plugin))
    context = {"title": drawn.title, "drawn": drawn, "crumbs": (Crumb(drawn.title),)}
    status = 500 if drawn.error else 200
    return portal_of(request).page(request, "plugin_page.html", context, status=status)


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
