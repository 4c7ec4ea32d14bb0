"""What a provider says about itself: its endpoints and its keys, kept for a while."""

import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from joserfc.errors import JoseError
from joserfc.jwk import Key, import_key
from pydantic import TypeAdapter, ValidationError

from callboard.errors import CallboardError, reason_of
from callboard.i18n import Translator
from callboard_web.sign_in.faults import SignInFailedError
from callboard_web.sign_in.settings import ProviderSettings, WebUrl

if TYPE_CHECKING:
    from callboard.http import HttpClient

_: Final = Translator("callboard")
T = TypeVar("T")

ENDPOINTS_AGE: Final = timedelta(hours=1)
KEYS_AGE: Final = timedelta(minutes=10)
"""How long a key that a provider took back is accepted at most."""

FAILED_AGE: Final = timedelta(seconds=5)
"""How long a provider that does not answer is not asked again."""

MOST_FORCED: Final = 3
FORCED_PERIOD: Final = timedelta(minutes=1)
"""For a key that is not known, keys are read again: so often in this time at most."""

MOST_KEYS: Final = 50
LEAST_RSA_BITS: Final = 2048
KINDS: Final[Mapping[str, str]] = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
"""The kind of key (RFC 7517, `kty`) for the beginning of an algorithm's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """Where a provider is asked for what. `names_itself`: it sends `iss` with codes (RFC 9207)."""

    issuer: str
    authorization: str
    token: str
    jwks: str
    userinfo: str = ""
    end_session: str = ""
    names_itself: bool = False
    authentication: tuple[str, ...] = ("client_secret_basic",)


class Discovery:
    """Reads endpoints and keys of one provider when they are needed, and not too often."""

    def __init__(
        self, provider: ProviderSettings, http: "HttpClient", now: Callable[[], datetime]
    ) -> None:
        self.provider = provider
        self.http = http
        self.now = now
        self._lock = threading.Lock()
        self._endpoints: tuple[datetime, Endpoints] | None = None
        self._keys: tuple[datetime, list[Key]] | None = None
        self._forced: deque[datetime] = deque(maxlen=MOST_FORCED)
        self._failed: tuple[datetime, SignInFailedError] | None = None

    def endpoints(self) -> Endpoints:
        """Give the endpoints. Raises `SignInFailedError` where they cannot be had."""
        with self._lock:
            if self._endpoints is None or self.now() - self._endpoints[0] >= ENDPOINTS_AGE:
                self._endpoints = (self.now(), self._careful(self._read_endpoints))
            return self._endpoints[1]

    def _careful(self, read: Callable[[], T]) -> T:
        """Read; what has just failed fails again at once.

        Else everyone who signs in while a provider does not answer would wait for it in turn.
        """
        if self._failed is not None and self.now() - self._failed[0] < FAILED_AGE:
            raise self._failed[1]
        try:
            return read()
        except SignInFailedError as error:
            self._failed = (self.now(), error)
            raise

    def _read_endpoints(self) -> Endpoints:
        given = self.provider
        told: dict[str, Any] = {}
        if given.discovery:
            # OpenID Connect Discovery 1.0, section 4: the issuer must be the one that was asked.
            told = fetch(self.http, f"{given.issuer.rstrip('/')}/.well-known/openid-configuration")
            if told.get("issuer") != given.issuer:
                raise SignInFailedError(
                    "discovery",
                    _("It calls itself %(issuer)s; the settings have %(expected)s.",
                      issuer=str(told.get("issuer"))[:200], expected=given.issuer),
                )  # fmt: skip
        methods = told.get("token_endpoint_auth_methods_supported")
        return Endpoints(
            issuer=given.issuer,
            authorization=given.authorization_endpoint or _endpoint(told, "authorization_endpoint"),
            token=given.token_endpoint or _endpoint(told, "token_endpoint"),
            jwks=given.jwks_uri or _endpoint(told, "jwks_uri"),
            userinfo=given.userinfo_endpoint or _endpoint(told, "userinfo_endpoint", needed=False),
            end_session=given.end_session_endpoint
            or _endpoint(told, "end_session_endpoint", needed=False),
            names_itself=told.get("authorization_response_iss_parameter_supported") is True,
            authentication=tuple(item for item in methods if isinstance(item, str))
            if isinstance(methods, list)
            else ("client_secret_basic",),
        )

    def key(self, kid: str | None, algorithm: str) -> Key:
        """Give the key a token is signed with.

        A key that is not known is looked for once more at the provider, which may have a new one.
        Without `kid` there must be one key only that fits. Raises `SignInFailedError`.
        """
        with self._lock:
            jwks = self._endpoints[1].jwks if self._endpoints else ""
        jwks = jwks or self.endpoints().jwks
        with self._lock:
            if self._keys is None or self.now() - self._keys[0] >= KEYS_AGE:
                self._keys = (self.now(), self._careful(lambda: self._read_keys(jwks)))
            found = _fitting(self._keys[1], kid, algorithm)
            if found is None and self._may_force():
                self._keys = (self.now(), self._careful(lambda: self._read_keys(jwks)))
                found = _fitting(self._keys[1], kid, algorithm)
        if found is None:
            raise SignInFailedError("kid", _("Its number (kid) is %(kid)s.", kid=str(kid)[:100]))
        return found

    def _may_force(self) -> bool:
        now = self.now()
        if len(self._forced) == MOST_FORCED and now - self._forced[0] < FORCED_PERIOD:
            return False
        self._forced.append(now)
        return True

    def _read_keys(self, url: str) -> list[Key]:
        listed = fetch(self.http, url).get("keys")
        if not isinstance(listed, list):
            raise SignInFailedError("discovery", _("Its keys are no list."))
        keys = []
        for item in listed[:MOST_KEYS]:
            if not isinstance(item, dict) or item.get("kty") not in KINDS.values():
                continue
            if item.get("use", "sig") != "sig" or not _is_long_enough(item):
                continue
            try:
                keys.append(import_key(item))
            except (JoseError, ValueError, TypeError, KeyError):
                continue  # a key of a kind this version does not know
        return keys


def _fitting(keys: list[Key], kid: str | None, algorithm: str) -> Key | None:
    kind = KINDS[algorithm[:2]]
    fitting = [
        key
        for key in keys
        if key.key_type == kind
        and (kid is None or key.kid == kid)
        and key.get("alg", algorithm) == algorithm
    ]
    return fitting[0] if len(fitting) == 1 else None


def _is_long_enough(key: Mapping[str, Any]) -> bool:
    """Say whether a key cannot be guessed. `n` is the modulus, six bits a character."""
    return key["kty"] != "RSA" or len(str(key.get("n", ""))) * 6 >= LEAST_RSA_BITS


def _endpoint(told: Mapping[str, Any], name: str, *, needed: bool = True) -> str:
    value = told.get(name)
    if not value and not needed:
        return ""
    try:
        return str(TypeAdapter(WebUrl).validate_python(value, strict=True))
    except ValidationError:
        raise SignInFailedError(
            "discovery", _("It gives no %(name)s over https.", name=name)
        ) from None


def fetch(http: "HttpClient", url: str, headers: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Read a JSON object at an address that must not redirect. Raises `SignInFailedError`."""
    try:
        answer = http.request(
            "GET", url, headers={"accept": "application/json", **(headers or {})}, redirects=False
        )
        if answer.status != 200:
            raise SignInFailedError(
                "unreachable",
                _("%(url)s answered with status %(status)s.", url=answer.url,
                  status=answer.status),
            )  # fmt: skip
        told = answer.json()
    except SignInFailedError:
        raise
    except CallboardError as error:
        raise SignInFailedError("unreachable", reason_of(error)) from error
    if not isinstance(told, dict):
        raise SignInFailedError("unreachable", _("%(url)s gives no JSON object.", url=answer.url))
    return told
