"""Jobs that show the token their own system signed for them (OpenID Connect, RFC 7519).

Nothing in a token is believed before its signature is checked with the keys of the issuer that a
rule names: what the token says of keys (`jku`, `jwk`, `x5u`) is never looked at.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Final

import orjson

from callboard.i18n import Text, Translator
from callboard_web.tokens.errors import BadTokenError
from callboard_web.tokens.keys import Http, IssuerKeys
from callboard_web.tokens.settings import WorkloadSettings

_ = Translator("callboard")

ALGORITHMS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
"""Signatures that are taken, each with the only kind of key it is checked with."""

SKEW: Final = timedelta(seconds=60)
"""How far the clocks of an issuer and of the portal may be apart."""

LONGEST_AGE: Final = timedelta(days=1)
"""How long before its end a token may have been made: CI systems make them for one job."""

LONGEST: Final = 16 * 1024
"""Characters of a token that are looked at."""

OF_PEOPLE: Final = frozenset({"nonce", "events"})
"""Claims of ID tokens of people, and of logout tokens: an issuer may make these as well."""

_PARTS: Final = 3
_LONGEST_HEADER: Final = 4096


@dataclass(frozen=True, slots=True)
class Workload:
    """A job that was let in: by which rule, and all that its token says."""

    rule: WorkloadSettings
    claims: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Unverified:
    algorithm: str
    kid: str
    issuer: str


class Workloads:
    """The rules, and the keys of their issuers."""

    def __init__(
        self, rules: Sequence[WorkloadSettings], http: Http, now: Callable[[], datetime]
    ) -> None:
        self._now = now
        self._rules = tuple(rules)
        self._keys: dict[tuple[Any, ...], IssuerKeys] = {}
        for rule in self._rules:
            self._keys.setdefault(_source(rule), IssuerKeys(rule, http, now))

    def let_in(self, text: str) -> Workload:
        """Give the job that a token is for.

        Raises `BadTokenError` for one that is forged, old, or fits no rule, and
        `IssuerNotReadyError` where it cannot be checked now.
        """
        said = _look(text)
        rules = [rule for rule in self._rules if rule.issuer == said.issuer]
        if not rules:
            raise BadTokenError(
                _("No rule lets in tokens of this issuer."),
                "unknown issuer",
                hint=_("Administrators write rules in tokens.workloads; iss is compared exactly."),
            )
        verified: dict[tuple[Any, ...], Mapping[str, Any]] = {}
        refused: BadTokenError | None = None
        for rule in rules:
            source = _source(rule)
            try:
                if source not in verified:
                    verified[source] = self._verified(text, said, self._keys[source])
                self._check(verified[source], rule)
            except BadTokenError as error:
                refused = refused or error
                continue
            return Workload(rule, verified[source])
        assert refused is not None
        raise refused

    def _verified(self, text: str, said: _Unverified, keys: IssuerKeys) -> Mapping[str, Any]:
        """Give the claims of a token whose signature is good."""
        # Imported here: most portals let in no jobs, and it is much to load.
        from joserfc import jws
        from joserfc.errors import JoseError

        key = keys.find(said.kid)
        if key is None:
            raise BadTokenError(
                _("The token is signed with a key that its issuer does not have."), "unknown key"
            )
        if key.key_type != ALGORITHMS[said.algorithm]:
            raise _forged()
        registry = jws.JWSRegistry(algorithms=[said.algorithm], strict_check_header=False)
        registry.max_header_length = _LONGEST_HEADER
        try:
            checked = jws.deserialize_compact(text, key, registry=registry)
            claims = orjson.loads(checked.payload)
        except (JoseError, ValueError, TypeError) as error:
            raise _forged() from error
        if not isinstance(claims, dict):
            raise _forged()
        return claims

    def _check(self, claims: Mapping[str, Any], rule: WorkloadSettings) -> None:
        """Raise `BadTokenError` unless the claims are of now, for this portal, and fit the rule."""
        if claims.get("iss") != rule.issuer:
            raise BadTokenError(_("The token is of another issuer."), "wrong issuer")
        audience = claims.get("aud")
        if rule.audience not in (audience if isinstance(audience, list) else [audience]):
            raise BadTokenError(
                _("The token is meant for another audience."),
                "wrong audience",
                hint=_("Ask for it with the audience that the rule names."),
            )
        self._check_times(claims)
        for name, wanted in rule.claims.items():
            if not fits(wanted, claims.get(name)):
                raise BadTokenError(
                    _("No rule fits this job: %(claim)s is not as a rule wants it.", claim=name),
                    "no rule fits",
                )

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._now().timestamp()
        skew = SKEW.total_seconds()
        ends, begins, made = (_time(claims.get(name)) for name in ("exp", "nbf", "iat"))
        if ends is None or made is None or ("nbf" in claims and begins is None):
            raise BadTokenError(_("The token does not say until when it is good."), "no exp or iat")
        if ends + skew <= now:
            at = datetime.fromtimestamp(ends, self._now().tzinfo)
            raise BadTokenError(
                _("The token expired at %(at)s.", at=f"{at:%Y-%m-%dT%H:%M:%SZ}"),
                "expired",
                hint=_("A job asks for a new one when it begins."),
            )
        if max(begins or 0, made) - skew > now:
            raise BadTokenError(
                _("The token is not good yet; do the clocks agree?"), "not yet valid"
            )
        if ends - made > LONGEST_AGE.total_seconds():
            raise BadTokenError(
                _("The token is good for longer than a day, which no job needs."), "too long-lived"
            )


def fits(wanted: Any, found: Any) -> bool:
    """Say whether a claim is as a rule wants it.

    Texts fit by `*` and `?`, with case; a list in the rule gives alternatives, one in the token is
    searched; mappings fit where all that the rule names in them does. A truth value also fits its
    English word, as GitLab writes them (`"true"`).
    """
    if isinstance(wanted, list):
        return any(fits(item, found) for item in wanted)
    if isinstance(found, list):
        return any(fits(wanted, item) for item in found)
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(
            fits(item, found.get(name)) for name, item in wanted.items()
        )
    if isinstance(wanted, bool):
        return found is wanted or found == str(wanted).lower()
    if isinstance(wanted, str):
        return isinstance(found, str) and fnmatchcase(found, wanted)
    if isinstance(found, bool):
        return False
    return bool(found == wanted) or found == str(wanted)


def looks_signed(text: str) -> bool:
    """Say whether a text has the shape of a signed token."""
    return text.startswith("eyJ") and text.count(".") == _PARTS - 1


def _look(text: str) -> _Unverified:
    """Read what tells with which keys a token is to be checked; none of it is believed."""
    if len(text) > LONGEST or not text.isascii():
        raise BadTokenError(_("The token is too long."), "too long")
    parts = text.split(".")
    if len(parts) != _PARTS:
        raise _forged()
    header, claims = _decoded(parts[0]), _decoded(parts[1])
    algorithm, kid, issuer = header.get("alg"), header.get("kid", ""), claims.get("iss")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise BadTokenError(
            _("The token is signed in a way that is not taken."),
            "unsupported algorithm",
            hint=_("Taken are %(names)s.", names=", ".join(ALGORITHMS)),
        )
    if not isinstance(kid, str) or not isinstance(issuer, str):
        raise _forged()
    if str(header.get("typ", "JWT")).upper() != "JWT" or not OF_PEOPLE.isdisjoint(claims):
        raise BadTokenError(
            _("This is no token of a job, but one that providers make for other ends."),
            "not a token of a job",
        )
    return _Unverified(algorithm, kid, issuer)


def _decoded(part: str) -> Mapping[str, Any]:
    try:
        content = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (binascii.Error, ValueError) as error:
        raise _forged() from error
    if not isinstance(content, dict):
        raise _forged()
    return content


def _forged() -> BadTokenError:
    message: Text = _("The token is broken, or not signed by its issuer.")
    return BadTokenError(message, "bad signature")


def _time(value: Any) -> float | None:
    """Give a NumericDate (RFC 7519, section 2); None for what is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < 2**40 else None


def _source(rule: WorkloadSettings) -> tuple[Any, ...]:
    """Give what keys are read by: rules that agree in it share them."""
    return rule.issuer, rule.jwks_url, rule.ca_bundle, rule.bearer_file
