"""The cookie that holds the secret of a session, and where it may be given out."""

import re
from typing import Final

from starlette.requests import HTTPConnection
from starlette.responses import Response
from starlette.types import Scope

from callboard.errors import NotAllowedError
from callboard.i18n import Translator

_: Final = Translator("callboard")

NAME: Final = "callboard_session"
"""Over https browsers know it as `__Host-callboard_session`; see `callboard_web.cookies`."""

_RAW: Final = NAME.encode()
_LOOPBACK_HOST: Final = re.compile(
    r"(localhost|127(\.[0-9]{1,3}){3}|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE
)
_SECRET: Final = re.compile(r"[A-Za-z0-9_-]{43}")


def is_secure(base_url: str, scope: Scope) -> bool:
    """Say whether people reach the portal over https."""
    return base_url.startswith("https:") or (not base_url and scope.get("scheme") == "https")


def is_loopback_name(connection: HTTPConnection) -> bool:
    """Say whether a request names this machine itself: one led here by DNS names another."""
    return _LOOPBACK_HOST.fullmatch(connection.headers.get("host", "")) is not None


def may_bring(scope: Scope) -> bool:
    """Say whether a request may have the cookie, under either of its names."""
    return any(name == b"cookie" and _RAW in value for name, value in scope["headers"])


class SessionCookie:
    """Reads, sets and clears the cookie. It is as small for many groups as for none."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url

    def read(self, connection: HTTPConnection) -> str:
        """Give the secret that a browser brings, or empty; what was never one is not looked up."""
        value = connection.cookies.get(NAME, "")
        return value if _SECRET.fullmatch(value) else ""

    def is_safe(self, connection: HTTPConnection) -> bool:
        """Say whether a session may be given out here: over https, or on the machine itself."""
        return is_secure(self._base, connection.scope) or is_loopback_name(connection)

    def require_safe(self, connection: HTTPConnection) -> None:
        """Raise `NotAllowedError` where the secret would cross a network in plain text."""
        if not self.is_safe(connection):
            raise NotAllowedError(
                _("Signing in needs https."),
                hint=_(
                    "Open the portal by its https address. Behind a proxy that ends TLS, set "
                    "portal.base_url to that address."
                ),
            )

    def set(self, connection: HTTPConnection, response: Response, secret: str) -> None:
        """Give the secret to the browser, until it is closed or the session ends."""
        secure = is_secure(self._base, connection.scope)
        response.set_cookie(NAME, secret, httponly=True, samesite="lax", secure=secure)

    def clear(self, connection: HTTPConnection, response: Response) -> None:
        """Take it back."""
        secure = is_secure(self._base, connection.scope)
        response.delete_cookie(NAME, httponly=True, samesite="lax", secure=secure)
