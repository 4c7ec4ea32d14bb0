"""The bytes an entry is sealed by: JSON Canonicalization Scheme (RFC 8785) over all its fields.

`docs/operator/audit.md` describes the form, so that an export can be verified without Callboard.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import rfc8785

FIELDS: Final = (
    "action", "actor", "address", "after", "at", "before", "id", "on_behalf_of", "request_id",
    "result", "subject",
)  # fmt: skip
"""The fields of an entry, in the order of RFC 8785."""

STRUCTURED: Final = frozenset({"before", "after"})
CHAIN_PREFIX: Final = b"callboard-audit/1:"
FINGERPRINT: Final = 8
"""Hexadecimal digits kept of the hash of each field: they tell which one differs."""

Fields = Mapping[str, Any]


def moment(at: datetime) -> str:
    """Write a time as it is sealed: UTC, always with six digits of a second, and a `Z`."""
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def pieces(fields: Fields) -> list[bytes]:
    """Give each field's canonical bytes, in the order of `FIELDS`."""
    return [
        rfc8785.dumps(fields[name]) if name in STRUCTURED else orjson.dumps(fields[name])
        for name in FIELDS
    ]


def canonical(parts: list[bytes]) -> bytes:
    """Put the fields together to the bytes of the entry."""
    members = (b'"%b":%b' % (name.encode(), part) for name, part in zip(FIELDS, parts, strict=True))
    return b"{%b}" % b",".join(members)


def fingerprint(parts: list[bytes], position: int) -> str:
    """Give the beginnings of the SHA-256 hashes of the fields and of the position."""
    named = [*parts, str(position).encode()]
    return "".join(hashlib.sha256(part).hexdigest()[:FINGERPRINT] for part in named)


def differing(one: str, other: str) -> list[str]:
    """Name what two fingerprints differ in: fields, or the position."""
    size = FINGERPRINT
    return [
        name
        for index, name in enumerate((*FIELDS, "position"))
        if one[index * size : (index + 1) * size] != other[index * size : (index + 1) * size]
    ]


def link(previous: str, content: bytes) -> str:
    """Give the hash of a place in the chain: SHA-256 over the one before and the entry."""
    return hashlib.sha256(bytes.fromhex(previous) + content).hexdigest()


def beginning(chain: str) -> str:
    """Give the hash before the first place of a chain, from the chain's name."""
    return hashlib.sha256(CHAIN_PREFIX + chain.encode()).hexdigest()
