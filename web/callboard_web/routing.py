"""Routes that say who may use them. A route that does not say it keeps the portal from starting."""

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from callboard.access.service import READ
from callboard.database import Database

About = Literal["portal", "entity"]


class GuardedRoute(Route):
    """A route with the permission it asks for; an empty one is open to everyone, for a reason.

    `unless` names a setting of the portal, such as `public_badges`, by which it is open as well.
    `lists` lets everyone in who is signed in: who may see nothing is given an empty list.
    """

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        methods: Iterable[str] | None = None,
        permission: str = "",
        about: About = "portal",
        why: str = "",
        unless: str = "",
        lists: bool = False,
    ) -> None:
        super().__init__(path, endpoint, methods=list(methods) if methods else None)
        self.permission = permission
        self.about = about
        self.why = why
        self.unless = unless
        self.lists = lists


def guarded(
    path: str,
    endpoint: Callable[..., Any],
    permission: str,
    *,
    about: About = "portal",
    methods: Sequence[str] | None = None,
    unless: str = "",
    lists: bool = False,
) -> GuardedRoute:
    """Give a route for those who have a permission, or for all by the setting `unless`.

    About `entity`, it is enough to have it for some entity: the view asks again with the entity
    it finds, by `portal.require`, or reads only what the asker may see.
    """
    return GuardedRoute(
        path, endpoint, methods=methods, permission=permission, about=about, unless=unless,
        lists=lists,
    )  # fmt: skip


def reading(
    path: str, endpoint: Callable[..., Any], *, methods: Sequence[str] | None = None
) -> GuardedRoute:
    """Give a route for those who may see any entity at all; it shows what the asker may see."""
    return guarded(path, endpoint, READ, about="entity", methods=methods)


def public(
    path: str, endpoint: Callable[..., Any], *, why: str, methods: Sequence[str] | None = None
) -> GuardedRoute:
    """Give a route that is open to everyone; `why` says the reason."""
    return GuardedRoute(path, endpoint, methods=methods, why=why)


def prepared(routes: Sequence[BaseRoute], database: Database) -> list[BaseRoute]:
    """Let each view ask for its permission first, and read with one connection in its thread."""
    return [_prepared(route, database) for route in routes]


def _prepared(route: BaseRoute, database: Database) -> BaseRoute:
    if not isinstance(route, GuardedRoute):
        raise TypeError(f"{route!r} says not who may use it: use guarded() or public().")
    return GuardedRoute(
        route.path,
        _checked(route, database),
        methods=route.methods,
        permission=route.permission,
        about=route.about,
        why=route.why,
        unless=route.unless,
        lists=route.lists,
    )


def _checked(route: GuardedRoute, database: Database) -> Callable[..., Any]:
    view = route.endpoint
    if not inspect.isfunction(view):
        raise TypeError(f"The view of {route.path} is {view!r}, expected a function.")
    if inspect.iscoroutinefunction(view):

        @functools.wraps(view)
        async def later(request: Request) -> Response:
            await asyncio.to_thread(_check, request, route)
            answer: Response = await view(request)
            return answer

        return later

    @functools.wraps(view)
    def held(request: Request) -> Response:
        with database.hold():
            _check(request, route)
            answer: Response = view(request)
            return answer

    return held


def _check(request: Request, route: GuardedRoute) -> None:
    portal = request.app.state.portal
    if not route.permission or is_open(route, portal.runtime.portal):
        return
    if not (route.lists and portal.subject(request).signed_in):
        portal.enter(request, route.permission, route.about)


def is_open(route: GuardedRoute, settings: object) -> bool:
    """Say whether the settings of the portal open a route to everyone."""
    return bool(route.unless and getattr(settings, route.unless))
