"""How requests with a token are refused (RFC 6750, section 3)."""

from typing import ClassVar

from callboard.errors import CallboardError, NotReadyError, NotSignedInError
from callboard.i18n import Text, Translator

_ = Translator("callboard")


class BadTokenError(NotSignedInError):
    """A token was shown that does not count; `description` says why, for the header.

    `token` is its number where it is a real one that ended.
    """

    name = "InvalidTokenError"

    def __init__(self, message: Text, description: str, *, hint: Text = "") -> None:
        super().__init__(message, hint=hint)
        self.description = description
        self.token: int | None = None
        self.headers = {
            "WWW-Authenticate": 'Bearer realm="callboard", error="invalid_token", '
            f'error_description="{description}"'
        }


class MisplacedTokenError(CallboardError):
    """A token stands where it must not, such as in an address."""

    status = 400
    name = "InvalidRequestError"
    headers: ClassVar = {"WWW-Authenticate": 'Bearer realm="callboard", error="invalid_request"'}


class NotForTokensError(CallboardError):
    """The address is for people only."""

    status = 403
    name = "NotForTokensError"
    headers: ClassVar = {"WWW-Authenticate": 'Bearer realm="callboard", error="insufficient_scope"'}


class TooManyRequestsError(CallboardError):
    """More requests came than are taken."""

    status = 429
    name = "TooManyRequestsError"

    def __init__(self, message: Text, headers: dict[str, str], *, hint: Text = "") -> None:
        super().__init__(message, hint=hint)
        self.headers = headers


class IssuerNotReadyError(NotReadyError):
    """The keys of an issuer cannot be read now."""

    headers: ClassVar = {"Retry-After": "10"}
