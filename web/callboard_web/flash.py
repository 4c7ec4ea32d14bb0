"""What was done by the last request, told on the next page: a signed cookie that is read once."""

from dataclasses import dataclass, field
from typing import Final

from itsdangerous import BadSignature
from starlette.requests import HTTPConnection
from starlette.responses import Response

from callboard_web.formats import address
from callboard_web.signing import timed_signer

COOKIE: Final = "callboard_flash"
SECONDS: Final = 60
"""How long a message waits for the page that tells it."""

MOST_CHARACTERS: Final = 500
_FIELDS_CHARACTERS: Final = 1000


@dataclass(frozen=True, slots=True)
class Flash:
    """A message, and where `Undo` sends `fields` to take back what was done."""

    text: str
    undo: str = ""
    fields: dict[str, str] = field(default_factory=dict)


class Flashes:
    """Keeps a message in the browser from the act to the page after it."""

    def __init__(self, secret: str) -> None:
        self._cookie = timed_signer(secret, "callboard.flash")

    def tell(self, response: Response, flash: Flash, *, secure: bool) -> None:
        """Send a message along; raises `ValueError` for more fields than a cookie can hold."""
        if sum(len(name) + len(value) for name, value in flash.fields.items()) > _FIELDS_CHARACTERS:
            raise ValueError("Undo needs too much; give it a key of what is kept on the server.")
        content = [flash.text[:MOST_CHARACTERS], flash.undo, flash.fields]
        response.set_cookie(
            COOKIE, str(self._cookie.dumps(content)), max_age=SECONDS, httponly=True,
            samesite="lax", secure=secure,
        )  # fmt: skip

    def read(self, connection: HTTPConnection) -> Flash | None:
        """Give the message that waits, if there is one."""
        given = connection.cookies.get(COOKIE, "")
        if not given:
            return None
        try:
            text, undo, fields = self._cookie.loads(given, max_age=SECONDS)
        except (BadSignature, ValueError):
            return None
        return Flash(text, address(undo) if undo else "", fields)

    def forget(self, response: Response) -> None:
        """Take the message away, once it was told."""
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
