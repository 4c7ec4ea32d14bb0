"""Whole pages of plugins in the portal's shell, and their API routes."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from callboard.access.service import READ
from callboard.contributions import Page, Routes, SeeOther
from callboard.errors import NotFoundError
from callboard.i18n import Translator
from callboard.plugins import Contributed, undeclared
from callboard_web.formats import address
from callboard_web.forms import read_form
from callboard_web.portal import Crumb, portal_of
from callboard_web.routing import About, GuardedRoute, guarded, public
from callboard_web.slots import Drawn

if TYPE_CHECKING:
    from callboard_web.runtime import Runtime

log = logging.getLogger(__name__)

_ = Translator("callboard")


def page_routes(runtime: "Runtime") -> list[GuardedRoute]:
    """Give a route for each page that plugins contribute; one with no path is listed as faulty."""
    routes: list[GuardedRoute] = []
    for item in runtime.plugins.contributions.pages:
        about = about_of(runtime, item.value.permission)
        made = runtime.plugins.call(item, "page", partial(_routes_of, item, about), expected=list)
        if isinstance(made, list):
            routes.extend(made)
    return routes


def about_of(runtime: "Runtime", permission: str) -> About:
    """Say what a permission is asked about; seeing entities stands for none."""
    declared = runtime.services.access.permissions.get(permission or READ)
    return declared.about if declared else "portal"


def _routes_of(item: Contributed[Page], about: About) -> list[GuardedRoute]:
    path = item.value.path.strip("/")
    paths = [f"/{item.plugin}/{path}"] if path else [f"/{item.plugin}/", f"/{item.plugin}"]
    permission = item.value.permission or READ
    routes = [guarded(path, _endpoint(item), permission, about=about) for path in paths]
    if item.value.submit is not None:
        routes += [
            guarded(path, _submission(item), permission, about=about, methods=["POST"])
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
        given = await run_in_threadpool(portal.slots.submitted, page, asker, fields)
        return await run_in_threadpool(_reply, request, page, given)

    return submit


def _reply(request: Request, page: Contributed[Page], given: Drawn | SeeOther | None) -> Response:
    if not isinstance(given, SeeOther):
        return _answer(request, page, given)
    response = RedirectResponse(address(given.path), 303)
    if given.told:
        portal_of(request).flash(request, response, given.told)
    return response


def _answer(request: Request, page: Contributed[Page], drawn: Drawn | None) -> Response:
    if drawn is None:
        raise NotFoundError(_("The plugin %(plugin)s has no such page.", plugin=page.plugin))
    context = {"title": drawn.title, "drawn": drawn, "crumbs": (*drawn.crumbs, Crumb(drawn.title))}
    status = 500 if drawn.error else 422 if drawn.rejected else 200
    return portal_of(request).page(request, "plugin_page.html", context, status=status)


def include_api_routes(app: FastAPI, runtime: "Runtime") -> None:
    """Add the plugins' API routes, each with the permission it asks for.

    A router that cannot be made is left out and listed. A plugin is taken out whose router has
    what could not be asked for a permission, or asks for one that nobody declares.
    """
    for item in runtime.plugins.contributions.routes:
        router = runtime.plugins.call(
            item,
            "API routes",
            lambda item=item: item.value.router(runtime.host(item.plugin)),  # type: ignore[misc]
            expected=APIRouter,
        )
        if not isinstance(router, APIRouter):
            continue
        reason = _fault_of(runtime, router)
        if reason:
            runtime.plugins.fail(item.plugin, reason)
            continue
        app.router.routes.extend(
            _guarded(runtime, item, route) for route in router.routes if isinstance(route, APIRoute)
        )


def _fault_of(runtime: "Runtime", router: APIRouter) -> str:
    for route in router.routes:
        if not isinstance(route, APIRoute):
            name = getattr(route, "path", type(route).__name__)
            return (
                f"The router has {name!r}, expected only routes of router.get, router.post and so "
                "on. Give each router by a Routes of its own."
            )
        permission = _asked_by(route, READ)
        if permission not in runtime.services.access.permissions:
            return undeclared(f"The API route {route.path}", permission)
    return ""


def _asked_by(route: APIRoute, default: str) -> str:
    return str(getattr(route.endpoint, "callboard_permission", "") or default or READ)


def _guarded(runtime: "Runtime", item: Contributed[Routes], route: APIRoute) -> GuardedRoute:
    """Ask before anything is read of a request; the route asks again about what it finds."""
    path = f"/api/plugins/{item.plugin}{route.path}"
    methods = sorted(route.methods or ())
    name = f"{item.plugin}.{route.name}"
    why = getattr(route.endpoint, "callboard_open", "")
    if why:
        return public(path, _Api(route.app, name), why=why, methods=methods)
    permission = _asked_by(route, item.value.permission)
    about = about_of(runtime, permission)
    app = _Api(route.app, name, permission, about)
    return guarded(path, app, permission, about=about, methods=methods)


@dataclass(frozen=True, slots=True)
class _Api:
    """A route as FastAPI made it; without a permission it is open to everyone."""

    app: ASGIApp
    name: str
    permission: str = ""
    about: About = "portal"

    @property
    def __name__(self) -> str:  # metrics tell views apart by it
        return self.name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.permission:
            enter = scope["app"].state.portal.enter
            await run_in_threadpool(enter, HTTPConnection(scope), self.permission, self.about)
        await self.app(scope, receive, send)
