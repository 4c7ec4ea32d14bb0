"""The keys of issuers: read when they are needed, kept for a while, read again when they change."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Union
from urllib.parse import urlsplit

import orjson

from callboard.errors import CallboardError, InputError, NotReadyError
from callboard.i18n import Text, Translator
from callboard_web.tokens.errors import IssuerNotReadyError
from callboard_web.tokens.settings import WorkloadSettings

if TYPE_CHECKING:
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    from callboard.http import HttpClient

_ = Translator("callboard")

Key = Union["RSAKey", "ECKey", "OKPKey"]
Keys = Mapping[str, Key]

FRESH: Final = timedelta(minutes=10)
"""How long keys are used without asking again."""

STALE: Final = timedelta(hours=1)
"""How long they are used while the issuer does not answer; then nobody is let in."""

PAUSE: Final = timedelta(seconds=30)
"""The least time between two questions, whatever key a token names."""

TIMEOUT: Final = 5.0
"""Seconds until an issuer must have answered."""

WAIT: Final = 2.0
"""Seconds that a request waits for another one that asks already."""

MOST_BYTES: Final = 512 * 1024
MOST_KEYS: Final = 100
_OK: Final = 200


@dataclass(frozen=True, slots=True)
class Http:
    """What requests to issuers share with all others of the portal."""

    base: Path
    allow_hosts: tuple[str, ...]
    ca_bundle: Path | None
    proxy: str | None


class IssuerKeys:
    """The keys of one issuer as one rule reads them. Threads share one question."""

    def __init__(self, rule: WorkloadSettings, http: Http, now: Callable[[], datetime]) -> None:
        self._rule = rule
        self._http = http
        self._now = now
        self._lock = threading.Lock()
        self._keys: Keys = {}
        self._read_at: datetime | None = None
        self._asked_at: datetime | None = None

    def find(self, kid: str) -> Key | None:
        """Give the key of a token, asking the issuer where it is not known or known for long.

        Without `kid` it is the only key there is. Raises `IssuerNotReadyError` where the issuer
        does not answer in time and what was read before is too old.
        """
        keys = self._current()
        if _chosen(keys, kid) is None and self._may_ask():
            keys = self._current(known=keys)
        return _chosen(keys, kid)

    def _current(self, known: Keys | None = None) -> Keys:
        """Give the keys; with `known`, keys that are newer than these where there are any."""
        age = self._age()
        usable = age is not None and age < STALE
        if not self._lock.acquire(timeout=0 if usable and known is None else WAIT):
            if usable:
                return self._keys
            raise self._not_ready(_("another request waits for it."))
        try:
            age = self._age()
            fresh = age is not None and age < FRESH and self._keys is not known
            if not fresh and self._may_ask():
                self._ask(age)
            elif age is None or age >= STALE:
                raise self._not_ready(_("it did not answer a moment ago."))
            return self._keys
        finally:
            self._lock.release()

    def _age(self) -> timedelta | None:
        return abs(self._now() - self._read_at) if self._read_at else None

    def _may_ask(self) -> bool:
        return self._asked_at is None or abs(self._now() - self._asked_at) >= PAUSE

    def _ask(self, age: timedelta | None) -> None:
        self._asked_at = self._now()
        try:
            self._keys = self._read()
            self._read_at = self._asked_at
        except CallboardError as error:
            if age is None or age >= STALE:
                raise self._not_ready(error.message) from error

    def _not_ready(self, reason: Text) -> IssuerNotReadyError:
        return IssuerNotReadyError(
            _(
                "The keys of %(issuer)s cannot be read, so the token cannot be checked: %(reason)s",
                issuer=self._rule.issuer,
                reason=reason,
            ),
            hint=_("Try again in a moment; administrators check the rule in tokens.workloads."),
        )

    def _read(self) -> Keys:
        rule = self._rule
        with self._client() as client:
            address = rule.jwks_url or self._discovered(client)
            return keys_of(_json(client, address, self._headers(address)))

    def _client(self) -> "HttpClient":
        from callboard.http import HttpClient

        bundle = self._rule.ca_bundle or self._http.ca_bundle
        named = (self._rule.issuer, self._rule.jwks_url or self._rule.issuer)
        hosts = {urlsplit(address).hostname or "" for address in named}
        return HttpClient(
            timeout=TIMEOUT,
            retries=1,
            maximum_bytes=MOST_BYTES,
            # Whoever writes the settings may name hosts of the own network; a document may not.
            allow_hosts=(*self._http.allow_hosts, *hosts),
            ca_bundle=None if bundle is None else self._http.base / bundle,
            proxy=self._http.proxy,
        )

    def _discovered(self, client: "HttpClient") -> str:
        """Read where the keys are (OpenID Connect Discovery 1.0, section 4)."""
        issuer = self._rule.issuer
        address = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
        found = _json(client, address, self._headers(address))
        if found.get("issuer") != issuer:
            raise InputError(_("%(url)s describes another issuer.", url=address))
        keys = found.get("jwks_uri")
        secure = urlsplit(issuer).scheme == "https"
        if not isinstance(keys, str) or (secure and urlsplit(keys).scheme != "https"):
            raise InputError(_("%(url)s names no https address of keys.", url=address))
        return keys

    def _headers(self, address: str) -> Mapping[str, str]:
        """Give what proves who asks, to the hosts that the rule itself names only."""
        file = self._rule.bearer_file
        named = (self._rule.issuer, self._rule.jwks_url or self._rule.issuer)
        if file is None or _origin(address) not in map(_origin, named):
            return {}
        try:
            text = (self._http.base / file).read_text("ascii").strip()
        except (OSError, ValueError) as error:
            raise NotReadyError(_("%(file)s cannot be read.", file=str(file))) from error
        return {"authorization": f"Bearer {text}"}


def keys_of(document: Mapping[str, Any]) -> Keys:
    """Read a JWK set (RFC 7517). Left out are keys for other uses, shared and faulty ones."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise InputError(_("The answer is no set of keys."))
    found: dict[str, Key] = {}
    for item in listed[:MOST_KEYS]:
        key = _key(item)
        if key is not None:
            found.setdefault(str(item.get("kid", "")), key)
    if not found:
        raise InputError(_("The answer has no key that signs."))
    return found


def _key(item: Any) -> Key | None:
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

    if not isinstance(item, dict) or item.get("use", "sig") != "sig":
        return None
    try:
        key = JWKRegistry.import_key(item)
        # A public key is imported only when it is used; a broken one is left out here.
        key.public_key  # noqa: B018
    except (JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) else None


def _chosen(keys: Keys, kid: str) -> Key | None:
    if kid:
        return keys.get(kid)
    return next(iter(keys.values())) if len(keys) == 1 else None


def _json(client: "HttpClient", address: str, headers: Mapping[str, str]) -> Mapping[str, Any]:
    response = client.request("GET", address, headers=headers)
    if response.status != _OK:
        raise NotReadyError(
            _("%(url)s answered with status %(status)s.", url=address, status=response.status)
        )
    try:
        document = orjson.loads(response.body)
    except orjson.JSONDecodeError as error:
        raise InputError(_("%(url)s did not answer with JSON.", url=address)) from error
    if not isinstance(document, dict):
        raise InputError(_("%(url)s did not answer with a JSON object.", url=address))
    return document


def _origin(address: str) -> tuple[str, str]:
    parts = urlsplit(address)
    return parts.scheme, parts.netloc.lower()
