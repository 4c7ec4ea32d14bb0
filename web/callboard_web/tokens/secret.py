"""The text of a token: `cbd_<number>_<secret>_<checksum>`.

The number, in base 62, finds the row without a search. The secret has 43 base-62 digits of 256
random bits; only its SHA-256 is stored, which needs no salt and no slow function at this entropy.
The checksum (CRC-32 of what is before it, six base-62 digits) tells mistyped tokens, and texts that
only look like one, from real ones without asking the database.
"""

import hashlib
import re
import secrets
import zlib
from typing import Final, NamedTuple

PREFIX: Final = "cbd_"
PATTERN: Final = r"\bcbd_[0-9A-Za-z]{1,11}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}\b"
"""Finds tokens in texts, for scanners; see `docs/operator/machines.md`."""

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BITS: Final = 256
_SECRET_LENGTH: Final = 43
_CHECKSUM_LENGTH: Final = 6
_LARGEST: Final = 2**63 - 1
_TOKEN: Final = re.compile(PATTERN)


class TokenText(NamedTuple):
    """The parts of a token that matter."""

    number: int
    secret: str


def new_secret() -> str:
    """Make the secret part of a token."""
    return _base62(secrets.randbits(_BITS)).rjust(_SECRET_LENGTH, "0")


def digest(secret: str) -> str:
    """Give what is stored in place of a secret."""
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def written(number: int, secret: str) -> str:
    """Give the whole text of a token, as it is shown once."""
    body = f"{PREFIX}{_base62(number)}_{secret}"
    return f"{body}_{_checksum(body)}"


def read(text: str) -> TokenText | None:
    """Take a token apart; None for a text that is none, or that was mistyped or cut."""
    if not _TOKEN.fullmatch(text):
        return None
    body, _, checksum = text.rpartition("_")
    if not secrets.compare_digest(_checksum(body), checksum):
        return None
    _, number, secret = body.split("_")
    value = 0
    for digit in number:
        value = value * 62 + _DIGITS.index(digit)
    return TokenText(value, secret) if value <= _LARGEST else None


def is_within(text: str) -> bool:
    """Say whether a text holds what looks like a token."""
    return _TOKEN.search(text) is not None


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii"))).rjust(_CHECKSUM_LENGTH, "0")


def _base62(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits or "0"
