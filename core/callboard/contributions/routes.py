"""Routes of the API, and what they ask for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from fastapi import APIRouter

    from callboard.host import Host


F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """API routes under `/api/plugins/<plugin>`. `router` is called once, when the portal starts.

    `permission` is asked before a request is read, as of `Page`; `requires` gives one route
    another. The routes are those of `router.get`, `router.post` and so on; others keep the plugin
    from being loaded, as they would not be asked for anything.
    """

    router: Callable[["Host"], "APIRouter"]
    permission: str = ""


def requires(permission: str) -> Callable[[F], F]:
    """Say which permission an API route asks for, in place of that of its `Routes`.

    Example::

        @router.post("/runs")
        @requires("ci.run.start")
        def start(ref: str) -> Run:
            host.require("ci.run.start", EntityRef.parse(ref))
    """

    def mark(function: F) -> F:
        function.callboard_permission = permission  # type: ignore[attr-defined]
        return function

    return mark


def open_to_everyone(why: str) -> Callable[[F], F]:
    """Say that an API route asks for no permission, and why: nobody needs to sign in for it."""

    def mark(function: F) -> F:
        function.callboard_open = why  # type: ignore[attr-defined]
        return function

    return mark
