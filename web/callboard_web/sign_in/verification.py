"""Checks of signed tokens: ID tokens (OpenID Connect Core 1.0, 3.1.3.7) and logout tokens."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from joserfc import jws, jwt
from joserfc.errors import BadSignatureError, ClaimError, JoseError, UnsupportedAlgorithmError
from joserfc.jws import JWSRegistry

from callboard.i18n import Translator
from callboard_web.sign_in.discovery import Discovery
from callboard_web.sign_in.faults import FAULTS, SignInFailedError

_: Final = Translator("callboard")

LONGEST: Final = 256 * 1024
"""Characters of a token; a person in thousands of groups has one of some ten thousand."""

LONGEST_SUBJECT: Final = 255
LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
LOGOUT_AGE: Final = timedelta(minutes=10)
"""How old a logout token may be; for as long it is remembered that it was obeyed."""


class _Registry(JWSRegistry):
    """Takes headers as providers send them: longer ones, and with fields of their own."""

    max_header_length = 4096
    max_payload_length = LONGEST

    def get_alg(self, name: str) -> Any:
        if name not in (self.allowed or ()) or name not in self.algorithms:
            raise UnsupportedAlgorithmError(name)
        return self.algorithms[name]


def signed_claims(
    discovery: Discovery, token: object, *, types: tuple[str, ...]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give header and claims of a token that the provider signed. Raises `SignInFailedError`.

    `types` are the `typ` headers that are taken, in lower case; none at all is taken as well
    where they have an empty one (RFC 8725, section 3.11).
    """
    if not isinstance(token, str) or not 0 < len(token) <= LONGEST or token.count(".") != 2:
        raise SignInFailedError("token", _("It is none, encrypted, or too long."))
    registry = _Registry(algorithms=list(discovery.provider.algorithms), strict_check_header=False)
    try:
        header = dict(jws.extract_compact(token.encode("ascii"), registry=registry).headers())
    except (JoseError, ValueError, TypeError, RecursionError, KeyError):
        raise SignInFailedError("token") from None
    algorithm = header.get("alg")
    if algorithm not in discovery.provider.algorithms:
        raise SignInFailedError(
            "alg",
            _("It is %(name)s; allowed are %(allowed)s.", name=str(algorithm)[:40],
              allowed=", ".join(discovery.provider.algorithms)),
        )  # fmt: skip
    kind, kid = header.get("typ", ""), header.get("kid")
    if "crit" in header or not isinstance(kind, str) or kind.lower() not in types:
        raise SignInFailedError("token", _("It is of another type."))
    if kid is not None and not isinstance(kid, str):
        raise SignInFailedError("token")
    key = discovery.key(kid, algorithm)
    try:
        claims = jwt.decode(token, key, registry=registry).claims
    except BadSignatureError:
        raise SignInFailedError("signature") from None
    except (JoseError, ValueError, TypeError, RecursionError, KeyError):
        raise SignInFailedError("token") from None
    return header, dict(claims)


def check_id_token(
    discovery: Discovery,
    token: object,
    *,
    nonce: str | None,
    access_token: str = "",
) -> dict[str, Any]:
    """Give the claims of an ID token after every check. Raises `SignInFailedError`.

    `nonce` is the one that was sent, or None for a token that came by a refresh.
    """
    provider = discovery.provider
    header, claims = signed_claims(discovery, token, types=("", "jwt"))
    validated = CodeIDToken(
        claims,
        header,
        options={
            "iss": {"essential": True, "value": discovery.endpoints().issuer},
            "aud": {"essential": True, "value": provider.client_id},
        },
        params={
            "nonce": nonce,
            "client_id": provider.client_id,
            "access_token": access_token,
            "max_age": provider.max_age is not None,
        },
    )
    now = discovery.now().timestamp()
    skew = provider.clock_skew.total_seconds()
    try:
        validated.validate(now=int(now), leeway=int(skew))
    except ClaimError as error:
        fault = error.claim if error.claim in FAULTS else "token"
        raise SignInFailedError(
            fault, _("The claim is %(name)s.", name=error.claim), claims=claims
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
        raise SignInFailedError("token", claims=claims) from None
    if provider.max_age is not None:
        oldest = now - provider.max_age.total_seconds() - skew
        if not claims["auth_time"] >= oldest:  # so that no number at all is too old as well
            raise SignInFailedError("auth_time", claims=claims)
    check_subject(claims)
    return claims


def check_subject(claims: Mapping[str, Any]) -> str:
    """Give `sub`, which must be a text of at most 255 characters (OpenID Connect Core, 2)."""
    subject = claims.get("sub")
    if (
        not isinstance(subject, str)
        or not 0 < len(subject) <= LONGEST_SUBJECT
        or not subject.isprintable()
    ):
        raise SignInFailedError("sub", claims=claims)
    return subject


def check_logout_token(discovery: Discovery, token: object) -> dict[str, Any]:
    """Give the claims of a logout token (OpenID Connect Back-Channel Logout 1.0, 2.6).

    Raises `SignInFailedError`. Whether it was obeyed before is for the caller to know, by `jti`.
    """
    # Providers older than the final specification send `typ` JWT, or none; there the events claim
    # alone tells it from an ID token.
    _header, claims = signed_claims(discovery, token, types=("logout+jwt", "jwt", ""))
    provider, now = discovery.provider, discovery.now().timestamp()
    skew = provider.clock_skew.total_seconds()
    audience = claims.get("aud")
    issued, expires = claims.get("iat"), claims.get("exp")
    events = claims.get("events")
    subject, session = claims.get("sub"), claims.get("sid")
    if claims.get("iss") != discovery.endpoints().issuer:
        raise SignInFailedError("iss")
    if provider.client_id not in (audience if isinstance(audience, list) else [audience]):
        raise SignInFailedError("aud")
    if not isinstance(issued, int | float) or not (
        now - LOGOUT_AGE.total_seconds() <= issued <= now + skew
    ):
        raise SignInFailedError("iat")
    if expires is not None and (not isinstance(expires, int | float) or not expires > now - skew):
        raise SignInFailedError("exp")
    if not isinstance(events, dict) or not isinstance(events.get(LOGOUT_EVENT), dict):
        raise SignInFailedError("token", _("It does not say that someone signed out."))
    if "nonce" in claims:
        raise SignInFailedError("nonce")
    if not isinstance(claims.get("jti"), str) or not claims["jti"]:
        raise SignInFailedError("token", _("It has no number (jti)."))
    if not any(isinstance(item, str) and item for item in (subject, session)):
        raise SignInFailedError("sub")
    return claims
