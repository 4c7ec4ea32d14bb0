"""Reads claims: by path, as names of groups, as texts that are safe to show and keep."""

import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from callboard.audit import hidden

MOST_GROUPS: Final = 2_000
LONGEST_GROUP: Final = 300
LONGEST_TITLE: Final = 200
LONGEST_EMAIL: Final = 254
"""RFC 5321, 4.5.3.1.3, without the angle brackets."""

NOISE: Final = frozenset(("at_hash", "c_hash", "s_hash", "nonce", "jti", "sid"))
"""Claims of the protocol that tell nothing about a person."""

_OVERAGE: Final = "_claim_names"


def at_path(claims: Mapping[str, Any], path: str) -> Any:
    """Give a claim by its name, or by the dotted path to it; None where there is none.

    A claim whose own name has dots, such as `https://example.com/groups`, comes first.
    """
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found


def text_at(claims: Mapping[str, Any], path: str) -> str:
    """Give a claim as text; empty where it is none, or no plain text or number."""
    value = at_path(claims, path)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and "\0" not in value else ""


def groups_at(claims: Mapping[str, Any], path: str) -> list[str]:
    """Give names of groups: from a list of texts, a list of objects with one, or one text.

    An object is named by its `path`, `code` or `name`, the first it has.
    """
    value = at_path(claims, path)
    items = value if isinstance(value, list) else [value]
    named: dict[str, None] = {}
    for item in items:
        found = item
        if isinstance(item, Mapping):
            found = next((item[key] for key in ("path", "code", "name") if item.get(key)), None)
        if isinstance(found, str) and (name := found.strip()[:LONGEST_GROUP].replace("\0", "")):
            named[name] = None
        if len(named) >= MOST_GROUPS:
            break
    return list(named)


def left_out(claims: Mapping[str, Any], path: str) -> bool:
    """Say whether the provider left groups out because they are too many.

    "Distributed claims" (OpenID Connect Core 1.0, 5.6.2): Microsoft Entra ID does so beyond 200.
    """
    names = claims.get(_OVERAGE)
    return isinstance(names, Mapping) and path in names


def plain(text: str, most: int = LONGEST_TITLE) -> str:
    """Give a name without what cannot be seen: control, direction and zero-width characters."""
    seen = "".join(
        " " if unicodedata.category(mark) in ("Zs", "Zl", "Zp", "Cc") else mark
        for mark in text[: most * 4]
        if unicodedata.category(mark) not in ("Cf", "Cs", "Co", "Cn")
    )
    return " ".join(seen.split())[:most].strip()


def title_of(claims: Mapping[str, Any], username: str) -> str:
    """Give what a person is called; never empty."""
    for path in ("name", username, "email", "sub"):
        if name := plain(text_at(claims, path)):
            return name
    return "?"


def proven_email(claims: Mapping[str, Any], *, trusted: bool) -> str:
    """Give the e-mail address in lower case, if it is proven that it is the person's own."""
    address = text_at(claims, "email").strip()
    # Some providers write the truth value as a text.
    verified = claims.get("email_verified")
    proven = verified is True or verified == "true" or trusted
    whole = "@" in address.strip("@") and len(address) <= LONGEST_EMAIL and address.isprintable()
    return address.lower() if whole and proven else ""


def shown(claims: Mapping[str, Any]) -> dict[str, Any]:
    """Give claims as they are kept for administrators: without secrets and noise, cut short."""
    kept = hidden({name: value for name, value in claims.items() if name not in NOISE})
    return dict(kept)
