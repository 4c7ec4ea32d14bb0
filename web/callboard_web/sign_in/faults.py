"""Why a sign-in failed: one word for each check, and what it means for people."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from callboard.errors import CallboardError
from callboard.i18n import Text, Translator

if TYPE_CHECKING:
    from callboard_web.sign_in.resolver import Resolution

_: Final = Translator("callboard")

FAULTS: Final[Mapping[str, Text]] = {
    "state": _("The sign-in was begun in another browser, is too old, or was used already."),
    "mix-up": _("The answer comes from another provider than the one that was asked."),
    "refused": _("The provider refused."),
    "unreachable": _("The provider does not answer, or not as it should."),
    "discovery": _("What the provider says about itself cannot be used."),
    "exchange": _("The provider did not exchange the code for tokens."),
    "token": _("The provider's token cannot be read."),
    "alg": _("The token is signed in a way that is not allowed."),
    "kid": _("The token is signed with a key that the provider does not publish."),
    "signature": _("The token's signature is wrong."),
    "iss": _("The token is of another issuer."),
    "aud": _("The token is meant for another application."),
    "azp": _("The token was given to another application."),
    "exp": _("The token has expired."),
    "iat": _("The token's time of issue is missing or in the future; compare the clocks."),
    "nbf": _("The token is not valid yet; compare the clocks."),
    "nonce": _("The token belongs to another sign-in."),
    "at_hash": _("The token does not belong to the access token that came with it."),
    "auth_time": _("The person proved themselves at the provider too long ago."),
    "sub": _("The token does not say whom it is about."),
    "userinfo": _("The provider describes another person than the token."),
    "domain": _("The e-mail address is not proven, or not in a domain that may sign in."),
    "group": _("The person is in none of the groups that may sign in."),
    "ambiguous": _("Several people of the catalog fit."),
    "unknown": _("Nobody in the catalog fits."),
}


class SignInFailedError(CallboardError):
    """A sign-in that failed. `fault` names the check; the message says it in words.

    `detail` says more to administrators, such as what was expected; it holds no secret. `claims`
    are those that came before it failed, `resolution` who they
    stand for, if it came to that.
    """

    status = 403
    name = "SignInFailedError"

    def __init__(
        self,
        fault: str,
        detail: Text = "",
        *,
        claims: Mapping[str, Any] | None = None,
        resolution: "Resolution | None" = None,
    ) -> None:
        super().__init__(FAULTS[fault])
        self.fault = fault
        self.detail = detail
        self.claims: Mapping[str, Any] = claims or {}
        self.resolution = resolution


class RefusedGrantError(SignInFailedError):
    """A refresh token the provider takes no more: the person was deactivated, or signed out."""
