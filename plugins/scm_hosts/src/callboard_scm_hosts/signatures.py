"""Whether a delivery comes from the host it is sent in the name of.

GitLab: `X-Gitlab-Token`, or with a signing token `webhook-signature` as of Standard Webhooks.
GitHub: `X-Hub-Signature-256`, HMAC-SHA-256 of the body. Gitea and Forgejo: the same, or as plain
digits in `X-Gitea-Signature`. Gitee: `X-Gitee-Token`, the password itself or HMAC-SHA-256 of the
time and the secret; the body is not signed there. See the documentation of each host on webhooks.

Each function gives True, or why not. Secrets are compared in constant time, and several may be
good at once, so that one can be replaced without a gap.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal
from urllib.parse import unquote

from callboard.i18n import Text, Translator

_ = Translator("scm_hosts")

Verdict = Text | Literal[True]

SIGNED_SKEW: Final = timedelta(minutes=5)
"""How old a signed delivery of GitLab may be, as Standard Webhooks advise."""

GITEE_SKEW: Final = timedelta(hours=1)
SIGNING: Final = "whsec_"
"""What a signing token of GitLab begins with; the rest is the key in base64."""

MOST_SIGNATURES: Final = 10

NO_SECRET: Final = _("No secret is set for this host, so nothing can be proved.")
UNSIGNED: Final = _("It bears no signature.")
WRONG: Final = _("The signature does not fit: another secret, or another body.")
WRONG_TOKEN: Final = _("The token is not the one that is set.")
NO_TIME: Final = _("It bears no time, or none that can be read.")
TOO_OLD: Final = _("Its time is too far from that of this machine. Is a clock wrong?")


def verify(
    kind: str, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> Verdict:
    """Check a delivery of a type of host with any of the secrets."""
    known = [secret for secret in secrets if secret]
    check = _CHECKS.get(kind)
    if check is None or not known:
        return NO_SECRET
    return check(headers, body, known, now)


def _gitlab(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> Verdict:
    signing = [secret for secret in secrets if secret.startswith(SIGNING)]
    plain = [secret for secret in secrets if not secret.startswith(SIGNING)]
    if "webhook-signature" in headers and signing:
        return _standard(headers, body, signing, now)
    token = headers.get("x-gitlab-token", "")
    if not token:
        return UNSIGNED
    return _is_any(token, plain) or WRONG_TOKEN


def _standard(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> Verdict:
    stamp = headers.get("webhook-timestamp", "")
    if not _is_number(stamp):
        return NO_TIME
    if abs(now.timestamp() - int(stamp)) > SIGNED_SKEW.total_seconds():
        return TOO_OLD
    signed = f"{headers.get('webhook-id', '')}.{stamp}.".encode() + body
    given = headers["webhook-signature"].split()[:MOST_SIGNATURES]
    expected = [
        "v1," + base64.b64encode(_hmac(key, signed)).decode()
        for secret in secrets
        for key in _key(secret)
    ]
    # Each is compared, so that the time taken does not tell which one was near.
    fits = [_is_any(item, expected) for item in given]
    return any(fits) or WRONG


def _key(secret: str) -> Iterator[bytes]:
    try:
        yield base64.b64decode(secret.removeprefix(SIGNING), validate=True)
    except binascii.Error:
        return


def _github(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> Verdict:
    given = headers.get("x-hub-signature-256", "")
    if not given:
        return UNSIGNED
    expected = ["sha256=" + _hmac(secret.encode(), body).hex() for secret in secrets]
    return _is_any(given, expected) or WRONG


def _gitea(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> Verdict:
    given = headers.get("x-gitea-signature") or headers.get("x-forgejo-signature", "")
    if not given:
        return _github(headers, body, secrets, now)
    expected = [_hmac(secret.encode(), body).hex() for secret in secrets]
    return _is_any(given, expected) or WRONG


def _gitee(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
) -> Verdict:
    token, stamp = headers.get("x-gitee-token", ""), headers.get("x-gitee-timestamp", "")
    if not token:
        return UNSIGNED
    if _is_any(token, secrets):
        return True
    if not _is_number(stamp):
        return WRONG_TOKEN
    expected = [
        base64.b64encode(_hmac(secret.encode(), f"{stamp}\n{secret}".encode())).decode()
        for secret in secrets
    ]
    if not (_is_any(token, expected) or _is_any(unquote(token), expected)):
        return WRONG_TOKEN
    fresh = abs(now.timestamp() - int(stamp) / 1000) <= GITEE_SKEW.total_seconds()
    return fresh or TOO_OLD


_CHECKS: Final[
    Mapping[str, Callable[[Mapping[str, str], bytes, Sequence[str], datetime], Verdict]]
] = {"gitlab": _gitlab, "github": _github, "gitea": _gitea, "gitee": _gitee}


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def _is_any(given: str, expected: Sequence[str]) -> bool:
    """Compare with all of them, in a time that does not tell which one fits, nor how far."""
    text = _sent(given)
    fits = [hmac.compare_digest(text, item.encode()) for item in expected]
    return any(fits)


def _sent(text: str) -> bytes:
    """Give the bytes of a header as they were sent: HTTP reads them as Latin-1."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode(errors="replace")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 16
