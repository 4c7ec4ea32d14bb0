"""Who a browser belongs to while nobody signs in: a random name in a signed cookie."""

import secrets
from typing import TYPE_CHECKING, Final

from itsdangerous import BadSignature

from callboard_web.signing import signer

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection
    from starlette.responses import Response

COOKIE: Final = "callboard_visitor"
PREFIX: Final = "visitor:"
"""What the key of one who has not signed in begins with."""

YEAR: Final = 365 * 24 * 3600


class Visitors:
    """Tells browsers apart. The name is random and says nothing about the person."""

    def __init__(self, secret: str) -> None:
        self._cookie = signer(secret, "callboard.visitor")

    def key(self, connection: "HTTPConnection") -> str:
        """Give the key under which things of this browser's person are kept, or empty."""
        try:
            return str(self._cookie.loads(connection.cookies.get(COOKIE, "")))
        except BadSignature:
            return ""

    def welcome(self, response: "Response", *, secure: bool) -> str:
        """Name a new browser and give its key."""
        key = f"{PREFIX}{secrets.token_urlsafe(16)}"
        response.set_cookie(
            COOKIE, str(self._cookie.dumps(key)), max_age=YEAR, httponly=True, samesite="lax",
            secure=secure,
        )  # fmt: skip
        return key
