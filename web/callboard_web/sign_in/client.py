"""Talks to a provider of OpenID Connect: asks for codes, exchanges them, refreshes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import quote_plus

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.auth import ClientAuth
from authlib.oauth2.rfc6749.parameters import prepare_grant_uri, prepare_token_request
from authlib.oauth2.rfc7636 import create_s256_code_challenge

from callboard.errors import CallboardError, reason_of
from callboard.i18n import Translator
from callboard_web.sign_in.begun import Begun
from callboard_web.sign_in.discovery import Discovery, fetch
from callboard_web.sign_in.faults import RefusedGrantError, SignInFailedError
from callboard_web.sign_in.settings import ProviderSettings
from callboard_web.sign_in.verification import check_id_token

if TYPE_CHECKING:
    from callboard.http import HttpClient

_: Final = Translator("callboard")

FORM: Final = {
    "content-type": "application/x-www-form-urlencoded",
    "accept": "application/json",
}
PROTOCOL: Final = frozenset(
    ("iss", "aud", "azp", "exp", "iat", "nbf", "jti", "nonce", "at_hash", "c_hash", "s_hash", "sid")
)
"""Claims about the token itself; userinfo says nothing about them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a provider said about a person. `claims` has no secrets; tokens are empty if none."""

    claims: Mapping[str, Any]
    id_token: str = ""
    refresh_token: str = ""
    session: str = ""


class Client(Protocol):
    """What every kind of provider can be asked for."""

    issuer: str

    def address(self, begun: Begun, redirect_uri: str) -> str:
        """Give the address where a person proves who they are."""

    def check_origin(self, parameters: Mapping[str, str]) -> None:
        """Raise `SignInFailedError` where an answer names another issuer (RFC 9207)."""

    def exchange(self, code: str, begun: Begun, redirect_uri: str) -> Grant:
        """Exchange a code for what the provider says. Raises `SignInFailedError`."""

    def refresh(self, token: str, subject: str) -> Grant:
        """Ask again. Raises `RefusedGrantError` where the provider wants no more of this."""

    def sign_out_address(self, id_token: str, back: str) -> str:
        """Give where the person signs out there as well; empty where it cannot be done."""


class OpenIdClient:
    """A provider of OpenID Connect."""

    def __init__(self, discovery: Discovery, http: "HttpClient") -> None:
        self.discovery = discovery
        self.http = http
        self.provider = discovery.provider
        self.issuer = discovery.provider.issuer

    def address(self, begun: Begun, redirect_uri: str) -> str:
        given = self.provider
        age = given.max_age
        return str(
            prepare_grant_uri(
                self.discovery.endpoints().authorization,
                given.client_id,
                "code",
                redirect_uri=redirect_uri,
                scope=" ".join(given.asked_scopes),
                state=begun.state,
                nonce=begun.nonce,
                code_challenge=create_s256_code_challenge(begun.verifier),
                code_challenge_method="S256",
                max_age=str(int(age.total_seconds())) if age is not None else None,
                **given.parameters,
            )
        )

    def check_origin(self, parameters: Mapping[str, str]) -> None:
        check_issuer(
            parameters.get("iss"), self.issuer, needed=self.discovery.endpoints().names_itself
        )

    def exchange(self, code: str, begun: Begun, redirect_uri: str) -> Grant:
        tokens = self._tokens(
            "authorization_code", code=code, redirect_uri=redirect_uri,
            code_verifier=begun.verifier,
        )  # fmt: skip
        access = _text(tokens, "access_token")
        signed = check_id_token(
            self.discovery, tokens.get("id_token"), nonce=begun.nonce, access_token=access
        )
        return self._grant(tokens, signed, access, signed["sub"])

    def refresh(self, token: str, subject: str) -> Grant:
        tokens = self._tokens("refresh_token", refresh_token=token)
        access = _text(tokens, "access_token")
        signed: dict[str, Any] = {}
        # A refresh may bring an ID token (OpenID Connect Core 1.0, 12.2): of the same person.
        if tokens.get("id_token"):
            signed = check_id_token(
                self.discovery, tokens["id_token"], nonce=None, access_token=access
            )
            if signed["sub"] != subject:
                raise SignInFailedError("userinfo", claims=signed)
        return self._grant(tokens, signed, access, subject)

    def _grant(
        self, tokens: Mapping[str, Any], signed: Mapping[str, Any], access: str, subject: str
    ) -> Grant:
        session = signed.get("sid")
        return Grant(
            claims={**self._described(access, subject, signed), **signed},
            id_token=_text(tokens, "id_token"),
            refresh_token=_text(tokens, "refresh_token"),
            session=session if isinstance(session, str) else "",
        )

    def _described(self, access: str, subject: str, signed: Mapping[str, Any]) -> Mapping[str, Any]:
        """Give what userinfo says; of another person it says nothing (Core 1.0, 5.3.2)."""
        url = self.discovery.endpoints().userinfo
        if not url or not access:
            return {}
        told = fetch(self.http, url, {"authorization": f"Bearer {access}"})
        if told.get("sub") != subject:
            raise SignInFailedError("userinfo", claims=signed)
        return {name: value for name, value in told.items() if name not in PROTOCOL}

    def _tokens(self, grant: str, **parameters: str) -> Mapping[str, Any]:
        endpoints = self.discovery.endpoints()
        method = authentication_of(self.provider, endpoints.authentication)
        return ask_for_tokens(
            self.http, endpoints.token, self.provider, method, grant, **parameters
        )

    def sign_out_address(self, id_token: str, back: str) -> str:
        endpoint = self.discovery.endpoints().end_session
        if not endpoint:
            return ""
        parameters = {
            "id_token_hint": id_token,
            "client_id": self.provider.client_id,
            "post_logout_redirect_uri": back,
        }
        return str(add_params_to_uri(endpoint, [pair for pair in parameters.items() if pair[1]]))


def check_issuer(told: str | None, issuer: str, *, needed: bool) -> None:
    """Compare the issuer an answer names with the one that was asked (RFC 9207, 2.4)."""
    if told is None and not needed:
        return
    if told != issuer:
        raise SignInFailedError("mix-up", _("The answer names %(issuer)s.", issuer=str(told)[:200]))


def authentication_of(provider: ProviderSettings, supported: tuple[str, ...]) -> str:
    """Give how the client proves itself at the token endpoint."""
    if provider.client_authentication != "auto":
        return provider.client_authentication
    if provider.client_secret is None:
        return "none"
    post = "client_secret_basic" not in supported and "client_secret_post" in supported
    return "client_secret_post" if post else "client_secret_basic"


def ask_for_tokens(
    http: "HttpClient",
    url: str,
    provider: ProviderSettings,
    method: str,
    grant: str,
    **parameters: str,
) -> Mapping[str, Any]:
    """Ask a token endpoint (RFC 6749, 4.1.3 and 6). Raises `SignInFailedError`."""
    secret = provider.client_secret.get_secret_value() if provider.client_secret else ""
    name = provider.client_id
    if method == "client_secret_basic":  # RFC 6749, 2.3.1: encoded before they are joined
        name, secret = quote_plus(name), quote_plus(secret)
    redirect = parameters.pop("redirect_uri", None)
    body = prepare_token_request(grant, redirect_uri=redirect, **parameters)
    _url, headers, body = ClientAuth(name, secret, method).prepare("POST", url, dict(FORM), body)
    try:
        answer = http.request("POST", url, headers=headers, content=body.encode(), redirects=False)
        told = answer.json()
    except CallboardError as error:
        raise SignInFailedError("unreachable", reason_of(error)) from error
    if not isinstance(told, dict):
        raise SignInFailedError("exchange", _("The answer is no JSON object."))
    if answer.status != 200 or "error" in told:
        _refuse(grant, answer.status, told)
    kind = told.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer" or not _text(told, "access_token"):
        raise SignInFailedError("exchange", _("There is no access token of type Bearer."))
    return told


def _refuse(grant: str, status: int, told: Mapping[str, Any]) -> None:
    error = str(told.get("error", ""))[:100]
    # Its description may quote what was sent: it is not repeated.
    detail = _("It answered with status %(status)s, %(error)s.", status=status, error=error)
    if grant == "refresh_token" and error in ("invalid_grant", "bad_refresh_token"):
        raise RefusedGrantError("refused", detail)
    raise SignInFailedError("unreachable" if status >= 500 else "exchange", detail)


def _text(told: Mapping[str, Any], name: str) -> str:
    value = told.get(name)
    return value if isinstance(value, str) and len(value) <= 256 * 1024 else ""
