"""What is asked of every request that was let in by a token."""

from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from callboard.i18n import Translator
from callboard_web.tokens.credential import STATE, Bearer
from callboard_web.tokens.errors import NotForTokensError, TooManyRequestsError
from callboard_web.tokens.machines import Machines

_ = Translator("callboard")

FOR_PEOPLE: Final = (
    "/me", "/sign-in", "/sign-ins", "/sign-out", "/tokens", "/service-accounts", "/access",
    "/preferences", "/views",
)  # fmt: skip
"""Pages about one's own, and those that give or take access: no token opens them."""


class BearerMiddleware:
    """Counts the requests of each token, ignores cookies beside one, and keeps it off pages that
    are for people only."""

    def __init__(self, app: ASGIApp, machines: Machines) -> None:
        self.app = app
        self.buckets = machines.buckets
        self.burst = machines.settings.burst
        self.metrics = machines.metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        bearer: Bearer | None = scope.get("state", {}).get(STATE)
        if scope["type"] != "http" or bearer is None:
            await self.app(scope, receive, send)
            return
        taken = self.buckets.take(bearer.key, bearer.rate, self.burst)
        told = taken.headers()
        if not taken.allowed:
            self.metrics.count("limited")
            raise TooManyRequestsError(
                _("This token may ask %(rate)s times a minute.", rate=taken.rate),
                told,
                hint=_("Ask again in %(seconds)s s.", seconds=taken.retry_after),
            )
        self.metrics.count("taken")
        if _is_for_people(scope["path"]):
            raise NotForTokensError(
                _("This address is for people; no token opens it."),
                hint=_("Open it in a browser where you are signed in."),
            )

        async def send_told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(told)
                headers.add_vary_header("Authorization")
            await send(message)

        alone = [(name, value) for name, value in scope["headers"] if name != b"cookie"]
        scope["headers"] = alone
        await self.app(scope, receive, send_told)


def _is_for_people(path: str) -> bool:
    return any(path == begin or path.startswith(f"{begin}/") for begin in FOR_PEOPLE)
